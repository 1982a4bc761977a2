//! Where each record lies: 24 bytes a record, and the table's slack.

use std::cell::Cell;

use hashbrown::HashTable;

use super::format::{GRAIN, Item};

/// Segments are numbered below this.
pub(super) const SEGMENTS_MOST: u32 = 1 << 24;
/// A segment's bytes at most: what 24 bits reach.
pub(super) const SEGMENT_BYTES_MOST: u64 = (GRAIN as u64) << 24;
/// Sequences are below this.
pub(super) const SEQUENCES_MOST: u64 = 1 << 56;

/// What is looked for: what a record is, and 78 bits of what names it. What is found is compared
/// by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    low: u64,
    high: u16,
}

/// What a mark or an entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    State,
    Reminder,
    Journal,
    Event,
}

/// Where in a mark its kind is: amid the hash, since a table looks at both its ends.
const KIND_AT: u32 = 48;

impl Mark {
    pub(super) fn state(fingerprint: u128) -> Self {
        Mark::mixed(fingerprint, 0, Marked::State)
    }

    pub(super) fn reminder(fingerprint: u128) -> Self {
        Mark::mixed(fingerprint, 0x9ae1_6a3b_2f90_404f, Marked::Reminder)
    }

    /// Of a journal as a whole.
    pub(super) fn journal(fingerprint: u128) -> Self {
        Mark::mixed(fingerprint, 0xc3a5_c85c_97cb_3127, Marked::Journal)
    }

    pub(super) fn event(fingerprint: u128, number: u64) -> Self {
        let number = (number ^ number >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let number = number ^ number >> 32 ^ 0xb492_b66f_be98_f273;
        Mark::mixed(fingerprint, number, Marked::Event)
    }

    fn mixed(fingerprint: u128, with: u64, kind: Marked) -> Self {
        let low = (fingerprint as u64 ^ with) & !(3 << KIND_AT);
        Mark {
            low: low | (kind as u64) << KIND_AT,
            high: (fingerprint >> 64) as u16,
        }
    }
}

/// Where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) segment: u32,
    /// From the segment's beginning; a multiple of [`GRAIN`].
    pub(super) offset: u64,
}

/// What is known of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    low: u64,
    /// From above: 24 bits of segment, 24 of offset, 16 of the mark.
    place: u64,
    /// From above: 56 bits of number, 8 of size.
    number: u64,
}

impl Entry {
    pub(super) fn new(mark: Mark, place: Place, number: u64, size: usize) -> Self {
        let segment = u64::from(place.segment) << 40;
        let offset = (place.offset / GRAIN as u64) << 16;
        Entry {
            low: mark.low,
            place: segment | offset | u64::from(mark.high),
            number: number << 8 | u64::from(size_code(size)),
        }
    }

    pub(super) fn place(&self) -> Place {
        Place {
            segment: (self.place >> 40) as u32,
            offset: (self.place >> 16 & 0xff_ffff) * GRAIN as u64,
        }
    }

    /// The record's sequence; of a journal as a whole, its length.
    pub(super) fn number(&self) -> u64 {
        self.number >> 8
    }

    /// About how many bytes it has.
    pub(super) fn size(&self) -> u64 {
        size_of(self.number as u8)
    }

    /// It has fewer than so many bytes.
    pub(super) fn size_most(&self) -> usize {
        let size = self.size();
        usize::try_from(size + size / 8).unwrap_or(usize::MAX)
    }

    pub(super) fn kind(&self) -> Marked {
        match self.low >> KIND_AT & 3 {
            0 => Marked::State,
            1 => Marked::Reminder,
            2 => Marked::Journal,
            _ => Marked::Event,
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            low: self.low,
            high: self.place as u16,
        }
    }

    /// As a snapshot keeps it.
    pub(super) fn to_item(self) -> Item {
        [self.low, self.place, self.number]
    }

    pub(super) fn of_item([low, place, number]: Item) -> Self {
        Entry { low, place, number }
    }

    fn is_of(&self, mark: Mark) -> bool {
        self.low == mark.low && self.place as u16 == mark.high
    }
}

/// The records that can be read.
#[derive(Default)]
pub(super) struct Index {
    table: HashTable<Entry>,
    /// How many entries have been moved to other places in the table.
    moved: Cell<u64>,
}

impl Index {
    pub(super) fn get(&self, mark: Mark) -> Option<Entry> {
        self.table
            .find(mark.low, |entry| entry.is_of(mark))
            .copied()
    }

    /// The record that has this sequence, among those whose marks begin so.
    pub(super) fn get_version(&self, low: u64, sequence: u64) -> Option<Entry> {
        let found = |entry: &Entry| entry.low == low && entry.number() == sequence;
        self.table.find(low, found).copied()
    }

