//! One actor type on one shard: its cells, its directory, how to make one.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use hashbrown::HashTable;
use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;
use quark_shards::slots::KeyHasher;
use quark_shards::time::Time;

use crate::activation::{Phase, Resident, Slab};
use crate::actor::{ActivateError, Actor, TypeToken};
use crate::cluster::{Leaving, leave_slots};
use crate::coalesce::Flights;
use crate::contract::Implementer;
use crate::density::{self, Ages, Cut, Steps};
use crate::engine::Engine;
use crate::error::{Refusal, RegisterError};
use crate::key::Key;
use crate::lifecycle::drop_quietly;
use crate::limits::Limits;
use crate::limits::breaker::BreakerInfo;
use crate::options::{ActorOptions, Placement, Supervision, WhenFull};
use crate::reference::{Hint, RefCore};
use crate::registry::{ActorInfo, Factory, FactoryCx};
use crate::routing::{Departures, Pools, Routes};
use crate::runtime::Runtime;
use crate::schedule::Timer;
use crate::supervision::{Leaf, Signal};
use crate::testing::StandIn;

/// An actor type on one shard.
pub(crate) struct TypeShard<A: Actor> {
    pub(crate) cells: Slab<A>,
    /// What keys are hashed with, and by which seed: a client learns that from its peer.
    hasher: Cell<(u64, KeyHasher)>,
    /// Cells by their keys' hashes, which lie beside them: a table that grows visits no cell.
    directory: RefCell<HashTable<(u64, Resident<A>)>>,
    factory: Option<Arc<Factory<A>>>,
    pub(crate) mailbox: usize,
    pub(crate) when_full: WhenFull,
    pub(crate) idle_after: Duration,
    pub(crate) timeout: Duration,
    pub(crate) supervision: Supervision,
    pub(crate) routes: Routes,
    pub(crate) pools: Pools,
    pub(crate) departures: Departures<A>,
    /// All that its attribute and its registration say; what they leave open is above.
    pub(crate) options: ActorOptions,
    pub(crate) limits: Option<Box<Limits>>,
    /// Calls that others may join.
    pub(crate) flights: Flights,
    /// Senders that wait for room, by cell.
    waiting: RefCell<BTreeMap<u32, VecDeque<Waker>>>,
    /// Why activations failed that messages are still on their way to, by cell.
    failures: RefCell<BTreeMap<u32, Refusal>>,
    /// Timers of activations, by cell.
    pub(crate) timers: RefCell<BTreeMap<u32, Vec<Timer<A>>>>,
    /// Where the next look for idle actors goes on.
    pub(crate) sweep_from: Cell<u32>,
    pub(crate) sweeping: Cell<bool>,
    /// Activations so far.
    made: Cell<u64>,
    /// What stands in for its actors.
    pub(crate) double: Option<StandIn<A>>,
    /// What has the actors, if this is a contract.
    pub(crate) implementer: Option<Box<Implementer>>,
    /// Whether messages to its actors take the way on which tests look at them.
    watched: bool,
}

