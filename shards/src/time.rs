//! The shard's clock, as a value: monotonic nanoseconds, real or simulated.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on the driver's monotonic clock, in nanoseconds since that clock began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The clock's beginning.
    pub const ZERO: Time = Time(0);
    /// Later than anything a clock will show.
    pub const MAX: Time = Time(u64::MAX);

    /// A moment `nanos` after the clock began.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Time(nanos)
    }

    /// Nanoseconds since the clock began.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    /// Saturates at [`Time::MAX`], so an endless timeout is simply never due.
    fn add(self, after: Duration) -> Time {
        Time(
            self.0
                .saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Time> for Time {
    type Output = Duration;

    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}
