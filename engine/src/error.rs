//! What can become of a call.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use quark_storage::provider::StoreError;

use crate::actor::ActivateError;
use crate::options::Near;
use crate::state::StateError;

/// Why a call has no answer, or what its method answered instead of one.
///
/// `E` is the method's own error; [`Infallible`] for methods that have none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E = Infallible> {
    /// The method's own error.
    #[error("{0}")]
    Failed(E),
    /// No answer came before the deadline. Whether the turn ran, runs or will run is unknown.
    #[error("no answer before the deadline: the outcome is unknown")]
    Timeout,
    /// Refused before it was sent: too many calls to that shard are in flight.
    #[error("too many calls are in flight to that shard: slow down or retry later")]
    Overloaded,
    /// The actor's mailbox was full; the method did not run.
    #[error("the actor's mailbox is full: slow down, or let its type wait (when_full = \"wait\")")]
    MailboxFull,
    /// The actor's mailbox was full, and its type drops messages then; the method did not run.
    #[error("dropped from the actor's full mailbox: slow down, or let its type refuse or wait")]
    Dropped,
    /// The type was called more often than its rate limit allows; the method did not run.
    #[error("called more often than its type's rate limit allows: retry in {0}")]
    RateLimited(Box<RetryAfter>),
    /// Too many calls of the type have failed, so its circuit breaker refuses all for a while;
    /// the method did not run.
    #[error(
        "too many calls of this type have failed: its circuit breaker refuses them, retry in {0}"
    )]
    CircuitOpen(Box<RetryAfter>),
    /// The call came back to an actor that its own chain holds.
    #[error(
        "the call came back to an actor that its own chain holds: break the cycle, or make the methods &self"
    )]
    CallCycle,
    /// The method panicked; the actor's supervisor decides what becomes of it.
    #[error(
        "the method panicked; its actor restarts with fresh state, unless its supervisor says otherwise"
    )]
    Panicked,
    /// The actor was restarted, or stopped, while the turn was suspended.
    #[error("the actor restarted or stopped while the call was under way: the outcome is unknown")]
    Restarted,
    /// The actor's life ended while the call waited for it; the method did not run.
    #[error(
        "the actor was stopped before the method ran, by itself or by its supervisor: call again, which begins a new life"
    )]
    ActorStopped,
    /// The actor could not be activated; the method did not run.
    #[error("the actor could not be activated: {0}")]
    Activation(Box<ActivateError>),
    /// What the actor keeps could not be loaded; the method did not run.
    #[error("the actor's state could not be loaded: {0}")]
    State(Box<StateError>),
    /// The method ran, but what it changed could not be saved (`#[state(save = "each_turn")]`). Its
    /// actor has forgotten it, and begins anew with what is kept. Where the store did not answer,
    /// that may have what was changed or not.
    #[error("what the method changed could not be saved, and its actor begins anew: {0}")]
    NotSaved(Box<StateError>),
    /// The engine is stopping or has stopped.
    #[error("the engine has stopped or is stopping")]
    Stopped,
    /// The type can't be made: it is not `Default` and has no factory, or its name is taken.
    #[error("{0}")]
    Unregistered(Box<RegisterError>),
    /// A blocking wait on a shard, which would stop every actor there.
    #[error("a shard must not block: await the call instead of .wait()")]
    WouldBlock,
    /// A call that was begun on one shard was awaited elsewhere.
    #[error("a call must be awaited where it was first polled")]
    Elsewhere,
    /// The connection to the actor's process broke before its answer had come. Whether the turn
    /// ran, runs or will run is unknown.
    #[error("the connection broke before the answer had come: the outcome is unknown")]
    Disconnected,
    /// The actor's process could not be reached; the method did not run.
    #[error("the actor's process could not be reached: {0}")]
    Unreachable(Box<String>),
    /// This node of a cluster, or the one that had the actor last, is cut off from the majority of
    /// its members, and may have been replaced; the method did not run.
    #[error(
        "the actor's node is cut off from the majority of its cluster, and may have been replaced: \
         retry later, or by another node"
    )]
    CutOff,
    /// The message can't travel to the actor's process; the method did not run.
    #[error("the message can't travel: {0}")]
    NotRemote(Box<NotRemote>),
    /// The method ran in another process, but its answer can't be sent or read.
    #[error("the method ran, but its answer can't be sent or read: {0}")]
    Unreadable(Box<String>),
}

