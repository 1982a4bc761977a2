//! Which priority's turn it is, among those that wait for one actor.

use crate::options::Priority;

/// Turns that may go past a lower priority before it gets one.
const SHARE: u8 = 8;

/// How often each lower priority was passed over since it last had a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shares {
    low: u8,
    normal: u8,
}

/// Which priorities wait, and how long they have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Levels {
    low: bool,
    normal: bool,
    high: bool,
    shares: Shares,
}

impl Levels {
    pub(crate) fn new(low: bool, normal: bool, high: bool, shares: Shares) -> Self {
        Levels {
            low,
            normal,
            high,
            shares,
        }
    }

    /// No other than the normal one waits, if that does.
    pub(crate) fn only(normal: bool) -> Self {
        Levels::new(false, normal, false, Shares::default())
    }

    /// The highest; or a lower one that was passed over too often.
    pub(crate) fn next(self) -> Option<Priority> {
        if self.normal && self.shares.normal >= SHARE {
            Some(Priority::Normal)
        } else if self.low && self.shares.low >= SHARE {
            Some(Priority::Low)
        } else if self.high {
            Some(Priority::High)
        } else if self.normal {
            Some(Priority::Normal)
        } else {
            self.low.then_some(Priority::Low)
        }
    }

    pub(crate) fn lowest(self) -> Option<Priority> {
        if self.low {
            Some(Priority::Low)
        } else if self.normal {
            Some(Priority::Normal)
        } else {
            self.high.then_some(Priority::High)
        }
    }
}

impl Shares {
    /// One of `level` went, of those that waited.
    pub(crate) fn went(&mut self, level: Priority, waited: Levels) {
        let passed = |lower: Priority, waits: bool, count: u8| match waits {
            true if lower < level => count.saturating_add(1),
            true if lower == level => 0,
            true => count,
            false => 0,
        };
        self.low = passed(Priority::Low, waited.low, self.low);
        self.normal = passed(Priority::Normal, waited.normal, self.normal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes next while those of the given priorities never run out.
    fn flood(low: bool, normal: bool, high: bool, turns: usize) -> Vec<Priority> {
        let mut shares = Shares::default();
        (0..turns)
            .filter_map(|_| {
                let levels = Levels::new(low, normal, high, shares);
                let next = levels.next()?;
                shares.went(next, levels);
                Some(next)
            })
            .collect()
    }

    #[test]
    fn the_highest_goes_first() {
        let first = |low, normal, high| flood(low, normal, high, 1).first().copied();
        assert_eq!(first(true, true, true), Some(Priority::High));
        assert_eq!(first(true, true, false), Some(Priority::Normal));
        assert_eq!(first(true, false, false), Some(Priority::Low));
        assert_eq!(first(false, false, false), None);
    }

    #[test]
    fn nobody_waits_for_more_than_ten_turns() {
        for (low, normal, high) in [
            (true, true, true),
            (true, false, true),
            (true, true, false),
            (false, true, true),
        ] {
            let went = flood(low, normal, high, 1_000);
            for (level, waits) in [(Priority::Low, low), (Priority::Normal, normal)] {
                let gaps = went.split(|next| *next == level);
                let longest = gaps.map(<[_]>::len).max().unwrap_or(0);
                assert!(!waits || longest <= 10, "{level:?} waited for {longest}");
            }
        }
    }

    #[test]
    fn a_flood_of_high_ones_leaves_a_ninth() {
        let went = flood(true, false, true, 900);
        let low = went.iter().filter(|next| **next == Priority::Low).count();
        assert_eq!(low, 100);
    }
}
