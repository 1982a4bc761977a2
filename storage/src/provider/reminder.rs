//! Reminders, as a store keeps them.

use std::fmt;
use std::time::Duration;

use super::{ETag, RecordKey};

/// A time of the calendar: milliseconds since 1970 began, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

impl WallTime {
    /// The time `since_1970`, in whole milliseconds.
    #[must_use]
    pub fn new(since_1970: Duration) -> Self {
        WallTime(millis(since_1970))
    }

    /// `delay` later; the end of time if that is later still.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        WallTime(self.0.saturating_add(millis(delay)))
    }

    /// How long after `earlier` this is; nothing if it is not.
    #[must_use]
    pub fn since(self, earlier: WallTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms since 1970", self.0)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// When an actor wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// When next.
    pub due: WallTime,
    /// How long after that again, in milliseconds; `None`: once.
    pub period_ms: Option<u64>,
    /// What becomes of the times that were missed.
    pub catch_up: CatchUp,
}

/// What becomes of a reminder's times that passed while nobody could be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// One call for all of them.
    #[default]
    Once,
    /// A call for each.
    Each,
    /// None: the next call is at the next time to come. A reminder without a period is then gone.
    Skip,
}

/// A reminder that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueReminder {
    /// Whose it is, and what it is called.
    pub key: RecordKey,
    /// Names this version of it.
    pub etag: ETag,
    /// What was asked for.
    pub reminder: Reminder,
}

/// A page of due reminders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The earliest first.
    pub reminders: Vec<DueReminder>,
    /// When the first that is not on the page is due; `None` if there is no other.
    pub next: Option<WallTime>,
}
