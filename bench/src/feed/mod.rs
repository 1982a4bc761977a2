//! Order feeds: what an event is, and where feeds come from. A feed is read whole into memory
//! before anything is measured.

pub mod error;
pub mod event;
pub mod lines;
pub mod lobster;
pub mod source;
pub mod synthetic;

pub use error::FeedError;
pub use event::{Event, Kind, Side, Stamp};
pub use source::Source;

/// The most events a feed may hold (4 GB in memory), so that no input can exhaust the machine.
pub const MAX_EVENTS: u64 = 100_000_000;

/// A feed in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Where it came from, for people.
    pub name: String,
    /// The events, in feed order.
    pub events: Vec<Event>,
    /// Their times, in the same order.
    pub stamps: Vec<Stamp>,
    /// Malformed lines left out (`--lenient`).
    pub skipped: u64,
}
