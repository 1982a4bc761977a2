//! Waits a moment for those who have just been answered: many ask again at once, and then all share
//! one batch, where otherwise they would go by turns in two.

use std::time::Duration;

use tokio::time::Instant;

/// Longer than it takes to wake a shard and run its turns, shorter than a disk's sync.
const MOMENT: Duration = Duration::from_micros(250);

/// Who may be waited for.
#[derive(Debug, Default)]
pub(super) struct Gather {
    /// So many requests are all that can be expected.
    expected: usize,
    until: Option<Instant>,
}

impl Gather {
    /// `answered` have been, while `waiting` requests waited.
    pub(super) fn begin(&mut self, answered: usize, waiting: usize, now: Instant) {
        self.expected = answered + waiting;
        self.until = Some(now + MOMENT);
    }

    /// Whether more than the `waiting` requests that wait may come within the moment.
    pub(super) fn goes_on(&mut self, waiting: usize, now: Instant) -> bool {
        self.until = self
            .until
            .filter(|until| waiting < self.expected && now < *until);
        self.until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_all_are_back_and_when_the_moment_is_over() {
        let now = Instant::now();
        let mut gather = Gather::default();
        assert!(!gather.goes_on(1, now), "nobody was answered");
        gather.begin(2, 1, now);
        assert!(gather.goes_on(2, now));
        assert!(!gather.goes_on(3, now));
        assert!(!gather.goes_on(1, now), "it is over");
        gather.begin(2, 1, now);
        assert!(!gather.goes_on(1, now + MOMENT));
    }
}
