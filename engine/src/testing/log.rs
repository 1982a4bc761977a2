//! The log of the messages that actors got in a simulation.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use quark_shards::chain::{TurnId, chain_has};
use quark_shards::shard::Shard;
use quark_shards::time::Time;

use crate::actor::Method;
use crate::error::Refusal;
use crate::key::ActorId;
use crate::message::Incoming;

/// All messages of one simulation.
#[derive(Default)]
pub(crate) struct Log {
    pub(super) entries: RefCell<Vec<Entry>>,
    turns: RefCell<BTreeMap<TurnId, ActorId>>,
}

/// Names an entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryId(usize);

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) seen: SeenMessage,
    /// The message itself, if it can be copied.
    pub(super) message: Option<Rc<dyn Any>>,
    pub(super) turn: TurnId,
}

/// A message that an actor got, or was refused at its door.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenMessage {
    /// Who got it.
    pub to: ActorId,
    /// Who sent it; `None` if that was no actor.
    pub from: Option<ActorId>,
    /// The method's name.
    pub method: &'static str,
    /// Its arguments in words, as far as they are `Debug`.
    pub arguments: String,
    /// Whether its sender waits for an answer.
    pub asked: bool,
    /// When its turn began, or it was refused.
    pub began: Time,
    /// When its turn ended.
    pub ended: Option<Time>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Its turn is under way.
    Running,
    /// Its method has returned.
    Replied,
    /// Its method has returned an error.
    Failed,
    /// It shares the answer of an identical call, whose turn was under way.
    Joined,
    /// Its turn has panicked.
    Panicked,
    /// Its turn was ended because its actor restarted.
    Restarted,
    /// Its turn was lost at a [fault point](crate::fault_point).
    Lost,
    /// It got no turn, or was cut off by a shutdown; why.
    Refused(String),
}

impl Outcome {
    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Panicked => Outcome::Panicked,
            Refusal::Restarted => Outcome::Restarted,
            other => Outcome::Refused(other.to_string()),
        }
    }
}

impl Entry {
    /// A message that gets a turn now, or none.
    pub(super) fn new<M: Method>(
        shard: &Shard,
        log: &Log,
        to: ActorId,
        incoming: &Incoming<M>,
    ) -> Self {
        let seen = SeenMessage {
            to,
            from: log.sender(shard, incoming),
            method: M::NAME,
            arguments: incoming.args.show(),
            asked: incoming.reply.is_ask(),
            began: shard.now(),
            ended: None,
            outcome: Outcome::Running,
        };
        Entry {
            seen,
            message: incoming
                .args
                .copy()
                .map(|message| Rc::new(message) as Rc<_>),
            turn: 0,
        }
    }
}

impl Log {
    /// Who has sent a message that has just arrived: whose turn waits for the call, or what a
    /// one-way message says itself.
    fn sender<M: Method>(&self, shard: &Shard, incoming: &Incoming<M>) -> Option<ActorId> {
        let origin = incoming.reply.origin();
        if !origin.is_somebody() {
            let context = incoming.context.as_ref();
            return context.and_then(|context| context.sender().cloned());
        }
        let waits = Cell::new(0);
        let mesh = shard.mesh();
        chain_has(
            |peer| mesh.handle(peer).map(|handle| &*handle.chain),
            origin,
            |turn| {
                waits.set(turn);
                true
            },
        );
        self.turns.borrow().get(&waits.get()).cloned()
    }

    pub(super) fn begin(&self, entry: Entry) -> EntryId {
        if entry.turn != 0 {
            let mut turns = self.turns.borrow_mut();
            turns.insert(entry.turn, entry.seen.to.clone());
        }
        let mut entries = self.entries.borrow_mut();
        entries.push(entry);
        EntryId(entries.len() - 1)
    }

    pub(super) fn end(&self, entry: EntryId, outcome: Outcome, now: Time) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(entry.0) {
            entry.seen.outcome = outcome;
            entry.seen.ended = Some(now);
            self.turns.borrow_mut().remove(&entry.turn);
        }
    }
}

impl fmt::Display for SeenMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.began.since(Time::ZERO);
        match &self.from {
            Some(from) => write!(f, "{at:>12.3?}  {from}")?,
            None => write!(f, "{at:>12.3?}  (outside)")?,
        }
        let way = if self.asked { "asks" } else { "tells" };
        write!(
            f,
            " {way} {}: {}({}) ",
            self.to, self.method, self.arguments
        )?;
        match &self.outcome {
            Outcome::Running => f.write_str("runs"),
            Outcome::Replied => f.write_str("replied"),
            Outcome::Failed => f.write_str("returned an error"),
            Outcome::Joined => f.write_str("joined another's turn"),
            Outcome::Panicked => f.write_str("panicked"),
            Outcome::Restarted => f.write_str("was cut off by a restart"),
            Outcome::Lost => f.write_str("was lost"),
            Outcome::Refused(why) => write!(f, "was refused: {why}"),
        }
    }
}
