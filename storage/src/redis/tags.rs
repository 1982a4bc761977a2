//! E-tags: made here, of numbers that the server gives out in blocks.
//!
//! That a number never comes back is what the server's counters are for; that a save need not count
//! them up spares it a write for each. Their lowest bit says whether the record is small, so that
//! whoever expects it knows how to look at it.

use crate::provider::ETag;
use crate::remote::Op;

use super::batch::BUCKETS;

/// Bytes of what precedes a state's value: its E-tag, and the token of who wrote it.
pub(super) const HEADER: usize = 24;
/// Up to so many bytes, a value is sooner read than left out.
const SMALL_MOST: usize = 1024;
/// Numbers in a block, as a power of two.
const BLOCK_BITS: u32 = 26;
/// Blocks there can be, as a power of two.
const BLOCKS_BITS: u32 = 37;

/// Numbers that nobody else has.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    next: u64,
    end: u64,
}

impl Numbers {
    /// Those of the block that bucket `bucket` gave out as its `count`th; `None` if there are no
    /// more.
    pub(super) fn of_block(bucket: u16, count: u64) -> Option<Self> {
        let block = count.checked_mul(BUCKETS.into())? + u64::from(bucket % BUCKETS);
        if count == 0 || block >= 1 << BLOCKS_BITS {
            return None;
        }
        let next = block << BLOCK_BITS;
        let end = next + (1 << BLOCK_BITS);
        Some(Numbers { next, end })
    }

    /// The first of `count` numbers; `None` if there are not so many left.
    pub(super) fn take(&mut self, count: u64) -> Option<u64> {
        if self.end - self.next < count {
            return None;
        }
        let first = self.next;
        self.next += count;
        Some(first)
    }
}

/// Whether `op` needs an E-tag.
pub(super) fn needs_tag(op: &Op) -> bool {
    matches!(
        op,
        Op::Save { .. }
            | Op::SetReminder {
                reminder: Some(_),
                ..
            }
    )
}

/// The E-tag that `op` gives with this number.
pub(super) fn tag_of(op: &Op, number: u64) -> ETag {
    let is_large = matches!(op, Op::Save { write, .. } if write.value.len() > SMALL_MOST);
    ETag(number << 1 | u64::from(is_large))
}

/// Whether a record that has this E-tag is small. Nothing has 0.
pub(super) fn is_small(ETag(tag): ETag) -> bool {
    tag != 0 && tag & 1 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_do_not_overlap() {
        let mut ends = Vec::new();
        for (bucket, count) in [(0, 1), (1, 1), (63, 1), (0, 2), (63, (1 << 31) - 1)] {
            let block = Numbers::of_block(bucket, count).expect("there are so many");
            ends.push((block.next, block.end));
        }
        assert!(ends.is_sorted_by(|one, next| one.1 <= next.0));
        assert!(
            ends.iter()
                .all(|(_, end)| end << 1 >> 1 == *end || *end == 1 << 63)
        );
        for (bucket, count) in [(0, 0), (0, 1 << 31), (0, u64::MAX)] {
            assert!(Numbers::of_block(bucket, count).is_none(), "{count}");
        }
    }

    #[test]
    fn a_block_ends() {
        let mut block = Numbers::of_block(3, 7).expect("there are so many");
        let first = block.take(1 << 25).expect("half of them");
        assert_eq!(block.take(1 << 25), Some(first + (1 << 25)));
        assert_eq!(
            (block.take(1), block.take(0)),
            (None, Some(first + (1 << 26)))
        );
        assert_eq!(Numbers::default().take(1), None);
    }
}
