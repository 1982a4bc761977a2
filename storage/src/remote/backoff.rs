//! How long to wait before trying again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(20);
const MOST: Duration = Duration::from_millis(500);

/// Doubles from failure to failure, up to half a second; half of it is by chance, so that not all
/// processes come back at once. Chance comes from a seed.
#[derive(Debug)]
pub(super) struct Backoff {
    state: u64,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Backoff {
            state: seed ^ 0x9e37_79b9_7f4a_7c15,
            failures: 0,
        }
    }

    /// Begins again with the shortest.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(10)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        whole / 2 + whole.mul_f64(self.chance() / 2.0)
    }

    /// From 0 to 1 (splitmix64).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn chance(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_half_a_second_and_begins_again() {
        let mut backoff = Backoff::new(7);
        let delays: Vec<Duration> = (0..12).map(|_| backoff.next()).collect();
        assert!(delays[0] >= FIRST / 2 && delays[0] <= FIRST);
        assert!(delays[11] >= MOST / 2 && delays[11] <= MOST);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(Backoff::new(1).next(), Backoff::new(2).next());
    }
}
