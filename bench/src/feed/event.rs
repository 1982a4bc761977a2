//! One event of an order feed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an event does, by LOBSTER's type number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// A new limit order.
    New = 1,
    /// Part of an order is cancelled.
    Cancel = 2,
    /// An order is deleted whole.
    Delete = 3,
    /// A visible order is executed, in part or whole.
    Execute = 4,
    /// A hidden order is executed; the book never showed it.
    ExecuteHidden = 5,
    /// Trading halts or resumes.
    Halt = 7,
}

/// The side of the book an order rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Side {
    /// A bid.
    Buy,
    /// An offer.
    Sell,
}

/// What one line of a feed says, its time apart: 24 bytes, to travel inside a message slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Event {
    /// The order it names.
    pub order: u64,
    /// Price in dollars × 10,000.
    pub price: i64,
    /// Shares.
    pub size: u32,
    /// What happens.
    pub kind: Kind,
    /// The side of the order it names.
    pub side: Side,
}

/// Writes the fields after the time, as the feed has them.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.side {
            Side::Buy => 1,
            Side::Sell => -1,
        };
        let Event {
            order, price, size, ..
        } = self;
        write!(f, "{},{order},{size},{price},{direction}", self.kind as u8)
    }
}

/// A time that is shown exactly as it was written. Feeds leave out trailing zeros, and some
/// carry digits past the nanosecond that came of floating point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Nanoseconds after midnight.
    pub(super) ns: u64,
    /// The digits past the nanosecond, as a number.
    pub(super) beyond: u32,
    /// How many digits stand before the point.
    pub(super) whole: u8,
    /// How many stand after it; none means no point either.
    pub(super) fraction: u8,
}

impl Stamp {
    /// A time written the shortest way.
    #[must_use]
    pub fn new(ns: u64) -> Self {
        let whole = (ns / 1_000_000_000).checked_ilog10().unwrap_or(0) + 1;
        let (mut digits, mut fraction) = (9, ns % 1_000_000_000);
        while digits > 0 && fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        Stamp {
            ns,
            beyond: 0,
            whole: whole as u8,
            fraction: digits,
        }
    }

    /// Nanoseconds after midnight; digits past them are cut off.
    #[must_use]
    pub const fn nanos(&self) -> u64 {
        self.ns
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.ns / 1_000_000_000, self.ns % 1_000_000_000);
        write!(f, "{seconds:0width$}", width = usize::from(self.whole))?;
        match usize::from(self.fraction) {
            0 => Ok(()),
            digits @ 1..=9 => {
                let shown = nanos / 10_u64.pow(9 - u32::from(self.fraction));
                write!(f, ".{shown:0digits$}")
            }
            digits => write!(f, ".{nanos:09}{:0rest$}", self.beyond, rest = digits - 9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ns: u64, beyond: u32, whole: u8, fraction: u8) -> String {
        Stamp {
            ns,
            beyond,
            whole,
            fraction,
        }
        .to_string()
    }

    #[test]
    fn a_stamp_keeps_its_spelling() {
        assert_eq!(shown(34_200_004_241_176, 0, 5, 9), "34200.004241176");
        assert_eq!(shown(34_200_004_260_640, 0, 5, 8), "34200.00426064");
        assert_eq!(shown(34_200_500_000_000, 0, 5, 3), "34200.500");
        assert_eq!(shown(34_200_000_000_000, 0, 5, 0), "34200");
        assert_eq!(shown(35_821_088_778_456, 4, 5, 12), "35821.088778456004");
        assert_eq!(shown(7_000_000_000, 0, 3, 1), "007.0");
    }

    #[test]
    fn the_shortest_way_drops_zeros_at_the_end() {
        for (ns, text) in [
            (34_200_004_260_640, "34200.00426064"),
            (5_000_000_000, "5"),
            (1, "0.000000001"),
        ] {
            assert_eq!(Stamp::new(ns).to_string(), text);
        }
    }

    #[test]
    fn an_event_leaves_room_in_a_message_slot() {
        assert_eq!(size_of::<Event>(), 24);
        assert_eq!(size_of::<Stamp>(), 16);
    }
}
