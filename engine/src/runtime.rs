//! The engine's side of one shard: messages come in here and find their actors.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use quark_shards::calls::{CallId, Deadline, NO_SENDER, Sender, Waiter};
use quark_shards::chain::{Origin, TurnId, chain_has};
use quark_shards::current::{Attachment, with_current};
use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;
use quark_shards::stall::Pulse;

use crate::activation::{Head, Phase, Resident, used_tick};
use crate::actor::{Actor, Method, Receiver};
use crate::call::Call;
use crate::cluster::Lease;
use crate::context::Turn;
use crate::dead_letter::Graveyard;
use crate::density::Density;
use crate::engine::{Engine, EngineId};
use crate::error::Refusal;
use crate::key::Key;
use crate::lifecycle::drop_quietly;
use crate::mailbox::Outliers;
use crate::message::{BoxedHeld, Held, Incoming, ReplyOf, Resume, fits};
use crate::post::Posts;
use crate::reference::Hint;
use crate::reminders::Watch;
use crate::remote::Remote;
use crate::state::Stores;
use crate::supervision::Parked;
use crate::testing::Hooks;
use crate::turn::TurnRef;
use crate::types::Types;

/// What a shard's [`Runtime`] is found by.
pub(crate) static RUNTIME: Attachment<Runtime> = Attachment::new();

/// The engine's part of one shard.
pub(crate) struct Runtime {
    engine: Engine,
    engine_id: EngineId,
    /// What a node of a cluster needs to serve.
    pub(crate) lease: Option<Lease>,
    pub(crate) types: Types,
    current: Cell<Option<TurnRef>>,
    /// First polls nested on the stack.
    nested: Cell<u8>,
    /// Inline calls left until one must let others run.
    inline_left: Cell<u32>,
    next_turn: Cell<TurnId>,
    closing: Cell<Closing>,
    pub(crate) dead_letters: RefCell<Graveyard>,
    pub(crate) hooks: Hooks,
    pub(crate) posts: Posts,
    /// What actors here keep their states in.
    pub(crate) stores: Stores,
    pub(crate) reminders: Rc<Watch>,
    /// Whether any type has routes here.
    routed: Cell<bool>,
    /// Kin of those that sleep.
    pub(crate) parked: Parked,
    /// Actors that the engine has given up so far.
    pub(crate) escalations: Cell<u64>,
    pub(crate) density: Density,
    pulse: Arc<Pulse>,
    turns: Cell<u64>,
    pub(crate) outliers: Outliers,
    /// What leaves the process or comes from outside; nothing where nothing does.
    remote: OnceCell<Rc<Remote>>,
}

/// How far this shard is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closing {
    No,
    /// Actors are put to sleep; no new ones are made.
    Actors,
    /// Everything left is dropped and answered.
    All,
}

/// First polls that may nest on one stack.
const MAX_NESTED: u8 = 16;
/// Inline calls in a row before others get to run.
const INLINE_BUDGET: u32 = 256;
/// Waiting messages let in before others get to run.
const RESUME_BATCH: usize = 16;

/// Runs `f` with the current shard and its runtime.
///
/// # Panics
/// Outside a shard of an engine: only code that is polled there comes here.
#[inline]
pub(crate) fn with_runtime<R>(f: impl FnOnce(&Shard, &Runtime) -> R) -> R {
    with_current(|shard| {
        let (shard, runtime) = attached(shard).expect("this runs on a shard of an engine only");
        f(shard, runtime)
    })
}

/// Runs `f` with the current shard and its runtime, if this is one. Inlined for good: as a call it
/// is half a nanosecond of every message told.
#[inline(always)]
pub(crate) fn try_with_runtime<R>(f: impl FnOnce(Option<(&Shard, &Runtime)>) -> R) -> R {
    with_current(|shard| f(attached(shard)))
}

#[inline]
fn attached(shard: Option<&Shard>) -> Option<(&Shard, &Runtime)> {
    match shard {
        Some(shard) => match shard.attached(&RUNTIME) {
            Some(runtime) => Some((shard, runtime)),
            None => None,
        },
        None => None,
    }
}

