//! Latency: recorded in a histogram, counted from a schedule that is fixed beforehand.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency told apart from longer ones: an hour.
const LONGEST_NS: u64 = 3_600 * 1_000_000_000;

/// A recorder of latencies in nanoseconds, to three significant digits.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

/// What is reported of a latency distribution, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Latency {
    /// An empty recorder.
    #[must_use]
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3);
        Latency(histogram.expect("the bounds are constants within what a histogram can hold"))
    }

    /// Records one latency. Above an hour it counts as an hour.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Adds what another recorder holds.
    pub fn merge(&mut self, other: &Latency) {
        self.0
            .add(&other.0)
            .expect("all recorders have the same bounds");
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many took at least `limit`.
    #[must_use]
    pub fn slower_than(&self, limit: Duration) -> u64 {
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        self.0.count_between(limit, u64::MAX)
    }

    /// How many latencies were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// All that was recorded, in nanoseconds.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// The distribution so far; `None` while empty.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        let at = |quantile| self.0.value_at_quantile(quantile);
        (!self.0.is_empty()).then(|| Summary {
            mean: self.0.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max(),
        })
    }
}

impl Default for Latency {
    fn default() -> Self {
        Latency::new()
    }
}

/// An open-loop schedule: request `i` is due at a moment that no earlier answer can put off, and
/// its latency counts from then (no coordinated omission).
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start_ns: u64,
    gap_ns: f64,
}

impl Schedule {
    /// Requests at an even `rate_per_s` (above 0), the first at `start_ns` of the bench's clock.
    #[must_use]
    pub fn new(start_ns: u64, rate_per_s: f64) -> Self {
        Schedule {
            start_ns,
            gap_ns: 1e9 / rate_per_s,
        }
    }

    /// When request `index` is due. Computed from the start, so that rounding never adds up.
    #[must_use]
    #[inline]
    pub fn due(&self, index: u64) -> u64 {
        self.start_ns
            .saturating_add((index as f64 * self.gap_ns) as u64)
    }

    /// How many requests are due by `now_ns`.
    #[must_use]
    #[inline]
    pub fn due_by(&self, now_ns: u64) -> u64 {
        let Some(elapsed) = now_ns.checked_sub(self.start_ns) else {
            return 0;
        };
        // The guess is off by at most one where a due time was rounded down.
        let guess = ((elapsed as f64 / self.gap_ns) as u64).saturating_add(1);
        guess + u64::from(self.due(guess) <= now_ns)
    }

    /// The latency of request `index` when answered at `now_ns`.
    #[must_use]
    #[inline]
    pub fn latency(&self, index: u64, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.due(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_recorded() {
        let mut latency = Latency::new();
        assert_eq!(latency.summary(), None);
        for ns in 1..=1_000 {
            latency.record(ns);
        }
        let summary = latency.summary().unwrap();
        assert_eq!(summary.p50, 500);
        assert_eq!(summary.p90, 900);
        assert_eq!(summary.p99, 990);
        assert_eq!(summary.p999, 999);
        assert_eq!(summary.max, 1_000);
        assert!((summary.mean - 500.5).abs() < 0.5);
        assert_eq!(latency.count(), 1_000);
    }

    #[test]
    fn recorders_merge_and_saturate() {
        let (mut one, mut two) = (Latency::new(), Latency::new());
        one.record(0);
        two.record(u64::MAX);
        one.merge(&two);
        assert_eq!(one.count(), 2);
        let max = one.summary().unwrap().max;
        assert!((LONGEST_NS..LONGEST_NS * 2).contains(&max), "{max}");
    }

    #[test]
    fn the_schedule_does_not_drift() {
        let schedule = Schedule::new(1_000, 3.0);
        assert_eq!(schedule.due(0), 1_000);
        assert_eq!(schedule.due(1), 1_000 + 333_333_333);
        assert_eq!(schedule.due(3_000_000), 1_000 + 1_000_000 * 1_000_000_000);
    }

    #[test]
    fn what_is_due_by_a_moment_agrees_with_when_it_is_due() {
        for rate in [0.7, 3.0, 1_000.0, 99_999.0, 12_345_678.9, 1e9] {
            let schedule = Schedule::new(500, rate);
            assert_eq!(schedule.due_by(499), 0);
            assert_eq!(schedule.due_by(500), 1);
            for now in (500..3_000_000_000).step_by(7_654_321) {
                let due = schedule.due_by(now);
                assert!(schedule.due(due - 1) <= now, "rate {rate}, now {now}");
                assert!(schedule.due(due) > now, "rate {rate}, now {now}");
            }
        }
    }

    #[test]
    fn a_stall_is_charged_to_every_request_that_waited() {
        let schedule = Schedule::new(0, 1e6);
        // Ten requests a microsecond apart, all answered at 20 µs.
        let waited: Vec<u64> = (0..10)
            .map(|index| schedule.latency(index, 20_000))
            .collect();
        assert_eq!(waited[0], 20_000);
        assert_eq!(waited[9], 11_000);
    }
}
