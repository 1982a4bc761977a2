//! What is on its way to the disk, by record: the saves of a batch ask for nothing as often.

use hashbrown::HashTable;

use super::index::Mark;

/// A record that will have changed once all that is queued is durable.
pub(super) struct Ahead {
    pub(super) mark: Mark,
    /// Its sequence then (a journal's length); `None` if it is gone.
    pub(super) current: Option<u64>,
    /// The sequence of the record that does it.
    pub(super) by: u64,
}

/// The last change of each record.
#[derive(Default)]
pub(super) struct Aheads(HashTable<Ahead>);

impl Aheads {
    pub(super) fn get(&self, mark: Mark) -> Option<&Ahead> {
        self.0.find(mark.low(), |ahead| ahead.mark == mark)
    }

    /// Puts `ahead` in the place of the one before.
    pub(super) fn put(&mut self, ahead: Ahead) {
        let mark = ahead.mark;
        match self.0.find_mut(mark.low(), |there| there.mark == mark) {
            Some(there) => *there = ahead,
            None => {
                let hash = |ahead: &Ahead| ahead.mark.low();
                self.0.insert_unique(mark.low(), ahead, hash);
            }
        }
    }

    /// The change of `mark` with the sequence `by` is durable: there is none ahead of it, unless
    /// another one has followed.
    pub(super) fn arrived(&mut self, mark: Mark, by: u64) {
        let found = |ahead: &Ahead| ahead.mark == mark && ahead.by == by;
        if let Ok(found) = self.0.find_entry(mark.low(), found) {
            found.remove();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
