//! The bench's own clock: the time-stamp counter where it is trustworthy, read without a system
//! call. It calibrates itself when it is made, which takes up to a fifth of a second.

/// A monotonic clock in nanoseconds since it was made. Clones share its beginning, so their
/// readings compare across threads.
#[derive(Clone, Debug)]
pub struct Clock {
    source: quanta::Clock,
    origin: u64,
}

impl Clock {
    /// A calibrated clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        let source = quanta::Clock::new();
        let origin = source.raw();
        Clock { source, origin }
    }

    /// Nanoseconds since the clock began.
    #[must_use]
    #[inline]
    pub fn now(&self) -> u64 {
        self.source.delta_as_nanos(self.origin, self.source.raw())
    }

    /// What it costs to read the clock, in nanoseconds: the mean of many readings in a row.
    #[must_use]
    pub fn cost(&self) -> f64 {
        const READINGS: u32 = 10_000;
        let begun = self.now();
        for _ in 0..READINGS {
            std::hint::black_box(self.now());
        }
        (self.now() - begun) as f64 / f64::from(READINGS)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_goes_forward_at_the_pace_of_the_wall() {
        let clock = Clock::new();
        let begun = clock.now();
        let pause = Duration::from_millis(50);
        std::thread::sleep(pause);
        let slept = Duration::from_nanos(clock.now() - begun);
        assert!(slept >= pause.mul_f64(0.99), "{slept:?}");
        assert!(slept < Duration::from_secs(20), "{slept:?}");
    }

    #[test]
    fn clones_share_their_beginning() {
        let clock = Clock::new();
        let before = clock.now();
        let elsewhere = std::thread::spawn({
            let clock = clock.clone();
            move || clock.now()
        });
        assert!(elsewhere.join().unwrap() >= before);
        assert!(clock.cost() > 0.0);
    }
}
