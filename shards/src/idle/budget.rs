//! How long an adaptive shard looks for work before it sleeps: learned from how long it lately had
//! none.
//!
//! Renting skis: to look costs the time looked, to sleep costs a wake. With the lengths of recent
//! gaps one takes the budget that would have cost least in them (Karlin, Manasse, McGeoch, Owicki:
//! competitive randomized algorithms for nonuniform problems). Gaps that are all too long give a
//! budget of nothing, so a shard that only minds its timers looks at nothing in vain.

use std::time::Duration;

/// Gaps by the power of two, in microseconds, that they are below; the last holds all others.
const CLASSES: usize = 16;
/// Gaps remembered before old ones count half.
const MEMORY: u32 = 64;
/// Short gaps between two reckonings, which take some 100 ns: these gaps are where calls wait.
const RECKON_EVERY: u32 = 32;
/// What a wake is worth, in looks of full length. Who wakes a shard waits for it, and who waits
/// counts for more than a core that looks: with one look, callers who came after 1 ms and after
/// 40 µs by turns met a shard asleep both times (first answer 0.63 → 1.06 of a bare wake).
const WAKE_IN_LOOKS: u32 = 10;

/// What the gaps so far say.
#[derive(Debug)]
pub(crate) struct SpinBudget {
    most: Duration,
    gaps: [u32; CLASSES],
    remembered: u32,
    unreckoned: u32,
    now: Duration,
}

impl SpinBudget {
    /// Looks for up to `most`, and for as long until gaps say otherwise.
    pub(crate) fn new(most: Duration) -> Self {
        SpinBudget {
            most,
            gaps: [0; CLASSES],
            remembered: 0,
            unreckoned: 0,
            now: most,
        }
    }

    /// How long to look.
    #[inline]
    pub(crate) fn get(&self) -> Duration {
        self.now
    }

    /// Work has come, `gap` after the last was done.
    #[inline]
    pub(crate) fn record(&mut self, gap: Duration) {
        self.gaps[class(gap)] += 1;
        self.remembered += 1;
        self.unreckoned += 1;
        if gap > self.now || self.unreckoned >= RECKON_EVERY {
            self.reckon();
        }
    }

    #[cold]
    fn reckon(&mut self) {
        self.unreckoned = 0;
        if self.remembered >= MEMORY {
            self.gaps.iter_mut().for_each(|gaps| *gaps /= 2);
            self.remembered = self.gaps.iter().sum();
        }
        self.now = self.cheapest();
    }

    fn cheapest(&self) -> Duration {
        let bounds = (0..CLASSES - 1)
            .map(bound)
            .filter(|&bound| bound <= self.most);
        let budgets = std::iter::once(Duration::ZERO).chain(bounds);
        budgets
            .min_by_key(|&budget| self.cost(budget))
            .unwrap_or(self.most)
    }

    /// What the gaps remembered would have cost: each counts as long as its class allows.
    fn cost(&self, budget: Duration) -> Duration {
        let costs = self.gaps.iter().enumerate().map(|(class, &gaps)| {
            let each = match class < CLASSES - 1 && bound(class) <= budget {
                true => bound(class),
                false => budget + self.most * WAKE_IN_LOOKS,
            };
            each * gaps
        });
        costs.sum()
    }
}

fn class(gap: Duration) -> usize {
    let micros = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
    ((u64::BITS - micros.leading_zeros()) as usize).min(CLASSES - 1)
}

/// What the gaps of a class are below.
fn bound(class: usize) -> Duration {
    Duration::from_micros(1 << class)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_micros(100);

    fn after(gaps: impl IntoIterator<Item = u64>) -> Duration {
        let mut budget = SpinBudget::new(MOST);
        for gap in gaps {
            budget.record(Duration::from_micros(gap));
        }
        budget.get()
    }

    #[test]
    fn without_knowledge_it_looks_for_as_long_as_it_may() {
        assert_eq!(after([]), MOST);
    }

    #[test]
    fn gaps_that_are_too_long_are_slept_through_at_once() {
        assert_eq!(after([1_000; 3]), Duration::ZERO);
        assert_eq!(after([u64::MAX; 200]), Duration::ZERO);
    }

    #[test]
    fn it_looks_just_as_long_as_short_gaps_take() {
        assert_eq!(after([10; 100]), Duration::from_micros(16));
        assert_eq!(after([0; 100]), Duration::from_micros(1));
    }

    #[test]
    fn few_long_gaps_among_short_ones_are_slept_through_late() {
        let mixed = (0..100).map(|n| if n % 10 == 0 { 10_000 } else { 20 });
        assert_eq!(after(mixed), Duration::from_micros(32));
    }

    #[test]
    fn one_short_gap_in_four_is_worth_the_look() {
        let mixed = (0..100).map(|n| if n % 4 == 0 { 40 } else { 10_000 });
        assert_eq!(after(mixed), Duration::from_micros(64));
        let rare = (0..100).map(|n| if n % 32 == 0 { 40 } else { 10_000 });
        assert_eq!(after(rare), Duration::ZERO);
    }

    #[test]
    fn it_forgets() {
        let changed = [10_000; 500].into_iter().chain([20; 100]);
        assert_eq!(after(changed), Duration::from_micros(32));
        let changed = [20; 500].into_iter().chain([10_000; 300]);
        assert_eq!(after(changed), Duration::ZERO);
    }
}
