//! What strangers can make happen as often as they like is said only now and then.

use std::cell::Cell;
use std::time::Duration;

use quark_shards::time::Time;

/// How long something is not said again.
const REST: Duration = Duration::from_secs(60);

/// Says something when it first happens, and then once a minute at most.
#[derive(Debug, Default)]
pub struct Seldom {
    quiet_until: Cell<Time>,
    times: Cell<u64>,
}

impl Seldom {
    /// It has happened: how often it has since it was last said, if it is to be said now.
    pub fn now(&self, now: Time) -> Option<u64> {
        let times = self.times.get() + 1;
        if now < self.quiet_until.get() {
            self.times.set(times);
            return None;
        }
        self.quiet_until.set(now + REST);
        self.times.set(0);
        Some(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_often_is_said_once_a_minute_with_how_often_it_did() {
        let (seldom, begin) = (Seldom::default(), Time::from_nanos(5));
        assert_eq!(seldom.now(begin), Some(1));
        for _ in 0..1000 {
            assert_eq!(seldom.now(begin + REST / 2), None);
        }
        assert_eq!(seldom.now(begin + REST), Some(1001));
        assert_eq!(seldom.now(begin + REST), None);
    }
}