impl Runtime {
    pub(crate) fn new(engine: Engine, hooks: Hooks, pulse: Arc<Pulse>) -> Self {
        let is_leased = engine.settings().remote.joins.is_some();
        let lease = is_leased.then(|| engine.acquaintance().lease().clone());
        let dead_letters = RefCell::new(Graveyard::new(engine.settings().dead_letters));
        Runtime {
            density: Density::new(engine.actors_per_shard()),
            engine_id: engine.id(),
            lease,
            engine,
            types: Types::default(),
            current: Cell::new(None),
            nested: Cell::new(0),
            inline_left: Cell::new(INLINE_BUDGET),
            next_turn: Cell::new(1),
            closing: Cell::new(Closing::No),
            dead_letters,
            hooks,
            posts: Posts::default(),
            stores: Stores::default(),
            reminders: Rc::default(),
            routed: Cell::new(false),
            parked: Parked::default(),
            escalations: Cell::new(0),
            pulse,
            turns: Cell::new(0),
            outliers: Outliers::default(),
            remote: OnceCell::new(),
        }
    }

    /// Lets calls leave the process and come from outside, if they are to.
    pub(crate) fn open_to_others(&self, shard: &Rc<Shard>) {
        if self.engine.settings().remote.is_used() {
            let remote = Remote::new(shard, self.engine.unowned());
            let _ = self.remote.set(Rc::new(remote));
        }
    }

    /// What leaves the process or comes from outside.
    #[inline]
    pub(crate) fn remote(&self) -> Option<&Rc<Remote>> {
        self.remote.get()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine's id, without a look at what all shards share.
    #[inline]
    pub(crate) fn engine_id(&self) -> EngineId {
        self.engine_id
    }

    /// Whether actors of any type may live, or be called, elsewhere than at home.
    #[inline]
    pub(crate) fn has_routes(&self) -> bool {
        self.routed.get()
    }

    pub(crate) fn use_routes(&self) {
        self.routed.set(true);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get() != Closing::No
    }

    pub(crate) fn set_closing(&self, closing: Closing) {
        self.closing.set(closing);
    }

    /// Polls of turns so far.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.get()
    }

    /// Why a turn is dropped that neither returned nor panicked.
    pub(crate) fn why_dropped(&self) -> Refusal {
        if self.closing.get() == Closing::All {
            Refusal::Stopped
        } else {
            Refusal::Restarted
        }
    }

    /// The turn that is being polled.
    #[inline]
    pub(crate) fn current(&self) -> Option<TurnRef> {
        self.current.get()
    }

    /// The actor that is being polled, as one who sends.
    pub(crate) fn sender(&self) -> Sender {
        self.current()
            .map_or(NO_SENDER, |turn| std::ptr::from_ref(turn.head()).addr())
    }

    /// Runs `f` as a poll of `turn`.
    #[inline(always)]
    pub(crate) fn within<R>(&self, turn: &Turn, f: impl FnOnce() -> R) -> R {
        let outer = self.current.replace(Some(TurnRef::new(turn)));
        let nested = self.nested.get();
        self.nested.set(nested + 1);
        self.turns.set(self.turns.get() + 1);
        self.pulse.run(Some(&turn.info.label));
        let result = f();
        if let Some(outer) = outer {
            self.pulse.run(Some(&outer.info.label));
        }
        self.nested.set(nested);
        self.current.set(outer);
        result
    }

    /// Whether a local call may run on its caller's stack: not too deep, not too many in a row.
    #[inline(always)]
    pub(crate) fn may_inline(&self) -> bool {
        let left = self.inline_left.get();
        if left == 0 || self.nested.get() >= MAX_NESTED {
            return self.refill_inline(left);
        }
        self.inline_left.set(left - 1);
        true
    }

    #[cold]
    fn refill_inline(&self, left: u32) -> bool {
        if left == 0 {
            self.inline_left.set(INLINE_BUDGET);
        }
        false
    }

    #[inline]
    pub(crate) fn next_turn(&self, shard: &Shard) -> TurnId {
        let next = self.next_turn.get();
        self.next_turn.set(next + 1);
        (u64::from(shard.id()) << 48) | next
    }

