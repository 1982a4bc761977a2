//! What a kind of server must do to be a store.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::provider::{
    Append, DueReminder, ETag, Epoch, Event, Expected, Record, RecordKey, Reminder, StoreError,
    WallTime, Write,
};

/// A kind of server, and where it is. Lives on the control thread.
pub trait Backend: Send + Sync + 'static {
    /// A way to the server that works until it breaks.
    type Connection: Connection;

    /// `redis`, `postgres`, and so on.
    fn kind(&self) -> &'static str;

    /// Where the server is, without secrets.
    fn place(&self) -> String;

    /// How much is sent at once.
    fn limits(&self) -> Limits;

    /// How many of the [parts](super::PARTS) one question for what is due may name.
    fn parts_at_once(&self) -> usize;

    /// Connects, within `patience`, and makes the server ready.
    ///
    /// Fails with [`Failure::Said`] where trying again is of no use until somebody does something.
    fn connect(
        &self,
        patience: Duration,
    ) -> impl Future<Output = Result<Self::Connection, Failure>> + Send;
}

/// A way to a server that works until it breaks.
pub trait Connection: Send + Sync + 'static {
    /// Does what `batch` asks, in any order, and answers each in its place.
    ///
    /// No two requests of a batch, or of batches under way at once, are for one key.
    fn run(
        &self,
        batch: &[Arc<Request>],
    ) -> impl Future<Output = Vec<Result<Answer, Failure>>> + Send;

    /// What an operator should know of the server, in words.
    fn notes(&self) -> Vec<String>;
}

/// How much a backend takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a batch.
    pub requests: usize,
    /// Bytes of values in a batch, unless a single request has more.
    pub bytes: usize,
    /// Batches under way.
    pub batches: usize,
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The connection broke, so that it may have been done or not. Asked again on the next.
    Broken(String),
    /// It was not done, and would be a little later. Asked again on the same connection.
    Again(String),
    /// It was not done, for this reason.
    Said(StoreError),
}

/// Names one write, whatever the number of attempts. No two writes of a store have the same.
///
/// A server refuses a write that expects no E-tag in particular if the record was last written
/// by the same client and under a higher number: whoever sent it has given up on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Whose writes they are: of the processes at one store, each has another.
    pub client: u64,
    /// Counts them: of one record's, the later has the higher.
    pub number: u64,
}

impl Token {
    /// As a server keeps it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let both = (u128::from(self.client) << 64) | u128::from(self.number);
        both.to_be_bytes()
    }
}

/// Something to be done by a server.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which write it is, if it is one.
    pub token: Token,
    /// What it is.
    pub op: Op,
}

/// What a [`Provider`](crate::provider::Provider) does, as data.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "they are the parameters of Provider's methods")]
pub enum Op {
    /// [`Provider::load`](crate::provider::Provider::load).
    Load { key: RecordKey, epoch: Epoch },
    /// [`Provider::save`](crate::provider::Provider::save); the value is within the limits.
    Save { key: RecordKey, write: Write },
    /// [`Provider::clear`](crate::provider::Provider::clear).
    Clear {
        key: RecordKey,
        epoch: Epoch,
        expected: Expected,
    },
    /// [`Provider::journal_len`](crate::provider::Provider::journal_len).
    JournalLen { key: RecordKey, epoch: Epoch },
    /// [`Provider::append`](crate::provider::Provider::append); the events are within the limits.
    Append { key: RecordKey, append: Append },
    /// [`Provider::events`](crate::provider::Provider::events).
    Events {
        key: RecordKey,
        from: u64,
        most: usize,
    },
    /// [`Provider::reminder`](crate::provider::Provider::reminder).
    Reminder { key: RecordKey, epoch: Epoch },
    /// [`Provider::set_reminder`](crate::provider::Provider::set_reminder).
    SetReminder {
        key: RecordKey,
        epoch: Epoch,
        expected: Expected,
        reminder: Option<Reminder>,
    },
    /// The reminders of some parts in the order they are due: those after `after` that are due at
    /// `until` or before, `most` at most.
    Due {
        parts: Vec<u16>,
        after: Option<Cursor>,
        until: WallTime,
        most: usize,
    },
    /// Nothing: to see that the server answers.
    Ping,
}

impl Op {
    /// Which record it is about.
    #[must_use]
    pub fn key(&self) -> Option<&RecordKey> {
        match self {
            Op::Load { key, .. }
            | Op::Save { key, .. }
            | Op::Clear { key, .. }
            | Op::JournalLen { key, .. }
            | Op::Append { key, .. }
            | Op::Events { key, .. }
            | Op::Reminder { key, .. }
            | Op::SetReminder { key, .. } => Some(key),
            Op::Due { .. } | Op::Ping => None,
        }
    }

    /// About how many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let names = self.key().map_or(0, RecordKey::text_len);
        let values = match self {
            Op::Save { write, .. } => write.value.len(),
            Op::Append { append, .. } => {
                append.events.iter().map(Bytes::len).sum::<usize>() + 16 * append.events.len()
            }
            _ => 0,
        };
        64 + names + values
    }
}

/// What an [`Op`] ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of a load.
    Record(Option<Record>),
    /// Of a save, and of a reminder that was set.
    Saved(ETag),
    /// Of a clear, of a reminder that was taken back, and of a ping.
    Done,
    /// Of an append, and of a question for a journal's length.
    Len(u64),
    /// Of a journal's read.
    Events(Vec<Event>),
    /// Of a reminder's read.
    Reminder(Option<(ETag, Reminder)>),
    /// Of a question for what is due.
    Due(DuePage),
}

/// A place in the order of what is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the last one seen is due, as the server sorts it.
    pub due: u64,
    /// What the server calls it.
    pub member: Bytes,
}

/// A page of reminders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// Those that are due, in order.
    pub due: Vec<DueReminder>,
    /// When the first is due of those that are due later.
    pub next: Option<WallTime>,
    /// From where to read on, if others are due.
    pub more: Option<Cursor>,
}