    /// Puts `entry` in; gives what it replaces.
    pub(super) fn put(&mut self, mark: Mark, entry: Entry) -> Option<Entry> {
        let there = self.table.find_mut(mark.low, |entry| entry.is_of(mark));
        if let Some(there) = there {
            return Some(std::mem::replace(there, entry));
        }
        let moved = &self.moved;
        self.table.insert_unique(mark.low, entry, |entry| {
            moved.set(moved.get() + 1);
            entry.low
        });
        None
    }

    pub(super) fn remove(&mut self, mark: Mark) -> Option<Entry> {
        let found = self.table.find_entry(mark.low, |entry| entry.is_of(mark));
        found.ok().map(|found| found.remove().0)
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Makes room for so many at once.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.table.reserve(entries, |entry| entry.low);
    }

    /// Changes when entries are moved to other places in the table.
    pub(super) fn moved(&self) -> u64 {
        self.moved.get()
    }

    /// The entries at a run of places from `from` on, `most` at most, and where to go on; `None` at
    /// the end. As long as [`moved`](Self::moved) says the same, who goes through all places sees
    /// each entry that is there all the while.
    pub(super) fn some_from(
        &self,
        from: usize,
        most: usize,
        into: &mut Vec<Item>,
    ) -> Option<usize> {
        let end = self.table.num_buckets();
        for place in from..end.min(from + 4 * most) {
            if into.len() >= most {
                return Some(place);
            }
            into.extend(self.table.get_bucket(place).map(|entry| entry.to_item()));
        }
        (from + 4 * most < end).then_some(from + 4 * most)
    }
}

impl Mark {
    pub(super) fn low(self) -> u64 {
        self.low
    }
}

/// Five bits of exponent and three behind the leading one: an eighth at most is cut off.
fn size_code(size: usize) -> u8 {
    let size = (size as u64).max(8);
    let exponent = size.ilog2();
    let mantissa = size >> (exponent - 3) & 7;
    (exponent.min(31) << 3) as u8 | mantissa as u8
}

fn size_of(code: u8) -> u64 {
    let exponent = u32::from(code >> 3).max(3);
    (8 | u64::from(code & 7)) << (exponent - 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_small_and_lossless() {
        assert_eq!(size_of::<Entry>(), 24);
        let place = Place {
            segment: SEGMENTS_MOST - 1,
            offset: SEGMENT_BYTES_MOST - GRAIN as u64,
        };
        let mark = Mark::event(u128::MAX / 3, 7);
        let entry = Entry::new(mark, place, SEQUENCES_MOST - 1, 100);
        assert_eq!(entry.place(), place);
        assert_eq!(entry.number(), SEQUENCES_MOST - 1);
        assert!(entry.is_of(mark));
        assert!(!entry.is_of(Mark::event(u128::MAX / 3, 8)));
        assert_eq!(entry.kind(), Marked::Event);
        assert_eq!(Entry::of_item(entry.to_item()), entry);
        assert_eq!(entry.mark(), mark);
        fn size_of<T>() -> usize {
            std::mem::size_of::<T>()
        }
    }

    #[test]
    fn all_are_seen_by_going_through_the_places() {
        let mut index = Index::default();
        let before = index.moved();
        for number in 0..1000 {
            let mark = Mark::event(77 << 60, number);
            let place = Place {
                segment: 1,
                offset: 0,
            };
            index.put(mark, Entry::new(mark, place, number, 64));
        }
        assert!(index.moved() > before, "it has grown");
        let (mut from, mut seen) = (Some(0), Vec::new());
        while let Some(at) = from {
            let mut some = Vec::new();
            from = index.some_from(at, 10, &mut some);
            assert!(some.len() <= 10);
            seen.extend(some.iter().map(|item| Entry::of_item(*item).number()));
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn sizes_are_about_right() {
        for size in [8, 56, 100, 4096, 5000, 1 << 20, (1 << 20) + 20_000] {
            let about = super::size_of(size_code(size)) as usize;
            assert!(about <= size && about * 8 >= size * 7, "{size} as {about}");
            assert!(about + about / 8 > size, "{size} as {about}");
        }
    }

    #[test]
    fn what_is_put_is_found_until_it_is_removed() {
        let mut index = Index::default();
        for number in 0..1000u64 {
            let mark = Mark::event(12345 << 60, number);
            let place = Place {
                segment: 1,
                offset: number * 16,
            };
            assert_eq!(index.put(mark, Entry::new(mark, place, number, 64)), None);
        }
        for number in 0..1000u64 {
            let mark = Mark::event(12345 << 60, number);
            assert_eq!(index.get(mark).map(|entry| entry.number()), Some(number));
            assert!(index.remove(mark).is_some());
            assert_eq!(index.get(mark), None);
        }
    }
}
