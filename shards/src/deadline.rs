//! Deadlines: moments as calls carry them.

use std::time::Duration;

use crate::time::Time;

/// When a caller gives up, to the millisecond or so.
///
/// Deadlines travel in calls as 32 bits and are compared around the wrap, so they may lie up to
/// 26 days ahead; further ones never come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub(crate) u32);

/// A tick is 2^20 ns, about a millisecond.
pub(crate) const TICK_BITS: u32 = 20;

impl Deadline {
    /// No deadline at all.
    pub const NEVER: Deadline = Deadline(0);

    /// The first tick that is not before `time`.
    #[must_use]
    #[inline]
    pub fn at(time: Time, now: Time) -> Self {
        // Two ticks short of the wrap: rounding up must not cross it.
        if (time - now).as_nanos() >> TICK_BITS >= (1 << 31) - 2 {
            return Self::NEVER;
        }
        Deadline(Self::tick(time).wrapping_add(1).max(1))
    }

    /// The nearer of two.
    #[must_use]
    #[inline]
    pub fn or_sooner(self, other: Deadline) -> Deadline {
        match (self.0, other.0) {
            (0, _) => other,
            (_, 0) => self,
            (a, b) if a.wrapping_sub(b).cast_signed() <= 0 => self,
            _ => other,
        }
    }

    /// Whether it has come.
    #[must_use]
    #[inline]
    pub fn is_past(self, now: Time) -> bool {
        self.0 != 0 && Self::tick(now).wrapping_sub(self.0).cast_signed() >= 0
    }

    /// How long until it comes; `None` if it never does.
    #[must_use]
    pub fn remaining(self, now: Time) -> Option<Duration> {
        let ticks = self.0.wrapping_sub(Self::tick(now)).cast_signed().max(0);
        (self.0 != 0).then(|| Duration::from_nanos(u64::from(ticks.cast_unsigned()) << TICK_BITS))
    }

    #[inline]
    pub(crate) fn tick(time: Time) -> u32 {
        (time.as_nanos() >> TICK_BITS) as u32
    }
}
