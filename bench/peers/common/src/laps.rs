//! A timed loop: batches between two readings of the clock, so that nothing but the workload lies
//! inside a batch.

use std::time::Duration;

use quanta::Clock;

/// A loop under way.
///
/// ```
/// # use std::time::Duration;
/// let mut laps = peers_common::Laps::start(Duration::from_millis(1), 100);
/// while laps.again() {
///     for _ in 0..laps.batch() {
///         // one unit
///     }
/// }
/// assert!(laps.end().count >= 100);
/// ```
pub struct Laps {
    clock: Clock,
    begun: u64,
    lap_begun: Option<u64>,
    longest: u64,
    batch: u64,
    laps: Vec<u64>,
}

/// What a loop measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Units done.
    pub count: u64,
    /// In how many seconds.
    pub seconds: f64,
    /// Nanoseconds a unit in the middle one of all batches.
    pub median_ns: f64,
}

impl Measured {
    /// Units per second, all in all.
    #[must_use]
    pub fn per_s(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    /// Nanoseconds per unit, all in all.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        self.seconds * 1e9 / self.count as f64
    }
}

impl Laps {
    /// Begins a loop of batches of `batch` units that goes on for `lasts`.
    ///
    /// # Panics
    /// If a batch has no units.
    #[must_use]
    pub fn start(lasts: Duration, batch: u64) -> Self {
        assert!(batch > 0, "a batch has units");
        let clock = Clock::new();
        let longest = u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX);
        Laps {
            begun: clock.raw(),
            lap_begun: None,
            longest,
            batch,
            laps: Vec::with_capacity(1 << 20),
            clock,
        }
    }

    /// Units of a batch.
    #[must_use]
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// Ends a batch, if one was begun; whether there is time for another.
    pub fn again(&mut self) -> bool {
        let now = self.clock.raw();
        match self.lap_begun.replace(now) {
            Some(begun) => self.laps.push(self.clock.delta_as_nanos(begun, now)),
            None => self.begun = now,
        }
        self.clock.delta_as_nanos(self.begun, now) < self.longest
    }

    /// Ends the loop.
    ///
    /// # Panics
    /// If no batch was done.
    #[must_use]
    pub fn end(mut self) -> Measured {
        let ns: u64 = self.laps.iter().sum();
        let count = self.laps.len() as u64 * self.batch;
        assert!(count > 0, "a loop has batches");
        self.laps.sort_unstable();
        Measured {
            count,
            seconds: ns as f64 / 1e9,
            median_ns: self.laps[self.laps.len() / 2] as f64 / self.batch as f64,
        }
    }
}
