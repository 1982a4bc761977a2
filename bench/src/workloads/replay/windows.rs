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

/// The latencies of a run, window by window, the warm-up before the first. Without a length
/// there is one window, of all.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    length_ns: Option<u64>,
    /// When the last of them ends, on the run's clock.
    ends: u64,
    windows: Vec<Latency>,
}

impl Windows {
    /// Windows of `length` after a warm-up, which begins at `begun`.
    pub(super) fn new(length: Option<Duration>, begun: u64) -> Self {
        let length_ns = length.map(|length| length.as_nanos() as u64);
        Windows {
            length_ns,
            ends: length.map_or(u64::MAX, |length| begun + warm_up(length).as_nanos() as u64),
            windows: vec![Latency::new()],
        }
    }

    /// The window that `now` is in.
    pub(super) fn at(&mut self, now: u64) -> &mut Latency {
        while let Some(length) = self.length_ns
            && now >= self.ends
        {
            self.ends += length;
            self.windows.push(Latency::new());
        }
        let last = self.windows.len() - 1;
        &mut self.windows[last]
    }

    /// All windows in one, with the warm-up.
    pub(super) fn whole(&self) -> Latency {
        let mut whole = Latency::new();
        for window in &self.windows {
            whole.merge(window);
        }
        whole
    }

    /// The 99.9th percentile of each whole window, in nanoseconds; none unless windows have a
    /// length. What little comes after the last whole one is left out.
    pub(super) fn p999_ns(&self, elapsed: Duration) -> Vec<u64> {
        let Some(length) = self.length_ns else {
            return Vec::new();
        };
        let length = Duration::from_nanos(length);
        let nearly = elapsed + length / 100;
        let whole = nearly.saturating_sub(warm_up(length)).as_nanos() / length.as_nanos();
        let windows = self.windows.iter().skip(1).take(whole as usize);
        let p999 = windows.map(|window| window.summary().map_or(0, |summary| summary.p999));
        p999.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_latency_counts_in_the_window_it_came_in() {
        let mut windows = Windows::new(Some(Duration::from_nanos(1_000)), 5_000);
        for (now, latency) in [
            (5_000, 9),
            (5_100, 10),
            (6_099, 20),
            (6_100, 30),
            (8_300, 40),
        ] {
            windows.at(now).record(latency);
        }
        // The fourth window has only begun when the run ends.
        assert_eq!(windows.p999_ns(Duration::from_nanos(3_300)), [20, 30, 0]);
        // A run that falls a little short of its end has it whole.
        assert_eq!(
            windows.p999_ns(Duration::from_nanos(4_095)),
            [20, 30, 0, 40]
        );
        assert_eq!(windows.whole().count(), 5);
    }

    #[test]
    fn without_a_length_all_is_one_window() {
        let mut windows = Windows::new(None, 0);
        windows.at(0).record(1);
        windows.at(u64::MAX).record(2);
        assert_eq!(windows.whole().count(), 2);
        assert!(windows.p999_ns(Duration::from_secs(9)).is_empty());
    }
}
