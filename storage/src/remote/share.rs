//! Whose reminders are whose.

use crate::provider::RecordKey;

/// Into how many parts the reminders of a store are divided, by their slots. Servers keep each by
/// itself, so that asking for some costs nothing of the others.
pub const PARTS: u16 = 64;

/// Which reminders a shard looks after: every n-th part. Not those whose records it keeps, since
/// servers know nothing of where keys live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    number: u16,
    of: u16,
}

impl Share {
    /// The share of the shard `number`, from 0, where there are `of`. Beyond as many as there are
    /// parts, they have none.
    ///
    /// # Panics
    /// If there is no such shard.
    #[must_use]
    pub fn new(number: u16, of: u16) -> Self {
        assert!(number < of, "there is no share {number} of {of}");
        Share { number, of }
    }

    /// All.
    #[must_use]
    pub fn whole() -> Self {
        Share::new(0, 1)
    }

    /// Which of `of` shards has `key` in its share.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn holder(key: &RecordKey, of: u16) -> u16 {
        part_of(key) % of
    }

    pub(super) fn parts(self) -> Vec<u16> {
        (self.number..PARTS).step_by(self.of.into()).collect()
    }
}

fn part_of(key: &RecordKey) -> u16 {
    key.slot() % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_in_one_share() {
        for of in [1, 2, 3, 48, 64, 65, 200] {
            let shares: Vec<Vec<u16>> = (0..of).map(|one| Share::new(one, of).parts()).collect();
            let mut all = shares.concat();
            all.sort_unstable();
            assert_eq!(all, (0..PARTS).collect::<Vec<_>>(), "of {of}");
            for slot in [0, 1, 63, 64, 65_535] {
                let key = RecordKey::new("A", "a", "r", slot);
                let holder = Share::holder(&key, of);
                assert!(shares[usize::from(holder)].contains(&part_of(&key)));
            }
        }
    }
}