impl<A: Actor> TypeShard<A> {
    fn new(runtime: &Runtime) -> Result<Self, RegisterError> {
        let registered = runtime.engine().registered::<A>()?;
        let settings = runtime.engine().settings();
        let options = registered.options;
        let mailbox = options.mailbox.unwrap_or(settings.mailbox);
        let routes = Routes::default();
        if let Some(Placement::Random | Placement::Local | Placement::Workers { .. }) =
            options.placement
        {
            routes.use_them();
            runtime.use_routes();
        }
        if settings.remote.peer.is_some() || settings.remote.joins.is_some() {
            // What lives in other processes is not where its hash says.
            routes.use_them();
            runtime.use_routes();
        }
        let implementer = registered.implementer.map(|of| Box::new(of()));
        if implementer.is_some() {
            // None of its actors is here: their messages are handed over.
            routes.use_them();
            runtime.use_routes();
        }
        let double = registered.double.map(StandIn::new);
        let seed = runtime.engine().seed();
        Ok(TypeShard {
            cells: Slab::new(A::token()),
            hasher: Cell::new((seed, KeyHasher::new(seed, A::token().hash()))),
            directory: RefCell::default(),
            factory: registered.factory,
            mailbox,
            when_full: options.when_full.unwrap_or_default(),
            idle_after: options.idle_after.unwrap_or(settings.idle_after),
            timeout: options.timeout.unwrap_or(settings.timeout),
            limits: Limits::new(&options, mailbox),
            flights: Flights::default(),
            supervision: options.supervision.unwrap_or_default(),
            routes,
            pools: Pools::of(options.placement),
            departures: Departures::default(),
            options,
            waiting: RefCell::default(),
            failures: RefCell::default(),
            timers: RefCell::default(),
            sweep_from: Cell::new(0),
            sweeping: Cell::new(false),
            made: Cell::new(0),
            watched: double.is_some() || runtime.hooks.log().is_some(),
            double,
            implementer,
        })
    }

    /// The hash of `key` by `seed`, the engine's.
    #[inline]
    pub(crate) fn hash(&self, seed: u64, key: &Key) -> u64 {
        let (known, mut hasher) = self.hasher.get();
        if known != seed {
            hasher = KeyHasher::new(seed, A::token().hash());
            self.hasher.set((seed, hasher));
        }
        hasher.hash(key.into())
    }

    /// Whether all actors of the type stay in memory.
    pub(crate) fn is_kept(&self) -> bool {
        self.options.keep == Some(true)
    }

    /// The activation of `key`, if there is one.
    #[inline]
    pub(crate) fn lookup(&self, key: &Key, hash: u64) -> Option<Resident<A>> {
        let directory = self.directory.borrow();
        let found = directory.find(hash, |(known, cell)| *known == hash && cell.has_key(key))?;
        Some(found.1)
    }

    /// The activation of `key`, made if need be. It may still be activating.
    #[inline(never)]
    pub(crate) fn resolve(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        key: &Key,
        hash: u64,
    ) -> Result<Resident<A>, Refusal> {
        match self.lookup(key, hash) {
            Some(resident) if !planted(Bug::DoubleActivation) => Ok(resident),
            _ if self.routes.are_used() => Err(Refusal::Elsewhere),
            _ => self.activate(shard, runtime, key, hash),
        }
    }

    /// The same where it is known that the actor lives here if it does at all.
    pub(crate) fn activate_here(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        key: &Key,
        hash: u64,
    ) -> Result<Resident<A>, Refusal> {
        match self.lookup(key, hash) {
            Some(resident) => Ok(resident),
            None => self.activate(shard, runtime, key, hash),
        }
    }

    fn activate(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        key: &Key,
        hash: u64,
    ) -> Result<Resident<A>, Refusal> {
        self.activate_with(shard, runtime, key, hash, |resident| {
            self.enter_directory(resident);
            runtime.trace_activation::<A>(shard, key);
            runtime.unpark(shard, &resident);
        })
    }

    /// Makes an activation of `key`, and has it `entered` where others find it.
    pub(crate) fn activate_with(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        key: &Key,
        hash: u64,
        entered: impl FnOnce(Resident<A>),
    ) -> Result<Resident<A>, Refusal> {
        if runtime.is_closing() {
            return Err(Refusal::Stopped);
        }
        let made = self.made.get();
        let instance = self.make(runtime, key)?;
        if self.made.get() != made
            && let Some(resident) = self.lookup(key, hash)
        {
            // The factory has called its own key.
            drop_quietly(instance);
            return Ok(resident);
        }
        self.made.set(self.made.get() + 1);
        let resident = self.cells.take(key.clone(), hash);
        resident.set_room(self.quick_room());
        resident.set_guarded(self.limits.is_some());
        self.watch(resident);
        entered(resident);
        if self.routes.are_used() {
            runtime.ways(shard, self).mind_landing(resident);
        }
        runtime.density.grow(shard, runtime);
        // Its first message is on its way: the cell must stay even if `on_activate` fails at once.
        resident.count_queued();
        runtime.settle(shard, resident, instance);
        resident.uncount_queued();
        if resident.phase() == Phase::Gone {
            let refusal = self.failure(resident);
            self.leave_gone(resident);
            return Err(refusal);
        }
        Ok(resident)
    }