    #[inline]
    pub(crate) fn used_tick(&self, shard: &Shard) -> u32 {
        used_tick(shard.now())
    }

    /// Opens a call to an actor of this very shard.
    pub(crate) fn open_call<M: Method>(
        &self,
        shard: &Shard,
        deadline: Deadline,
        waiter: Option<Waiter>,
    ) -> CallId {
        let reply = std::any::TypeId::of::<ReplyOf<M>>;
        shard.calls().open_for(
            reply,
            shard.id(),
            deadline,
            waiter.unwrap_or(Waiter::NO_TURN),
        )
    }

    /// A message has come from another shard, a port or outside. `BOXED`: as few do, in a box.
    #[inline(always)]
    pub(crate) fn receive<M: Method, const BOXED: bool>(
        &self,
        shard: &Shard,
        hint: Hint,
        key: Key,
        hash: Option<u64>,
        incoming: Incoming<M>,
    ) {
        let resolved = self.resolve::<M::Actor>(shard, hint, &key, || {
            hash.unwrap_or_else(|| self.engine.hash_of(<M::Actor as Actor>::token(), &key))
        });
        match resolved {
            Ok(resident) if const { BOXED } => self.arrive_apart(shard, resident, incoming),
            Ok(resident) => self.arrive(shard, resident, incoming),
            Err(refusal) => self.receive_elsewhere(shard, key, hash, incoming, refusal),
        }
    }

    /// A message has come whose actor is not simply here, or can't be made.
    #[cold]
    #[inline(never)]
    fn receive_elsewhere<M: Method>(
        &self,
        shard: &Shard,
        key: Key,
        hash: Option<u64>,
        mut incoming: Incoming<M>,
        refusal: Refusal,
    ) {
        if refusal != Refusal::Elsewhere {
            incoming.toll.pay(shard);
            return self.refuse_key(shard, key, incoming, refusal);
        }
        let Ok(types) = self.types.get::<M::Actor>(self) else {
            return;
        };
        let hash = hash.unwrap_or_else(|| self.engine.hash_of(<M::Actor as Actor>::token(), &key));
        self.ways(shard, types).dispatch(key, hash, incoming);
    }

