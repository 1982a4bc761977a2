//! Dead letters: one-way messages that could not be delivered. Each is counted by its reason; the
//! last of them are kept, with their messages, so that they can be looked at and sent again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use quark_shards::shard::Shard;
use quark_shards::time::Time;

use crate::actor::Method;
use crate::call::Call;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::{CallError, Refusal};
use crate::key::{ActorId, Key};
use crate::lifecycle::drop_quietly;
use crate::reference::RefCore;
use crate::runtime::Runtime;

/// A one-way message that nobody got, as [`Engine::dead_letters`] tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Whom it was for.
    pub actor: ActorId,
    /// The method it would have called.
    pub method: &'static str,
    /// Why it was not delivered.
    pub reason: DeadReason,
    /// The same with its particulars, as somebody who waits for an answer would have heard it.
    pub error: CallError,
    /// The shard that keeps it.
    pub shard: u16,
    /// When it died, on that shard's clock.
    pub at: Time,
}

/// Why a one-way message became a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeadReason {
    /// Its actor's mailbox was full.
    MailboxFull,
    /// Its actor's mailbox was full, and its type drops messages then.
    Dropped,
    /// Its type was called more often than its rate limit allows.
    RateLimited,
    /// Its type's circuit breaker was open.
    CircuitOpen,
    /// Too much was on its way to its actor's shard.
    Overloaded,
    /// Its actor could not be activated.
    Activation,
    /// The engine was stopping.
    Stopped,
    /// Its type can't be used in this engine.
    Unregistered,
    /// Anything else; the letter's [`error`](DeadLetter::error) says what.
    Other,
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeadReason::MailboxFull => "mailbox full",
            DeadReason::Dropped => "dropped from a full mailbox",
            DeadReason::RateLimited => "rate limited",
            DeadReason::CircuitOpen => "circuit open",
            DeadReason::Overloaded => "overloaded",
            DeadReason::Activation => "activation failed",
            DeadReason::Stopped => "stopped",
            DeadReason::Unregistered => "unregistered",
            DeadReason::Other => "other",
        })
    }
}

impl From<&CallError> for DeadReason {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::MailboxFull => DeadReason::MailboxFull,
            CallError::Dropped => DeadReason::Dropped,
            CallError::RateLimited(_) => DeadReason::RateLimited,
            CallError::CircuitOpen(_) => DeadReason::CircuitOpen,
            CallError::Overloaded => DeadReason::Overloaded,
            CallError::Activation(_) | CallError::State(_) => DeadReason::Activation,
            CallError::Stopped => DeadReason::Stopped,
            CallError::Unregistered(_) => DeadReason::Unregistered,
            _ => DeadReason::Other,
        }
    }
}

/// The dead letters of an engine: how many there were, and the last of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetters {
    /// All there ever were.
    pub total: u64,
    /// The same, told apart by reason.
    pub by_reason: BTreeMap<DeadReason, u64>,
    /// Those that are kept, of each shard as many as
    /// [`EngineBuilder::dead_letters`](crate::EngineBuilder::dead_letters) says: shard by shard,
    /// the oldest first.
    pub kept: Vec<DeadLetter>,
}

impl DeadLetters {
    /// How many there were for this reason.
    #[must_use]
    pub fn count(&self, reason: DeadReason) -> u64 {
        self.by_reason.get(&reason).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, other: DeadLetters) {
        self.total += other.total;
        for (reason, count) in other.by_reason {
            *self.by_reason.entry(reason).or_default() += count;
        }
        self.kept.extend(other.kept);
    }
}

/// One shard's dead letters.
pub(crate) struct Graveyard {
    most: usize,
    total: u64,
    by_reason: BTreeMap<DeadReason, u64>,
    graves: VecDeque<Grave>,
    next: u64,
}

struct Grave {
    number: u64,
    letter: DeadLetter,
    remains: Remains,
}

impl Graveyard {
    /// One that keeps `most` letters.
    pub(crate) fn new(most: usize) -> Self {
        Graveyard {
            most,
            total: 0,
            by_reason: BTreeMap::new(),
            graves: VecDeque::new(),
            next: 0,
        }
    }

    fn count(&mut self, reason: DeadReason) {
        self.total += 1;
        *self.by_reason.entry(reason).or_default() += 1;
    }