/// Why a message can't travel to another process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRemote {
    /// It is made of what can't leave the process.
    #[error("{actor}::{method}: mark the types of its arguments and of its reply with #[message]")]
    StaysHome {
        /// The actor type.
        actor: &'static str,
        /// Its method.
        method: &'static str,
    },
    /// The other process does not have the type, or does not let others call it.
    #[error("the other process does not offer {actor}: register it with its builder")]
    NoSuchActor {
        /// The actor type.
        actor: &'static str,
    },
    /// The other process does not have the method.
    #[error("the other process does not have the method")]
    NoSuchMethod,
    /// The two processes are of different versions, which do not understand each other here.
    #[error("{0}")]
    Versions(String),
    /// The other process says so.
    #[error("{0}")]
    There(String),
}

// Every reply has room for an error, and replies travel by value. What its variants carry are
// boxes and nothing else: with a plain word among them a reply is no longer two registers but a
// place in memory, written in halves and read as a whole (measured: 20 ns a local call, not 14).
const _: () = assert!(size_of::<CallError>() == 16);

impl<E> CallError<E> {
    /// The same error with the method's own error changed.
    pub fn map<F>(self, change: impl FnOnce(E) -> F) -> CallError<F> {
        match self {
            CallError::Failed(error) => CallError::Failed(change(error)),
            CallError::Timeout => CallError::Timeout,
            CallError::Overloaded => CallError::Overloaded,
            CallError::MailboxFull => CallError::MailboxFull,
            CallError::Dropped => CallError::Dropped,
            CallError::RateLimited(after) => CallError::RateLimited(after),
            CallError::CircuitOpen(after) => CallError::CircuitOpen(after),
            CallError::CallCycle => CallError::CallCycle,
            CallError::Panicked => CallError::Panicked,
            CallError::Restarted => CallError::Restarted,
            CallError::ActorStopped => CallError::ActorStopped,
            CallError::Activation(error) => CallError::Activation(error),
            CallError::State(error) => CallError::State(error),
            CallError::NotSaved(error) => CallError::NotSaved(error),
            CallError::Stopped => CallError::Stopped,
            CallError::Unregistered(error) => CallError::Unregistered(error),
            CallError::WouldBlock => CallError::WouldBlock,
            CallError::Elsewhere => CallError::Elsewhere,
            CallError::Disconnected => CallError::Disconnected,
            CallError::CutOff => CallError::CutOff,
            CallError::Unreachable(why) => CallError::Unreachable(why),
            CallError::NotRemote(why) => CallError::NotRemote(why),
            CallError::Unreadable(why) => CallError::Unreadable(why),
        }
    }

    /// Whether the method certainly did not run, so that the call may be tried again.
    #[must_use]
    pub const fn never_ran(&self) -> bool {
        matches!(
            self,
            CallError::Overloaded
                | CallError::MailboxFull
                | CallError::Dropped
                | CallError::RateLimited(_)
                | CallError::CircuitOpen(_)
                | CallError::CallCycle
                | CallError::ActorStopped
                | CallError::Activation(_)
                | CallError::State(_)
                | CallError::Unregistered(_)
                | CallError::WouldBlock
                | CallError::Unreachable(_)
                | CallError::CutOff
                | CallError::NotRemote(_)
        )
    }

    /// How long to wait before a retry makes sense, where the engine knows.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            CallError::RateLimited(after) | CallError::CircuitOpen(after) => Some(after.duration()),
            _ => None,
        }
    }
}

/// How long to wait before trying again: what [`CallError::RateLimited`] and
/// [`CallError::CircuitOpen`] say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RetryAfter(Duration);

impl RetryAfter {
    pub(crate) fn new(duration: Duration) -> Self {
        RetryAfter(duration)
    }

    /// The same as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.duration())
    }
}

/// Why a message was not taken, on its way to an actor or at its door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Timeout,
    Overloaded,
    MailboxFull,
    Dropped,
    RateLimited(RetryAfter),
    CircuitOpen(RetryAfter),
    CallCycle,
    Panicked,
    Restarted,
    ActorStopped,
    Activation(ActivateError),
    State(Box<StateError>),
    Stopped,
    Unregistered(RegisterError),
    Unreachable(String),
    CutOff,
    NotRemote(NotRemote),
    /// Its actor is not here, or not only: the message is to be dispatched. Nobody is told this.
    Elsewhere,
}

