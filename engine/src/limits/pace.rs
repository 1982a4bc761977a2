//! How long messages of a type occupy their actors, and how many may wait by that.

use std::cell::Cell;
use std::time::Duration;

/// A mean in which the latest counts most.
pub(super) struct Pace {
    /// How much work may wait, in [`UNIT`]s as is the mean.
    work: u64,
    mean: Cell<u64>,
    most: usize,
}

/// Parts of a nanosecond: a mean of few nanoseconds would else stand still.
const UNIT: u64 = 64;
/// The part of the way to it that a new measurement moves the mean.
const WEIGHT: u64 = 8;
/// Messages that may wait however slow the actor is …
const LEAST: usize = 4;
/// … and while nothing is known of it.
const FIRST: u64 = 16;

impl Pace {
    pub(super) fn new(work: Duration, most: usize) -> Self {
        let work = units(work).max(1);
        Pace {
            work,
            mean: Cell::new(work / FIRST),
            most,
        }
    }

    pub(super) fn took(&self, time: Duration) {
        let mean = self.mean.get();
        self.mean.set(mean - mean / WEIGHT + units(time) / WEIGHT);
    }

    pub(super) fn bound(&self) -> usize {
        let bound = self.work / self.mean.get().max(1);
        let bound = usize::try_from(bound).unwrap_or(usize::MAX);
        bound.clamp(LEAST.min(self.most), self.most)
    }
}

/// Far below what would overflow: a turn of years counts like one of a year.
fn units(time: Duration) -> u64 {
    const YEAR: u64 = 366 * 24 * 3_600 * 1_000_000_000;
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(YEAR);
    nanos.min(YEAR) * UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: Duration = Duration::from_millis(10);

    fn after(turns: usize, time: Duration, pace: &Pace) -> usize {
        (0..turns).for_each(|_| pace.took(time));
        pace.bound()
    }

    #[test]
    fn the_bound_follows_the_pace() {
        let pace = Pace::new(WORK, 1_000);
        assert_eq!(pace.bound(), 16);
        assert!((95..=105).contains(&after(100, Duration::from_micros(100), &pace)));
        assert!((9..=11).contains(&after(100, Duration::from_millis(1), &pace)));
        assert_eq!(after(100, Duration::from_secs(1), &pace), 4, "the least");
        assert_eq!(
            after(500, Duration::from_nanos(3), &pace),
            1_000,
            "the most"
        );
    }

    #[test]
    fn the_mailbox_is_the_most() {
        let pace = Pace::new(WORK, 2);
        assert_eq!(pace.bound(), 2);
        assert_eq!(after(100, Duration::from_secs(1), &pace), 2);
        assert_eq!(after(10, Duration::MAX, &pace), 2);
    }
}