    /// A fresh instance; none where a double stands in.
    pub(crate) fn make(&self, runtime: &Runtime, key: &Key) -> Result<Option<A>, Refusal> {
        if self.double.is_some() {
            return Ok(None);
        }
        let made = catch_unwind(AssertUnwindSafe(|| match &self.factory {
            Some(factory) => Some(factory(&FactoryCx {
                key: key.clone(),
                engine: runtime.engine().clone(),
            })),
            None => A::fallback(),
        }));
        match made {
            Ok(Some(instance)) => Ok(Some(instance)),
            Ok(None) => Err(Refusal::Unregistered(RegisterError::NoFactory {
                name: A::NAME,
            })),
            Err(_) => Err(Refusal::Activation(ActivateError::new(
                "the factory panicked",
            ))),
        }
    }

    /// Has messages to the actor take the way on which tests look at them, if one does.
    pub(crate) fn watch(&self, resident: Resident<A>) {
        if self.watched {
            resident.watch();
        }
    }

    /// Takes an activation out of the directory; its cell is free, now or when the last message
    /// on its way to it has arrived.
    pub(crate) fn remove(&self, resident: Resident<A>) {
        self.leave_directory(resident);
        self.discard(resident);
    }

    pub(crate) fn enter_directory(&self, resident: Resident<A>) {
        let hash = resident.hash();
        self.directory
            .borrow_mut()
            .insert_unique(hash, (hash, resident), |(hash, _)| *hash);
    }

    fn leave_directory(&self, resident: Resident<A>) {
        if self.pools.are_used() {
            return self.pools.remove(resident);
        }
        let (hash, index) = (resident.hash(), resident.index());
        let mut directory = self.directory.borrow_mut();
        if let Ok(entry) = directory.find_entry(hash, |(_, cell)| cell.index() == index) {
            entry.remove();
        }
    }

    /// Has nobody find the activation any more, by hint or by name.
    pub(crate) fn hide(&self, resident: Resident<A>) {
        self.leave_directory(resident);
        resident.forget_hints();
    }

    /// Frees the cell of an activation that nobody finds any more, now or when the last message
    /// on its way to it has arrived.
    pub(crate) fn discard(&self, resident: Resident<A>) {
        if resident.queued() == 0 {
            self.cells.give(resident);
        } else {
            // Whoever comes by a hint would else wait there for ever.
            resident.forget_hints();
            resident.set_phase(Phase::Gone);
        }
    }

    /// The same for an activation that has failed; messages on their way to it will be told why.
    pub(crate) fn remove_failed(&self, resident: Resident<A>, refusal: Refusal) {
        if resident.queued() != 0 {
            self.failures.borrow_mut().insert(resident.index(), refusal);
        }
        self.remove(resident);
    }

    /// Why an activation is gone.
    pub(crate) fn failure(&self, resident: Resident<A>) -> Refusal {
        let failures = self.failures.borrow();
        let known = failures.get(&resident.index()).cloned();
        known.unwrap_or(Refusal::Stopped)
    }

    /// Frees the cell of an activation that is gone once nothing is on its way to it.
    pub(crate) fn leave_gone(&self, resident: Resident<A>) {
        if resident.queued() == 0 {
            self.failures.borrow_mut().remove(&resident.index());
            self.cells.give(resident);
        }
    }