    /// A message has reached its activation, past the shard's own queue.
    #[inline(always)]
    pub(crate) fn arrive<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        if resident.admits_arrival(<M::Receiver as Receiver>::EXCLUSIVE) {
            return self.begin(shard, resident, incoming);
        }
        self.arrive_busy(shard, resident, incoming);
    }

    /// The same in one place for all by whom few messages come: compiled once for each method, as is
    /// what begins the turn.
    #[inline(never)]
    pub(crate) fn arrive_apart<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        if resident.admits_arrival(<M::Receiver as Receiver>::EXCLUSIVE) {
            return self.begin_any(shard, resident, incoming);
        }
        self.arrive_busy(shard, resident, incoming);
    }

    /// The same from the shard's own queue: its activation may be gone.
    #[inline(always)]
    pub(crate) fn arrive_from_queue<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        if resident.phase() == Phase::Gone {
            return self.arrive_gone(shard, resident, incoming);
        }
        self.arrive(shard, resident, incoming);
    }

    #[cold]
    #[inline(never)]
    fn arrive_gone<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        // A new activation could be ahead of it: what was sent after it may have run there.
        let Ok(types) = self.types.get::<M::Actor>(self) else {
            return;
        };
        if !self.serves(shard, resident.hash()) {
            // Not so far: that is on another node.
            let (key, hash) = (resident.key(), resident.hash());
            types.leave_gone(resident);
            return self.ways(shard, types).dispatch(key, hash, incoming);
        }
        self.refuse(shard, &resident, incoming, types.failure(resident));
        types.leave_gone(resident);
    }

    #[inline(never)]
    fn arrive_busy<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        self.take_in(shard, resident, incoming, true);
    }

    /// Puts a message that its actor does not admit at once into the mailbox, as far as it may
    /// wait. `on_top`: nothing but the loop is below on the stack, so a turn may begin.
    pub(crate) fn take_in<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        mut incoming: Incoming<M>,
        on_top: bool,
    ) {
        let exclusive = <M::Receiver as Receiver>::EXCLUSIVE;
        if self.closing.get() == Closing::All {
            return self.refuse(shard, &resident, incoming, Refusal::Stopped);
        }
        let Ok(types) = self.types.get::<M::Actor>(self) else {
            return;
        };
        if resident.is_landing() {
            match self.ways(shard, types).enters(resident, incoming) {
                Some(expected) => incoming = expected,
                None => return,
            }
        }
        if let Err(refusal) = self.admit(shard, types, &mut incoming) {
            return self.refuse(shard, &resident, incoming, refusal);
        }
        if incoming.depth > 0 {
            match self.chain_says(shard, &resident, &incoming, exclusive) {
                Chain::Elsewhere => {}
                Chain::Enter if on_top => return self.begin_any(shard, resident, incoming),
                Chain::Enter => return self.queue(shard, resident, incoming),
                Chain::Cycle => {
                    return self.refuse(shard, &resident, incoming, Refusal::CallCycle);
                }
            }
        }
        if on_top && resident.is_landing() && resident.admits_expected(exclusive) {
            return self.begin_any(shard, resident, incoming);
        }
        let is_long = resident.is_guarded() || resident.is_watched();
        if on_top && is_long && resident.admits_guarded(exclusive) {
            return self.begin_any(shard, resident, incoming);
        }
        let Some(incoming) = self.find_room(shard, types, resident, incoming) else {
            return;
        };
        let held = Held { resident, incoming };
        resident.mailbox.push(shard, &self.outliers, held);
        resident.set_mail(true);
    }

    fn chain_says<M: Method>(
        &self,
        shard: &Shard,
        head: &Head,
        incoming: &Incoming<M>,
        exclusive: bool,
    ) -> Chain {
        let origin = incoming.reply.origin();
        let inside = |turn: TurnId| head.turns().any(|other| other.id == turn);
        if !self.is_chained(shard, origin, inside) {
            return Chain::Elsewhere;
        }
        if !exclusive && head.admits_chained() {
            Chain::Enter
        } else {
            Chain::Cycle
        }
    }

    /// Whether a turn that `is` one of some waits for the call `origin`, by whatever way.
    pub(crate) fn is_chained(
        &self,
        shard: &Shard,
        origin: Origin,
        is: impl Fn(TurnId) -> bool,
    ) -> bool {
        let mesh = shard.mesh();
        let chain = |peer| mesh.handle(peer).map(|handle| &*handle.chain);
        chain_has(chain, origin, is)
    }

    /// Starts the turn of a message that has taken the long way.
    pub(crate) fn begin_any<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        if resident.is_watched() {
            self.begin_watched(shard, resident, incoming);
        } else if resident.is_guarded() {
            self.begin_guarded(shard, resident, incoming);
        } else {
            self.begin(shard, resident, incoming);
        }
    }

    /// Queues a message to an activation of this shard, behind all that was queued before.
    #[inline(always)]
    pub(crate) fn queue<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        resident.count_queued();
        let held = Held { resident, incoming };
        if const { fits::<Held<M>>() } {
            shard.defer(held);
        } else {
            shard.defer(BoxedHeld(Box::new(held)));
        }
    }

    /// A turn has left its actor: lets the next in, or goes on with what waited for this.
    #[inline(always)]
    pub(crate) fn turn_left<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        if resident.phase() != Phase::Active {
            return self.turn_left_inactive(shard, resident);
        }
        if resident.has_mail() || resident.has_wish() {
            self.turn_left_wanted(shard, resident);
        }
    }

    #[inline(never)]
    fn turn_left_wanted<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        if resident.wishes_to_depart() {
            if resident.is_empty()
                && !resident.is_landing()
                && let Ok(types) = self.types.get::<A>(self)
            {
                self.ways(shard, types).begin_to_leave(resident);
            }
            return;
        }
        if resident.has_mail() {
            if !planted(Bug::ForgottenMail) {
                self.resume_soon(shard, resident);
            }
        } else {
            self.collect_now(shard, resident);
        }
    }

    /// Has the mailbox looked at, once, behind what is queued already.
    pub(crate) fn resume_soon<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        if !resident.set_resuming(true) {
            resident.count_queued();
            shard.defer(Resume(resident));
        }
    }

    /// A waiting message has left: one more may come.
    #[inline(always)]
    pub(crate) fn make_room<A: Actor>(&self, resident: Resident<A>) {
        if resident.is_wanted()
            && let Ok(types) = self.types.get::<A>(self)
        {
            types.room(resident);
        }
    }

    /// Lets waiting messages in, as far as they may.
    pub(crate) fn resume<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        if resident.phase() == Phase::Gone {
            if let Ok(types) = self.types.get::<A>(self) {
                types.leave_gone(resident);
            }
            return;
        }
        if resident.wishes_to_depart() {
            resident.set_resuming(false);
            return self.turn_left_wanted(shard, resident);
        }
        // Whatever happens below, the next message is looked at again.
        struct Resumed<'a>(&'a Head);
        impl Drop for Resumed<'_> {
            fn drop(&mut self) {
                self.0.set_resuming(false);
            }
        }
        let resumed = Resumed(&resident);
        for _ in 0..RESUME_BATCH {
            let next = resident.mailbox.next_is_exclusive(&self.outliers);
            if !next.is_some_and(|exclusive| resident.admits_next(exclusive)) {
                break;
            }
            let Some(letter) = resident.mailbox.pop(&self.outliers) else {
                break;
            };
            if resident.mailbox.len() == 0 {
                resident.set_mail(false);
            }
            self.make_room(resident);
            letter.start(shard, self);
        }
        drop(resumed);
        self.make_room(resident);
        let next = resident.mailbox.next_is_exclusive(&self.outliers);
        if next.is_some_and(|exclusive| resident.admits_next(exclusive)) {
            self.resume_soon(shard, resident);
        }
    }

    /// Answers a message that gets no turn.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse<M: Method>(
        &self,
        shard: &Shard,
        head: &Head,
        mut incoming: Incoming<M>,
        refusal: Refusal,
    ) {
        incoming.toll.pay(shard);
        self.reply_refused(shard, || head.id(), incoming, refusal);
    }

    /// Answers a message to an actor that is not in memory here.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse_key<M: Method>(
        &self,
        shard: &Shard,
        key: Key,
        incoming: Incoming<M>,
        refusal: Refusal,
    ) {
        let id = || crate::key::ActorId {
            actor: <M::Actor as Actor>::NAME,
            key: key.clone(),
        };
        self.reply_refused(shard, id, incoming, refusal);
    }

    #[cold]
    #[inline(never)]
    fn reply_refused<M: Method>(
        &self,
        shard: &Shard,
        id: impl Fn() -> crate::key::ActorId,
        incoming: Incoming<M>,
        refusal: Refusal,
    ) {
        self.hooks.refused(shard, &id, &incoming, &refusal);
        self.give_back::<M::Actor>(shard, incoming.permit);
        if incoming.reply.is_ask() {
            // No turn would be ended by its panic, but the shard.
            drop_quietly(incoming.args);
            incoming
                .reply
                .send_apart::<ReplyOf<M>>(shard, Hint::NONE, Err(refusal.into()));
        } else {
            self.bury(shard, id(), incoming.args, incoming.context, refusal);
        }
    }
}

/// What a waiting caller's chain says of the actor it meets.
enum Chain {
    /// It leads elsewhere.
    Elsewhere,
    /// It is inside as `&self`, and so may the message be.
    Enter,
    /// It is inside, and would wait for itself.
    Cycle,
}

/// Tells where nobody would take the message back: what can't be taken becomes a dead letter.
pub(crate) fn bury_refused<M: Method>(mut call: Call<'_, M>) {
    if let Err(refusal) = call.try_tell(crate::call::Patience::None) {
        let (actor, message, context) = call.into_parts();
        with_runtime(|shard, runtime| runtime.bury(shard, actor, message, context, refusal));
    }
}
