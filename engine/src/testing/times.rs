//! Expected numbers.

use std::ops::{Bound, RangeBounds};

/// How often something is expected: a number, or a range of them.
pub trait Times {
    /// The least and the most, both meant.
    fn bounds(self) -> (u64, u64);
}

impl Times for u64 {
    fn bounds(self) -> (u64, u64) {
        (self, self)
    }
}

macro_rules! ranges {
    ($($range:ty)*) => {
        $(impl Times for $range {
            fn bounds(self) -> (u64, u64) {
                bounds_of(&self)
            }
        })*
    };
}

ranges!(std::ops::Range<u64> std::ops::RangeInclusive<u64> std::ops::RangeFrom<u64>
    std::ops::RangeTo<u64> std::ops::RangeToInclusive<u64>);

fn bounds_of(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let least = match range.start_bound() {
        Bound::Included(least) => *least,
        Bound::Excluded(below) => below + 1,
        Bound::Unbounded => 0,
    };
    let most = match range.end_bound() {
        Bound::Included(most) => *most,
        Bound::Excluded(above) => above.saturating_sub(1),
        Bound::Unbounded => u64::MAX,
    };
    (least, most)
}