    /// Has `waker` woken when the actor's mailbox has room.
    pub(crate) fn wait_for_room(&self, resident: Resident<A>, waker: Waker) {
        resident.set_wanted(true);
        self.waiting
            .borrow_mut()
            .entry(resident.index())
            .or_default()
            .push_back(waker);
    }

    /// Wakes the senders that wait for room in the actor's mailbox, once it is half empty.
    ///
    /// All of them: some may have gone since, and would swallow a wake that was meant for one.
    #[cold]
    pub(crate) fn room(&self, resident: Resident<A>) {
        if resident.load() <= self.bound() / 2 {
            self.wake_waiting(resident);
        }
    }

    /// Wakes every sender that waits for room in the actor's mailbox.
    pub(crate) fn wake_waiting(&self, resident: Resident<A>) {
        resident.set_wanted(false);
        let queue = self.waiting.borrow_mut().remove(&resident.index());
        queue.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Runtime {
    /// The activation that `core` refers to, made if need be. It may still be activating.
    #[inline(always)]
    pub(crate) fn resident<A: Actor>(
        &self,
        shard: &Shard,
        core: &RefCore,
    ) -> Result<Resident<A>, Refusal> {
        debug_assert!(core.engine == self.engine().id() && core.shard == shard.id());
        if !self.has_lease(shard) {
            return Err(Refusal::Elsewhere);
        }
        // As `resolve`, but the reference learns what was found.
        // SAFETY: as in `resolve`.
        match unsafe { Resident::find(core.hint(), &core.key) } {
            Some(resident) => Ok(resident),
            None => {
                let types = self.types.get::<A>(self)?;
                let resident = types.resolve(shard, self, &core.key, core.hash)?;
                core.remember(resident.hint());
                Ok(resident)
            }
        }
    }

    /// The activation of `key`, made if need be. It may still be activating.
    ///
    /// The hint comes with the key from a reference of this engine to an actor of this type on
    /// this shard.
    #[inline(always)]
    pub(crate) fn resolve<A: Actor>(
        &self,
        shard: &Shard,
        hint: Hint,
        key: &Key,
        hash: impl FnOnce() -> u64,
    ) -> Result<Resident<A>, Refusal> {
        if !self.has_lease(shard) {
            return Err(Refusal::Elsewhere);
        }
        // SAFETY: references only remember hints that their actor's own shard gave out, a call's
        // message is of its reference's type (checked when the call is made), and a reference is
        // used by its own engine only (checked when the call begins).
        match unsafe { Resident::find(hint, key) } {
            Some(resident) => Ok(resident),
            None => self.types.get::<A>(self)?.resolve(shard, self, key, hash()),
        }
    }
}

/// An actor type on one shard, whatever its type.
pub(crate) trait AnyType {
    /// The actors in memory, as long as `into` holds fewer than `limit`.
    fn list(&self, into: &mut Vec<ActorInfo>, shard: &Shard, limit: usize);
    /// Those that have parents or children.
    fn leaves(&self, into: &mut Vec<Leaf>, shard: u16, now: Time);
    fn supervision(&self) -> Supervision;
    /// The home of a key.
    fn home(&self, engine: &Engine, key: &Key, hash: u64) -> u16;
    /// Has an actor act on a signal.
    fn signal(&self, shard: &Shard, runtime: &Runtime, to: &RefCore, signal: Signal);
    fn count(&self) -> usize;
    /// Its circuit breaker, if it has one.
    fn breaker(&self, shard: u16) -> Option<BreakerInfo>;
    /// Whether no turn is under way and no message waits.
    fn is_quiet(&self) -> bool;
    /// The actors that keep it from being quiet, in words.
    fn busy(&self, into: &mut Vec<String>);
    /// Looks how old the actors are; true once the walk has come to the end.
    fn survey(&self, steps: &mut Steps, ages: &mut Ages) -> bool;
    /// Collects those on the old side of the cut; true once the walk has come to the end.
    fn shed(&self, shard: &Shard, runtime: &Runtime, steps: &mut Steps, cut: &mut Cut) -> bool;
    /// Has actors leave whose slots another node has now; see [`leave_slots`].
    fn leave_slots(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        steps: &mut Steps,
        leaving: &mut Leaving<'_>,
    ) -> bool;
    /// Begins to put every idle actor to sleep; true once none is left.
    fn close(&self, shard: &Shard, runtime: &Runtime) -> bool;
    /// Lets nobody in any more, and answers everyone who still waits in a mailbox.
    fn refuse_all(&self, shard: &Shard, runtime: &Runtime);
    /// Drops the actors, when no turn is left.
    fn drop_all(&self);
}

fn is_quiet<A>(resident: &Resident<A>) -> bool {
    match resident.phase() {
        Phase::Active => resident.is_idle(),
        Phase::Free | Phase::Gone => true,
        Phase::Activating
        | Phase::Deactivating
        | Phase::Failed
        | Phase::Restarting
        | Phase::Ending
        | Phase::Moving => false,
    }
}

/// The actor types of one shard, found by their tokens.
#[derive(Default)]
pub(crate) struct Types {
    table: UnsafeCell<Vec<Option<Entry>>>,
    /// Their places in the table, in the order of their first use here: that is the same in every
    /// run of a simulation, and their numbers in the process are not.
    order: RefCell<Vec<usize>>,
}

struct Entry {
    concrete: *const (),
    erased: Box<dyn AnyType>,
}

impl Types {
    /// The type `A` here; set up at its first use.
    #[inline]
    pub(crate) fn get<A: Actor>(&self, runtime: &Runtime) -> Result<&TypeShard<A>, Refusal> {
        let index = A::token().index();
        // SAFETY: single-threaded; the vector is not changed during this read.
        match unsafe { &*self.table.get() }.get(index) {
            // SAFETY: a token belongs to one type, and `set_up` has put that type's entry here;
            // entries are boxed and stay as long as `self`.
            Some(Some(entry)) => Ok(unsafe { &*entry.concrete.cast::<TypeShard<A>>() }),
            _ => self.set_up::<A>(runtime),
        }
    }

    #[cold]
    #[inline(never)]
    fn set_up<A: Actor>(&self, runtime: &Runtime) -> Result<&TypeShard<A>, Refusal> {
        let index = A::token().index();
        let fresh = Box::new(TypeShard::<A>::new(runtime).map_err(Refusal::Unregistered)?);
        // The box is given up first, so that nothing moves under the pointer.
        let fresh = Box::into_raw(fresh);
        let concrete = fresh.cast_const();
        // SAFETY: as in `get`; making the entry above did not come back here.
        let table = unsafe { &mut *self.table.get() };
        if table.len() <= index {
            table.resize_with(index + 1, || None);
        }
        self.order.borrow_mut().push(index);
        table[index] = Some(Entry {
            concrete: concrete.cast(),
            // SAFETY: from the box just above, taken back once.
            erased: unsafe { Box::from_raw(fresh) },
        });
        // SAFETY: just made, boxed, kept.
        Ok(unsafe { &*concrete })
    }

    /// The type of that token, if it is in use here.
    pub(crate) fn of(&self, token: &TypeToken) -> Option<&dyn AnyType> {
        // SAFETY: as in `get`; the box stays.
        let entry = unsafe { &*self.table.get() }.get(token.index())?.as_ref()?;
        let erased: *const dyn AnyType = &raw const *entry.erased;
        // SAFETY: boxed and kept as long as `self`.
        Some(unsafe { &*erased })
    }

    /// All types in use here.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &dyn AnyType> {
        // By number, since a type may be set up meanwhile.
        (0..)
            .map_while(|number| self.order.borrow().get(number).copied())
            .filter_map(|index| {
                // SAFETY: as in `get`; the box stays.
                let entry = unsafe { &*self.table.get() }.get(index)?.as_ref()?;
                let erased: *const dyn AnyType = &raw const *entry.erased;
                // SAFETY: boxed and kept as long as `self`.
                Some(unsafe { &*erased })
            })
    }
}

impl<A: Actor> AnyType for TypeShard<A> {
    fn list(&self, into: &mut Vec<ActorInfo>, shard: &Shard, limit: usize) {
        let room = limit.saturating_sub(into.len());
        let (now, within) = (shard.read_clock(), self.supervision.within);
        into.extend(self.cells.iter().take(room).map(|resident| {
            let restarts = resident.extra(|extra| extra.restarts.count(now, within));
            ActorInfo {
                id: resident.id(),
                shard: shard.id(),
                waiting: resident.load(),
                restarts: restarts.unwrap_or(0),
            }
        }));
    }

