//! Latencies by the part of the run they were recorded in, so that a long run can be held
//! against itself.

use std::time::Duration;

use crate::latency::Latency;

/// The part of a window's length that passes before the first: what is cold then is not the
/// run's.
const WARM_UP: u32 = 10;

/// How long passes before the first window of `length`.
pub(super) fn warm_up(length: Duration) -> Duration {
    length / WARM_UP
}

/// The latencies of a run: as a whole, and the p999 of each window. Without a length there are no
/// windows.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    length_ns: Option<u64>,
    /// When the one under way ends, on the run's clock.
    ends: u64,
    is_warm: bool,
    under_way: Latency,
    /// Of those that are over, the warm-up among them.
    over: Latency,
    p999_ns: Vec<u64>,
}

impl Windows {
    /// Windows of `length` after a warm-up, which begins at `begun`.
    pub(super) fn new(length: Option<Duration>, begun: u64) -> Self {
        Windows {
            length_ns: length.map(|length| length.as_nanos() as u64),
            ends: length.map_or(u64::MAX, |length| begun + warm_up(length).as_nanos() as u64),
            is_warm: false,
            under_way: Latency::new(),
            over: Latency::new(),
            p999_ns: Vec::new(),
        }
    }

    /// Where what ends at `now` is recorded.
    pub(super) fn at(&mut self, now: u64) -> &mut Latency {
        while now >= self.ends
            && let Some(length) = self.length_ns
        {
            self.ends += length;
            self.close();
        }
        &mut self.under_way
    }

    /// The whole run's.
    pub(super) fn whole(&self) -> Latency {
        let mut whole = self.over.clone();
        whole.merge(&self.under_way);
        whole
    }

    /// The 99.9th percentile of each window that is over at `now`, in nanoseconds; 0 where nothing
    /// came. A run that ends with a window may end a hundredth too soon.
    pub(super) fn p999_ns(mut self, now: u64) -> Vec<u64> {
        self.at(now + self.length_ns.unwrap_or(0) / 100);
        self.p999_ns
    }

    fn close(&mut self) {
        if std::mem::replace(&mut self.is_warm, true) {
            let summary = self.under_way.summary();
            self.p999_ns.push(summary.map_or(0, |summary| summary.p999));
        }
        self.over.merge(&self.under_way);
        self.under_way.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows() -> Windows {
        let mut windows = Windows::new(Some(Duration::from_nanos(1_000)), 5_000);
        for (now, latency) in [
            (5_000, 9),
            (5_100, 10),
            (6_099, 20),
            (6_100, 30),
            (8_200, 40),
        ] {
            windows.at(now).record(latency);
        }
        windows
    }

    #[test]
    fn each_latency_counts_in_the_window_it_came_in() {
        // The fourth window has only begun when the run ends.
        assert_eq!(windows().p999_ns(8_300), [20, 30, 0]);
        // A run that falls a little short of its end has it whole.
        assert_eq!(windows().p999_ns(9_095), [20, 30, 0, 40]);
        assert_eq!(windows().whole().count(), 5);
    }

    #[test]
    fn without_a_length_there_are_no_windows() {
        let mut windows = Windows::new(None, 0);
        windows.at(0).record(1);
        windows.at(u64::MAX).record(2);
        assert_eq!(windows.whole().count(), 2);
        assert!(windows.p999_ns(9_000_000_000).is_empty());
    }
}
