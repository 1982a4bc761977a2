//! Latencies of single units, stamped before and after.

use hdrhistogram::Histogram;
use quanta::Clock;

use crate::answer::Summary;

/// Longer latencies are recorded as this one.
const LONGEST_NS: u64 = 60_000_000_000;

/// Latencies recorded so far.
pub struct Stamps {
    clock: Clock,
    histogram: Histogram<u64>,
}

impl Default for Stamps {
    fn default() -> Self {
        Stamps {
            clock: Clock::new(),
            histogram: Histogram::new_with_max(LONGEST_NS, 3).expect("three digits are allowed"),
        }
    }
}

impl Stamps {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time, for [`record`](Self::record).
    #[must_use]
    pub fn now(&self) -> u64 {
        self.clock.raw()
    }

    /// Records a unit that began at `begun` and ends now.
    pub fn record(&mut self, begun: u64) {
        let ns = self.clock.delta_as_nanos(begun, self.clock.raw());
        self.histogram.saturating_record(ns);
    }

    /// Half of them were quicker, in nanoseconds.
    #[must_use]
    pub fn median_ns(&self) -> f64 {
        self.histogram.value_at_quantile(0.5) as f64
    }

    /// What is printed of them.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        let at = |quantile| self.histogram.value_at_quantile(quantile);
        (!self.histogram.is_empty()).then(|| Summary {
            mean: self.histogram.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.histogram.max(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_latencies_are_recorded_as_they_are() {
        let mut stamps = Stamps::new();
        let begun = stamps.now();
        std::thread::sleep(std::time::Duration::from_millis(2));
        stamps.record(begun);
        let median = stamps.median_ns();
        assert!((1.9e6..1e9).contains(&median), "{median} ns");
    }
}