impl<E> From<Refusal> for CallError<E> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Timeout => CallError::Timeout,
            Refusal::Overloaded => CallError::Overloaded,
            Refusal::MailboxFull => CallError::MailboxFull,
            Refusal::Dropped => CallError::Dropped,
            Refusal::RateLimited(after) => CallError::RateLimited(Box::new(after)),
            Refusal::CircuitOpen(after) => CallError::CircuitOpen(Box::new(after)),
            Refusal::CallCycle => CallError::CallCycle,
            Refusal::Panicked => CallError::Panicked,
            Refusal::Restarted => CallError::Restarted,
            Refusal::ActorStopped => CallError::ActorStopped,
            Refusal::Activation(error) => CallError::Activation(Box::new(error)),
            Refusal::State(error) => CallError::State(error),
            Refusal::Stopped => CallError::Stopped,
            Refusal::Unregistered(error) => CallError::Unregistered(Box::new(error)),
            Refusal::Unreachable(why) => CallError::Unreachable(Box::new(why)),
            Refusal::CutOff => CallError::CutOff,
            Refusal::NotRemote(why) => CallError::NotRemote(Box::new(why)),
            Refusal::Elsewhere => CallError::Elsewhere,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CallError::<Infallible>::from(self.clone()).fmt(f)
    }
}

/// A one-way message that was refused, with the message.
#[derive(Clone, PartialEq, Eq)]
pub struct TellError<M> {
    /// The message; [`Call::new`](crate::Call::new) makes a call of it again.
    pub message: M,
    /// Why.
    pub reason: CallError,
}

impl<M> fmt::Display for TellError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the message was not sent: {}", self.reason)
    }
}

// Arguments need not be `Debug`, so the message is named by its type.
impl<M> fmt::Debug for TellError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TellError")
            .field("message", &std::any::type_name::<M>())
            .field("reason", &self.reason)
            .finish()
    }
}

impl<M> std::error::Error for TellError<M> {}

/// Why a type can't be used in an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Two types with one name.
    #[error("two actor types are named {name:?}: rename one with #[actor(name = \"…\")]")]
    NameTaken {
        /// The name.
        name: &'static str,
    },
    /// Registered twice.
    #[error("the actor type {name:?} is registered twice")]
    Twice {
        /// The name.
        name: &'static str,
    },
    /// Nobody can make one.
    #[error(
        "the actor type {name:?} is not Default: register a factory before launch, builder.register::<…>(|cx| …)"
    )]
    NoFactory {
        /// The name.
        name: &'static str,
    },
    /// A contract that no type here implements.
    #[error(
        "no type that implements the contract {name:?} is registered: register it before launch, builder.configure::<…>(ActorOptions::new()) or builder.register::<…>(|cx| …)"
    )]
    NotImplemented {
        /// The contract's name.
        name: &'static str,
    },
    /// A contract that two types implement.
    #[error(
        "two registered types implement the contract {name:?}: an engine has one, register it alone"
    )]
    ImplementedTwice {
        /// The contract's name.
        name: &'static str,
    },
    /// What a contract does not speak of.
    #[error(
        "the contract {name:?} stands for its messages alone: ask this of the type that implements it"
    )]
    ByContract {
        /// The contract's name.
        name: &'static str,
    },
    /// Workers, who have no identity that anything could be kept for.
    #[error(
        "the actor type {name:?} has workers, which can't keep states: remove its #[state] fields, or place it otherwise"
    )]
    WorkersKeepStates {
        /// The name.
        name: &'static str,
    },
    /// Pinned to a shard that is not there.
    #[error(
        "the actor type {name:?} is pinned to shard {shard}, but the engine has {shards} (numbered from 0)"
    )]
    NoSuchShard {
        /// The name.
        name: &'static str,
        /// The shard it is pinned to.
        shard: u16,
        /// How many there are.
        shards: u16,
    },
    /// A store of a simulated engine can't be opened.
    #[error("the store {store:?}: {source}")]
    Store {
        /// What it is called.
        store: String,
        /// Why.
        source: Box<StoreError>,
    },
    /// Another process can't use the type; it says why.
    #[error("{0}")]
    There(String),
    /// The machine that a simulation stands for can't be.
    #[error("the simulated machine: {0}")]
    Topology(String),
    /// To live near a place that the machine has not.
    #[error("the actor type {name:?} is to live near {place}, but the machine has {has}")]
    NoSuchPlace {
        /// The name.
        name: &'static str,
        /// The place.
        place: Near,
        /// What there is.
        has: String,
    },
}
