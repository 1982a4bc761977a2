//! What can go wrong with a store; each says what to do.

use super::{ETag, EVENTS_MOST, Epoch};

/// Why a store has not done what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else has written the record. Nothing was written now.
    #[error("{key} has been written by somebody else{}; load it again", tag(*.current))]
    Conflict {
        /// Which record.
        key: String,
        /// Its E-tag now; `None` if it is not there.
        current: Option<ETag>,
    },
    /// Somebody has appended to the journal. Nothing was appended now.
    #[error("the journal {key} has {len} events, not those its writer knows of; read it again")]
    Behind {
        /// Which journal.
        key: String,
        /// How many events it has.
        len: u64,
    },
    /// The key's slot has another owner by now. Nothing was written.
    #[error("{key} belongs to the owner of epoch {current} by now; this activation has to go")]
    Fenced {
        /// Which record.
        key: String,
        /// The highest epoch of the slot.
        current: Epoch,
    },
    /// The value is larger than any store takes.
    #[error("the {what} of {key} have {bytes} bytes, and {most} is the most; split what is kept")]
    TooLarge {
        /// What of it: its names, its value, its events.
        what: &'static str,
        /// Which record.
        key: String,
        /// How many they are.
        bytes: usize,
        /// How many they may be.
        most: usize,
    },
    /// More events than are appended at once.
    #[error(
        "{events} events at once for {key}, and {EVENTS_MOST} is the most; append them in parts"
    )]
    TooMany {
        /// Which journal.
        key: String,
        /// How many there were.
        events: usize,
    },
    /// A write has failed, so nothing more is written: what is on disk stays as it is.
    #[error(
        "the store is read-only since a write failed ({why}); see to the disk and launch again"
    )]
    ReadOnly {
        /// What the system said.
        why: String,
    },
    /// There is no room. Writing goes on by itself once there is.
    #[error("no room on the disk of {place}; make some, and writing goes on")]
    Full {
        /// Where.
        place: String,
    },
    /// What is on disk is not what was written there.
    #[error("{what} is damaged: {why}; what it held is lost unless a copy is elsewhere")]
    Damaged {
        /// Which record or file.
        what: String,
        /// How it was found.
        why: String,
    },
    /// The store's server can't be reached, or does not answer. A write may have happened or not.
    #[error("{place} does not answer: {why}")]
    Unavailable {
        /// Which server, without secrets.
        place: String,
        /// What is known of it.
        why: String,
    },
    /// The store has said no, and would again.
    #[error("{place} refuses: {why}")]
    Refused {
        /// Which server or file.
        place: String,
        /// What it said.
        why: String,
    },
    /// The engine is shutting down.
    #[error("the store is closed: the engine is shutting down")]
    Closed,
}

fn tag(current: Option<ETag>) -> String {
    match current {
        Some(etag) => format!(" (its E-tag is {etag})"),
        None => " (it is not there any more)".to_owned(),
    }
}
