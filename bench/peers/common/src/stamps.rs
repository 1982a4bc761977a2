//! Latencies of single units, stamped before and after.

use hdrhistogram::Histogram;
use quanta::Clock;

use crate::answer::Summary;

/// A unit that took longer is recorded as if it had taken so long. Given here, since a histogram
/// without bounds begins with next to none, and records all that lies beyond as these.
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
            histogram: Histogram::new_with_bounds(1, LONGEST_NS, 3)
                .expect("the bounds are in order, and three digits are allowed"),
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
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn long_units_are_recorded_as_long_as_they_took() {
        let mut stamps = Stamps::new();
        let begun = stamps.now();
        thread::sleep(Duration::from_millis(3));
        stamps.record(begun);
        assert!(stamps.median_ns() >= 2_900_000.0);
    }
}