    fn leaves(&self, into: &mut Vec<Leaf>, shard: u16, now: Time) {
        into.extend(self.cells.iter().filter_map(|resident| {
            let id = resident.id();
            let leaf = |extra: &mut _| Leaf::of(id, shard, true, extra, &self.supervision, now);
            resident.extra(leaf).flatten()
        }));
    }

    fn supervision(&self) -> Supervision {
        self.supervision
    }

    fn home(&self, engine: &Engine, key: &Key, hash: u64) -> u16 {
        engine.home(&self.options, key, hash)
    }

    fn signal(&self, shard: &Shard, runtime: &Runtime, to: &RefCore, signal: Signal) {
        // The one place that decides whether an actor is here.
        match self.lookup(&to.key, to.hash) {
            Some(resident) => runtime.signal_present(shard, self, resident, signal),
            None => {
                if let Some(signal) = runtime.ways(shard, self).pass_on(to, signal) {
                    runtime.signal_absent(shard, Some(&self.supervision), to, signal);
                }
            }
        }
    }

    fn count(&self) -> usize {
        self.cells.len()
    }

    fn breaker(&self, shard: u16) -> Option<BreakerInfo> {
        self.limits.as_ref()?.breaker(A::NAME, shard)
    }

    fn is_quiet(&self) -> bool {
        self.routes.are_quiet() && self.cells.iter().all(|resident| is_quiet(&resident))
    }

