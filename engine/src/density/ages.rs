//! How old actors are, counted so that the oldest can be told from the others without sorting.

/// Buckets of each power of two: ages are told apart to a sixteenth.
const STEPS: u32 = 16;
const STEP_BITS: u32 = STEPS.trailing_zeros();
const BUCKETS: usize = ((32 - STEP_BITS + 1) * STEPS) as usize;

/// Ages in ticks of about a millisecond, by how many actors have them.
pub(crate) struct Ages {
    now: u32,
    counts: Box<[u32; BUCKETS]>,
    active: usize,
}

impl Ages {
    /// Ages at the tick `now`, whenever they are counted.
    pub(crate) fn at(now: u32) -> Self {
        Ages {
            now,
            counts: Box::new([0; BUCKETS]),
            active: 0,
        }
    }

    /// An active actor, and when it was used if it may be collected.
    pub(crate) fn count(&mut self, used: Option<u32>) {
        self.active += 1;
        if let Some(used) = used {
            self.counts[bucket(age(self.now, used))] += 1;
        }
    }

    /// Actors that are not on their way out already.
    pub(crate) fn active(&self) -> usize {
        self.active
    }

    /// The cut that has the `count` oldest on its one side, none younger than `youngest`.
    pub(crate) fn cut(&self, count: usize, youngest: u32) -> Cut {
        let least = if youngest == 0 {
            0
        } else {
            bucket(youngest) + 1
        };
        let mut older = 0;
        for at in (least..BUCKETS).rev() {
            let here = self.counts[at] as usize;
            if older + here >= count {
                return Cut {
                    now: self.now,
                    bucket: at,
                    left: count - older,
                };
            }
            older += here;
        }
        Cut {
            now: self.now,
            bucket: least,
            left: self.counts.get(least).map_or(0, |count| *count as usize),
        }
    }
}

/// Tells the oldest from the others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    now: u32,
    /// Whoever is older than this bucket goes, …
    bucket: usize,
    /// … and so many of those in it.
    left: usize,
}

impl Cut {
    /// Whether an actor that was used then goes.
    pub(crate) fn takes(&mut self, used: u32) -> bool {
        let at = bucket(age(self.now, used));
        if at == self.bucket && self.left > 0 {
            self.left -= 1;
            return true;
        }
        at > self.bucket
    }
}

/// Nothing for what was used since.
fn age(now: u32, used: u32) -> u32 {
    let age = now.wrapping_sub(used);
    if age.cast_signed() < 0 { 0 } else { age }
}

/// Exact for the first ages, then by a sixteenth.
fn bucket(age: u32) -> usize {
    let Some(shift) = age
        .checked_ilog2()
        .and_then(|log| log.checked_sub(STEP_BITS))
    else {
        return age as usize;
    };
    ((shift << STEP_BITS) + (age >> shift)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u32 = 1_000_000;

    #[test]
    fn buckets_follow_ages() {
        assert_eq!(bucket(u32::MAX), BUCKETS - 1);
        let mut last = 0;
        for age in (0..100_000).chain([1 << 20, u32::MAX / 2, u32::MAX]) {
            let here = bucket(age);
            assert!(here >= last, "{age}");
            last = here;
            if age < 2 * STEPS {
                assert_eq!(here, age as usize);
            }
            let older = age.saturating_add(age / STEPS).saturating_add(1);
            assert!(older == u32::MAX || bucket(older) > here, "{age}");
        }
    }

    #[test]
    fn a_cut_takes_as_many_as_it_was_made_for() {
        let ages: Vec<u32> = (0..1000).map(|number| number * number % 7919).collect();
        let mut all = Ages::at(NOW);
        ages.iter().for_each(|age| all.count(Some(NOW - age)));
        all.count(None);
        assert_eq!(all.active(), 1001);
        for count in [0, 1, 10, 500, 999, 1000, 2000] {
            let mut cut = all.cut(count, 0);
            let taken: Vec<_> = ages.iter().filter(|age| cut.takes(NOW - **age)).collect();
            assert_eq!(taken.len(), count.min(1000));
            // Whoever stays is hardly older than whoever goes.
            let youngest = taken.iter().map(|age| **age).min().unwrap_or(u32::MAX);
            let mut cut = all.cut(count, 0);
            let staying = ages.iter().filter(|age| !cut.takes(NOW - **age));
            let oldest = staying.max().copied().unwrap_or(0);
            assert!(oldest <= youngest.saturating_add(youngest / STEPS + 1));
        }
    }

    #[test]
    fn whoever_is_young_stays() {
        let mut all = Ages::at(NOW);
        (0..2000).for_each(|age| all.count(Some(NOW - age)));
        let mut cut = all.cut(2000, 1000);
        let taken: Vec<_> = (0..2000).filter(|age| cut.takes(NOW - *age)).collect();
        assert!(*taken.first().unwrap() > 1000 && taken.len() > 900);
        assert_eq!(*taken.last().unwrap(), 1999);
    }

    #[test]
    fn the_clock_may_come_round_and_go_on_meanwhile() {
        let mut all = Ages::at(5);
        for used in [5, 0, u32::MAX - 100, 7] {
            all.count(Some(used));
        }
        let mut cut = all.cut(1, 0);
        assert!(!cut.takes(0) && !cut.takes(7) && cut.takes(u32::MAX - 100));
    }
}
