//! Restarts within a window of time, and the waits between them.

use std::collections::VecDeque;
use std::time::Duration;

use quark_shards::time::Time;

use crate::options::Backoff;

/// How long a restart waits.
pub(crate) type Wait = Duration;

/// When something has happened of late.
#[derive(Default)]
pub(crate) struct Recent(VecDeque<Time>);

impl Recent {
    /// Notes that it happens now, unless it has happened `limit` times within the window
    /// before. Says the how manieth in the window this is.
    pub(crate) fn admit(&mut self, now: Time, limit: u16, within: Duration) -> Option<u32> {
        self.forget(now, within);
        if self.0.len() >= usize::from(limit) {
            return None;
        }
        self.0.push_back(now);
        u32::try_from(self.0.len()).ok()
    }

    /// Notes that it happens now, whatever was before.
    pub(crate) fn note(&mut self, now: Time, within: Duration) {
        self.forget(now, within);
        if self.0.len() < usize::from(u16::MAX) {
            self.0.push_back(now);
        }
    }

    /// How often it has happened within the window.
    pub(crate) fn count(&mut self, now: Time, within: Duration) -> u16 {
        self.forget(now, within);
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn forget(&mut self, now: Time, within: Duration) {
        while self.0.front().is_some_and(|then| now - *then > within) {
            self.0.pop_front();
        }
    }
}

impl Backoff {
    /// How long the `nth` restart in a row waits; the first is number one. `chance` is any word
    /// of randomness.
    pub(crate) fn wait(&self, nth: u32, chance: u64) -> Wait {
        let doublings = nth.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        let most = whole.as_nanos() * u128::from(self.jitter_percent.min(100)) / 100;
        let taken = u128::from(chance) % (most + 1);
        whole - Duration::from_nanos(u64::try_from(taken).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_window_bears_so_many_and_forgets_them() {
        let mut recent = Recent::default();
        let at = |seconds| Time::ZERO + SECOND * seconds;
        assert_eq!(recent.admit(at(0), 2, SECOND * 10), Some(1));
        assert_eq!(recent.admit(at(9), 2, SECOND * 10), Some(2));
        assert_eq!(recent.admit(at(10), 2, SECOND * 10), None);
        assert_eq!(
            recent.count(at(10), SECOND * 10),
            2,
            "a refusal is not noted"
        );
        assert_eq!(recent.admit(at(11), 2, SECOND * 10), Some(2));
        assert_eq!(recent.admit(at(60), 2, SECOND * 10), Some(1));
        assert_eq!(recent.admit(at(60), 0, SECOND * 10), None);
    }

    #[test]
    fn waits_double_up_to_the_longest_and_chance_shortens_them() {
        let steady = Backoff {
            first: SECOND,
            longest: SECOND * 60,
            jitter_percent: 0,
        };
        let waits: Vec<_> = (1..9).map(|nth| steady.wait(nth, 77).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(steady.wait(u32::MAX, 77), SECOND * 60);
        let jittery = Backoff {
            jitter_percent: 25,
            ..steady
        };
        let waits: Vec<_> = (0..1000)
            .map(|word: u64| jittery.wait(3, word.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect();
        let (least, most) = (waits.iter().min(), waits.iter().max());
        assert!(least.is_some_and(|least| (SECOND * 3..SECOND * 31 / 10).contains(least)));
        assert!(most.is_some_and(|most| (SECOND * 39 / 10..=SECOND * 4).contains(most)));
    }
}
