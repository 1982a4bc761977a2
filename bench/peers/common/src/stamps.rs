//! Latencies of single units, stamped before and after.

use hdrhistogram::Histogram;
use quanta::Clock;

use crate::answer::Summary;

/// Latencies recorded so far.
pub struct Stamps {
    clock: Clock,
    histogram: Histogram<u64>,
}

impl Default for Stamps {
    fn default() -> Self {
        Stamps {
            clock: Clock::new(),
            histogram: Histogram::new(3).expect("three digits are allowed"),
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
