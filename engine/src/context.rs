//! What a turn knows of its call and its place: [`Cx`] and the context that calls carry.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use quark_shards::calls::{CallId, Deadline, Waiter};
use quark_shards::chain::{Origin, TurnId};
use quark_shards::current::with_current;
use quark_shards::shard::Shard;
use quark_shards::task::TaskId;
use quark_shards::time::Time;

use crate::activation::{Head, HeadRef};
use crate::actor::{Actor, MethodInfo};
use crate::contract::{Addressed, RefOf};
use crate::key::{ActorId, Key};
use crate::reference::RefCore;
use crate::runtime::with_runtime;
use crate::turn::TurnRef;

/// What whoever begins a chain of calls may hang on it: every call below inherits it.
///
/// Without one, calls carry nothing and cost nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(Arc<ContextData>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ContextData {
    request_id: u64,
    metadata: Vec<(Arc<str>, Arc<str>)>,
    /// Whose turn inherits it, where a test wants to know who sends what.
    sender: Option<ActorId>,
    /// Made for the sender's sake alone.
    is_hidden: bool,
}

impl Context {
    /// A context with the request's id.
    #[must_use]
    pub fn new(request_id: u64) -> Self {
        Context(Arc::new(ContextData {
            request_id,
            ..ContextData::default()
        }))
    }

    /// One with these entries, no two of a name.
    pub(crate) fn of(request_id: u64, metadata: Vec<(Arc<str>, Arc<str>)>) -> Self {
        Context(Arc::new(ContextData {
            request_id,
            metadata,
            ..ContextData::default()
        }))
    }

    /// What it was made of [with](Self::with).
    pub(crate) fn entries(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0.metadata
    }

    /// Whether it was made for a test's sake alone, to know who sends what.
    pub(crate) fn is_hidden(&self) -> bool {
        self.0.is_hidden
    }

    /// What a turn of `sender` inherits, so that its messages tell who sends them.
    pub(crate) fn sent_by(inherited: Option<Context>, sender: ActorId) -> Self {
        let is_hidden = inherited.is_none();
        let mut context = inherited.unwrap_or_default();
        let data = Arc::make_mut(&mut context.0);
        data.sender = Some(sender);
        data.is_hidden |= is_hidden;
        context
    }

    pub(crate) fn sender(&self) -> Option<&ActorId> {
        self.0.sender.as_ref()
    }

    /// The same with `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let data = Arc::make_mut(&mut self.0);
        data.is_hidden = false;
        data.metadata.retain(|(known, _)| &**known != name);
        data.metadata.push((name.into(), value.into()));
        self
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> u64 {
        self.0.request_id
    }

    /// What `name` was set to.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .metadata
            .iter()
            .find(|(known, _)| &**known == name)
            .map(|(_, value)| &**value)
    }
}

/// One turn, as the engine sees it.
pub(crate) struct Turn {
    pub(crate) id: TurnId,
    /// The call it serves, as far as that is known: see [`waiter`](Turn::waiter).
    pub(crate) serves: Cell<Origin>,
    /// The turn on whose stack it makes its first poll.
    pub(crate) caller: Cell<Option<TurnRef>>,
    /// The call that was opened in its caller's name.
    pub(crate) upcall: Cell<Option<CallId>>,
    pub(crate) task: Cell<Option<TaskId>>,
    pub(crate) deadline: Deadline,
    /// How many callers wait above it.
    pub(crate) depth: u8,
    pub(crate) context: Option<Context>,
    pub(crate) info: &'static MethodInfo,
    /// The activation; good for as long as the turn.
    pub(crate) head: HeadRef,
    pub(crate) previous: Cell<Option<TurnRef>>,
    pub(crate) next: Cell<Option<TurnRef>>,
}

impl Turn {
    /// This turn as the one that waits for a call.
    ///
    /// A turn in its first poll on its caller's stack has no call to serve yet: the caller opens
    /// one only if it must wait. If this turn is about to wait itself, the chain needs that call
    /// now, so it is opened in the caller's name.
    pub(crate) fn waiter(&self, shard: &Shard) -> Waiter {
        if let Some(caller) = self.caller.take() {
            let id = shard.calls().open_for(
                self.info.reply,
                shard.id(),
                self.deadline,
                caller.waiter(shard),
            );
            self.upcall.set(Some(id));
            self.serves.set(Origin {
                peer: shard.id(),
                index: id.index,
                generation: id.generation,
            });
        }
        Waiter {
            turn: self.id,
            serves: self.serves.get(),
        }
    }

    /// The turn is over: a call that was opened in its caller's name, who got the answer without
    /// it, is nobody's.
    #[inline]
    pub(crate) fn withdraw_upcall(&self, shard: &Shard) {
        if let Some(id) = self.upcall.take() {
            shard.calls().withdraw(id);
        }
    }

    #[inline]
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }
}

/// A turn's view of its engine: given to methods that ask for `cx: &Cx<Self>`.
pub struct Cx<A> {
    pub(crate) turn: Turn,
    pub(crate) _actor: PhantomData<fn(A)>,
}

impl<A: Actor> Cx<A> {
    /// A reference to another actor.
    #[must_use]
    pub fn actor<B: Addressed + ?Sized>(&self, key: impl Into<Key>) -> RefOf<B> {
        with_runtime(|_, runtime| runtime.engine().actor::<B>(key))
    }

    /// A reference to this actor.
    #[must_use]
    pub fn me(&self) -> A::Ref {
        let core = with_runtime(|shard, runtime| {
            RefCore::of_activation::<A>(runtime, shard.id(), self.turn.head())
        });
        A::Ref::from(core)
    }

    /// This actor's key.
    #[must_use]
    pub fn key(&self) -> Key {
        self.turn.head().key()
    }

    /// This actor's identity.
    #[must_use]
    pub fn id(&self) -> ActorId {
        ActorId {
            actor: A::NAME,
            key: self.key(),
        }
    }

    /// The shard this actor lives on.
    #[must_use]
    pub fn shard(&self) -> u16 {
        with_runtime(|shard, _| shard.id())
    }

    /// What the beginning of this chain of calls has hung on it.
    #[must_use]
    pub fn context(&self) -> Option<&Context> {
        let context = self.turn.context.as_ref();
        context.filter(|context| !context.is_hidden())
    }

    /// The id of the request this turn is part of, if its chain was given one.
    #[must_use]
    pub fn request_id(&self) -> Option<u64> {
        self.context().map(Context::request_id)
    }

    /// How long the caller still waits; `None` if nobody does. Calls made by this turn wait no
    /// longer.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        with_current(|shard| self.turn.deadline.remaining(shard?.now()))
    }

    /// The engine's clock: real, or the simulator's.
    #[must_use]
    pub fn now(&self) -> Time {
        with_runtime(|shard, _| shard.read_clock())
    }

    /// A word of the shard's randomness: seeded, so that simulations replay.
    #[must_use]
    pub fn random(&self) -> u64 {
        with_runtime(|shard, _| shard.random())
    }

    /// Has this actor put to sleep once it has nothing to do, instead of after its idle time.
    ///
    /// Goes before [`keep_active`](Self::keep_active).
    pub fn deactivate(&self) {
        self.turn.head().collect_soon();
    }

    /// Keeps this actor in memory however long nobody calls it, and however many others there
    /// are; or, with `false`, no longer. It may still be moved, restarted and shut down; the next
    /// instance is not kept unless it says so itself. For a whole type there is the option
    /// [`keep`](crate::ActorOptions::keep).
    pub fn keep_active(&self, keep: bool) {
        self.turn.head().keep(keep);
    }
}