    /// Keeps a letter. Returns what made room for it: users' values, not to be dropped in here.
    #[must_use]
    fn keep(&mut self, letter: DeadLetter, remains: Remains) -> Option<Remains> {
        let oldest = if self.graves.len() >= self.most {
            self.graves.pop_front()
        } else {
            None
        };
        self.graves.push_back(Grave {
            number: self.next,
            letter,
            remains,
        });
        self.next += 1;
        oldest.map(|grave| grave.remains)
    }
}

/// What is left of a message: itself, and the context it was sent with. Its type is known to
/// those who made it.
struct Remains(Option<Box<dyn Revive>>);

impl Drop for Remains {
    fn drop(&mut self) {
        drop_quietly(self.0.take());
    }
}

trait Revive {
    /// Tells the message to `key` once more.
    fn revive(self: Box<Self>, engine: &Engine, key: Key);
}

struct Told<M>(M, Option<Context>);

impl<M: Method> Revive for Told<M> {
    fn revive(self: Box<Self>, engine: &Engine, key: Key) {
        let core: RefCore = engine.core_of::<M::Actor>(key);
        let Told(message, context) = *self;
        let mut call = Call::new(&core, message);
        if let Some(context) = context {
            call = call.context(context);
        }
        crate::runtime::bury_refused(call);
    }
}

impl Runtime {
    /// A one-way message could not be delivered.
    #[cold]
    pub(crate) fn bury<M: Method>(
        &self,
        shard: &Shard,
        actor: ActorId,
        message: M,
        context: Option<Context>,
        refusal: Refusal,
    ) {
        let error = CallError::from(refusal);
        let reason = DeadReason::from(&error);
        // Before anything is borrowed: who listens to traces may come back here.
        tracing::debug!(%actor, method = M::NAME, %reason, "dead letter");
        self.dead_letters.borrow_mut().count(reason);
        if self.dead_letters.borrow().most == 0 {
            return drop_quietly(message);
        }
        let letter = DeadLetter {
            actor,
            method: M::NAME,
            reason,
            error,
            shard: shard.id(),
            at: shard.now(),
        };
        let remains = Remains(Some(Box::new(Told(message, context))));
        let oldest = self.dead_letters.borrow_mut().keep(letter, remains);
        drop(oldest);
    }

    /// What this shard tells of its dead letters.
    pub(crate) fn list_dead_letters(&self) -> DeadLetters {
        let letters = self.dead_letters.borrow();
        DeadLetters {
            total: letters.total,
            by_reason: letters.by_reason.clone(),
            kept: letters
                .graves
                .iter()
                .map(|grave| grave.letter.clone())
                .collect(),
        }
    }

    /// Sends those again that `chosen` says, in the order in which they died. Returns how many.
    pub(crate) fn replay_dead_letters(&self, chosen: &dyn Fn(&DeadLetter) -> bool) -> usize {
        let known: Vec<_> = {
            let letters = self.dead_letters.borrow();
            let known = letters.graves.iter();
            known
                .map(|grave| (grave.number, grave.letter.clone()))
                .collect()
        };
        // User code: nothing is borrowed meanwhile, and its panic must not end the shard.
        let mut numbers = Vec::new();
        let judged = catch_unwind(AssertUnwindSafe(|| {
            let chosen = known.iter().filter(|(_, letter)| chosen(letter));
            numbers.extend(chosen.map(|(number, _)| *number));
        }));
        if let Err(panic) = judged {
            tracing::error!("the filter of a replay panicked: the letters after that one stay");
            std::mem::forget(panic);
        }
        for number in &numbers {
            let Some(grave) = self.dig_up(*number) else {
                continue;
            };
            let Grave {
                letter,
                mut remains,
                ..
            } = grave;
            if let Some(message) = remains.0.take() {
                message.revive(self.engine(), letter.actor.key);
            }
        }
        numbers.len()
    }

    fn dig_up(&self, number: u64) -> Option<Grave> {
        let mut letters = self.dead_letters.borrow_mut();
        let place = letters
            .graves
            .binary_search_by_key(&number, |grave| grave.number);
        letters.graves.remove(place.ok()?)
    }

    /// Lets go of those that are kept; the counts stay. Returns how many.
    pub(crate) fn clear_dead_letters(&self) -> usize {
        let graves = std::mem::take(&mut self.dead_letters.borrow_mut().graves);
        graves.len()
    }
}
