//! A log on each shard, in one directory of this machine.
//!
//! Whatever is written is appended to its shard's log and answered once it is durable; all that
//! comes while a write is under way shares the next one. An index in memory says where each record
//! lies. What is not needed any more is left behind by copying the rest. Snapshots of the index
//! spare the next launch reading all of the log.
//!
//! A write that was acknowledged survives a crash of the process and, on an honest disk, a loss of
//! power. A write that fails is never tried again: the store is read-only from then on. Damage is
//! found by checksums and reported ([`StoreReport::notes`](crate::provider::StoreReport)); a
//! damaged record is an error, unless the damage is such that nothing can be told of it, not even
//! its name: then an older version of it may come back, and the report says where that may be.
//!
//! A launch reports the damage in what it reads, which is what was written since the last snapshot.
//! Damage before that is found when the record is read, and is an error then: it is never served.
//! A snapshot that is damaged, missing or of something else is no loss: the report says so, and all
//! of the log is read.

mod ahead;
mod batch;
mod batch_sizes;
#[cfg(any(test, feature = "fuzzing"))]
mod bench;
mod compact;
mod error;
mod fence;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod log;
mod names;
mod prepare;
mod read;
mod recover;
mod rehome;
mod restore;
mod scan;
mod segments;
mod snapshot;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;

pub use self::batch_sizes::{BatchSize, batch_sizes};
pub use self::error::OpenError;
pub use self::prepare::{Opening, Prepared, open, prepare};
pub use self::store::EmbeddedStore;

/// Where logs are, and how they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedConfig {
    /// Made if it is missing. Holds nothing else.
    pub directory: PathBuf,
    /// How large the files are at most that a log is divided into, in bytes: from 16 KiB to 256 MiB,
    /// in whole blocks of 4096. A launch begins with one of 8 MiB; the next ones are larger as the
    /// log is: an eighth of it.
    pub segment_bytes: u64,
    /// Whether to write past the system's cache, where the file system takes that.
    pub direct: bool,
    /// Whether to fill files with zeros before they are needed: a disk makes what it has written
    /// before durable faster.
    pub zero_ahead: bool,
    /// After how many bytes of a log a snapshot is taken of what is known of its records, so that
    /// a launch reads only what came after. A log of many records waits longer: until it has four
    /// times the snapshot's bytes. One is taken when a log is closed, too. `None`: there are none,
    /// and a launch reads all of its logs.
    pub snapshot_bytes: Option<u64>,
}

impl EmbeddedConfig {
    /// The usual, in `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        EmbeddedConfig {
            directory: directory.into(),
            segment_bytes: 64 << 20,
            direct: true,
            zero_ahead: true,
            snapshot_bytes: Some(256 << 20),
        }
    }
}
