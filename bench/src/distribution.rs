//! A latency distribution as percentiles: what a plot draws and a `.hgrm` file holds.

use hdrhistogram::Histogram;

/// Points for every halving of what is left to 100 %: so close that a percentile read off them is
/// the histogram's own, or next to it.
const TICKS_PER_HALF: u32 = 20;

/// Latency by percentile.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// In order, the last one at 100 %. Never empty.
    points: Vec<Point>,
}

/// So much of all is at most this long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Nanoseconds.
    pub ns: f64,
    /// From 0 to 1.
    pub quantile: f64,
    /// How many are at most this long.
    pub count: u64,
}

impl Distribution {
    /// What `histogram`, in nanoseconds, tells; `None` while it is empty.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let mut count = 0;
        let points = histogram.iter_quantiles(TICKS_PER_HALF).map(|step| {
            count += step.count_since_last_iteration();
            Point {
                ns: step.value_iterated_to() as f64,
                quantile: step.quantile_iterated_to(),
                count,
            }
        });
        Self::new(points.collect())
    }

    /// `points` in order; `None` if there are none.
    #[must_use]
    pub fn new(points: Vec<Point>) -> Option<Self> {
        (!points.is_empty()).then_some(Distribution { points })
    }

    /// The points, in order.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Nanoseconds that `quantile` of all don't exceed.
    #[must_use]
    pub fn at(&self, quantile: f64) -> f64 {
        // Steps were added up, and rounded in files.
        let reached = |point: &&Point| point.quantile >= quantile - 1e-9;
        let found = self.points.iter().find(reached);
        found.unwrap_or(self.last()).ns
    }

    /// The shortest, in nanoseconds.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.points[0].ns
    }

    /// The longest, in nanoseconds.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.last().ns
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.last().count
    }

    fn last(&self) -> &Point {
        &self.points[self.points.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_histogram() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        assert_eq!(Distribution::of(&histogram), None);
        for ns in 1..=1_000 {
            histogram.record(ns).unwrap();
        }
        let distribution = Distribution::of(&histogram).unwrap();
        assert_eq!((distribution.min(), distribution.max()), (1.0, 1_000.0));
        assert_eq!(distribution.count(), 1_000);
        assert!((distribution.at(0.5) - 500.0).abs() <= 1.0);
        assert!((distribution.at(0.99) - 990.0).abs() < 3.0);
        assert!(
            distribution
                .points()
                .is_sorted_by(|one, other| one.ns <= other.ns && one.quantile < other.quantile)
        );
    }
}
