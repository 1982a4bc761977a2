//! What every store can do for a shard.

mod error;
mod key;
mod limits;
mod reminder;
mod version;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

pub use self::error::StoreError;
pub use self::key::RecordKey;
pub use self::limits::{EVENTS_MOST, KEY_BYTES_MOST, VALUE_BYTES_MOST, check_events, check_value};
pub use self::reminder::{CatchUp, Due, DueReminder, Reminder, WallTime};
pub use self::version::{ETag, Epoch, Expected};

/// What a store answers, later. Owns all it needs, so it may outlive the provider's borrow.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>>>>;

/// One shard's access to a store. Never leaves its shard.
///
/// **Writes** return when they are durable, as far as the store is. A write carries what its writer
/// believes the record's E-tag to be, and the epoch under which it owns the key; both are checked
/// in one step with the write, so of two writers with the same belief exactly one succeeds.
///
/// **Fences.** A store keeps the highest epoch it has seen of each slot
/// ([`RecordKey::slot`]): durably, before it answers the first operation under that epoch. An
/// operation under a lower one is [`StoreError::Fenced`] and changes nothing.
///
/// **Dropped futures.** A write whose future is dropped may happen or not, never by halves.
///
/// Whoever writes a provider can run [`conformance`](crate::conformance) on it.
pub trait Provider {
    /// The newest value of a state; `None` if it was never saved, or was cleared.
    fn load(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<Record>>;

    /// Saves a state, and gives its new E-tag: one that no state of this store had before.
    ///
    /// Its future ends with [`StoreError::Conflict`] if the E-tag is another than
    /// `write.expected`, and with [`StoreError::TooLarge`] for a value of more than
    /// [`VALUE_BYTES_MOST`].
    fn save(&self, key: &RecordKey, write: Write) -> Pending<ETag>;

    /// Removes a state. Clearing what is not there succeeds if that was expected.
    fn clear(&self, key: &RecordKey, epoch: Epoch, expected: Expected) -> Pending<()>;

    /// How many events a journal has: they are numbered from 1.
    fn journal_len(&self, key: &RecordKey, epoch: Epoch) -> Pending<u64>;

    /// Appends events, all or none, and gives the journal's new length.
    ///
    /// Its future ends with [`StoreError::Behind`] if the journal's length is another than
    /// `append.after`.
    fn append(&self, key: &RecordKey, append: Append) -> Pending<u64>;

    /// The events from number `from` on, `most` at most; fewer where they would be more than a few
    /// megabytes, but at least one if there is one.
    fn events(&self, key: &RecordKey, from: u64, most: usize) -> Pending<Vec<Event>>;

    /// The reminder called [`RecordKey::name`], with its E-tag.
    fn reminder(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<(ETag, Reminder)>>;

    /// Sets a reminder, or with `None` takes it back; as [`save`](Self::save) and
    /// [`clear`](Self::clear).
    fn set_reminder(
        &self,
        key: &RecordKey,
        epoch: Epoch,
        expected: Expected,
        reminder: Option<Reminder>,
    ) -> Pending<Option<ETag>>;

    /// The reminders of this shard's keys that are due at `until` or before, the earliest first,
    /// `most` at most; and when the first that is not among them is due.
    fn due(&self, until: WallTime, most: usize) -> Pending<Due>;

    /// Ends what is under way and lets go of the store; called once, last.
    fn close(&self) -> Pending<()> {
        Box::pin(async { Ok(()) })
    }

    /// What the store is and how it does.
    fn report(&self) -> StoreReport;
}

/// A state as it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Names this very save.
    pub etag: ETag,
    /// What was saved.
    pub value: Bytes,
}

/// What [`Provider::save`] writes, and on which condition.
#[derive(Clone, Debug)]
pub struct Write {
    /// Under which the writer owns the key.
    pub epoch: Epoch,
    /// What the writer knows of the record.
    pub expected: Expected,
    /// The new value.
    pub value: Bytes,
}

/// What [`Provider::append`] writes, and on which condition.
#[derive(Clone, Debug)]
pub struct Append {
    /// Under which the writer owns the key.
    pub epoch: Epoch,
    /// The number of the last event that the writer knows of; 0 if there is none.
    pub after: u64,
    /// The next events, [`EVENTS_MOST`] at most, of [`VALUE_BYTES_MOST`] together.
    pub events: Vec<Bytes>,
}

/// One event of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1 on.
    pub number: u64,
    /// What was appended.
    pub value: Bytes,
}

/// What a store is and how it does, for the launch report and for operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// `memory`, `directory`, `redis`, `postgres`, or the provider's own.
    pub kind: &'static str,
    /// Where the data is, without secrets.
    pub place: String,
    /// Whether writes go past the page cache; `None` where that is no question.
    pub is_direct: Option<bool>,
    /// Records that can be read.
    pub records: u64,
    /// What was found damaged, and what else an operator should know, in words.
    pub notes: Vec<String>,
}

impl fmt::Display for StoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.place.is_empty() {
            write!(f, " at {}", self.place)?;
        }
        match self.is_direct {
            Some(true) => write!(f, ", past the page cache")?,
            Some(false) => write!(f, ", through the page cache")?,
            None => {}
        }
        write!(f, ", {} records", self.records)?;
        for note in &self.notes {
            write!(f, "; {note}")?;
        }
        Ok(())
    }
}