    fn busy(&self, into: &mut Vec<String>) {
        into.extend(
            self.cells
                .iter()
                .filter(|cell| !is_quiet(cell))
                .map(|cell| {
                    let (phase, waiting) = (cell.phase(), cell.load());
                    format!("{} is {phase:?}, {waiting} messages wait", cell.id())
                }),
        );
    }

    fn survey(&self, steps: &mut Steps, ages: &mut Ages) -> bool {
        density::survey(self, steps, ages)
    }

    fn shed(&self, shard: &Shard, runtime: &Runtime, steps: &mut Steps, cut: &mut Cut) -> bool {
        density::collect(shard, runtime, self, steps, cut)
    }

    fn leave_slots(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        steps: &mut Steps,
        leaving: &mut Leaving<'_>,
    ) -> bool {
        leave_slots(shard, runtime, self, steps, leaving)
    }

    fn close(&self, shard: &Shard, runtime: &Runtime) -> bool {
        for resident in self.cells.iter() {
            runtime.collect_now(shard, resident);
        }
        self.cells.len() == 0
    }

    fn refuse_all(&self, shard: &Shard, runtime: &Runtime) {
        for resident in self.cells.iter() {
            if resident.phase() == Phase::Active {
                resident.set_phase(Phase::Deactivating);
            }
            runtime.refuse_mail(shard, resident, &Refusal::Stopped);
        }
        self.routes.refuse_held(shard, runtime);
    }

    fn drop_all(&self) {
        for resident in self.cells.iter().filter(|resident| resident.is_empty()) {
            drop_quietly(resident.remove());
        }
    }
}
