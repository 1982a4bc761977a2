//! Recycled memory in size classes: where tasks and waiting messages live.
//!
//! A block taken and given back costs a few instructions and never meets the global allocator
//! again; memory once taken stays with its core until the pool is dropped.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

/// The alignment of every block, in bytes: a cache line.
pub const BLOCK_ALIGN: usize = 64;
/// The smallest class, in bytes; each further class is twice as large.
const SMALLEST: usize = 64;
const CLASSES: usize = 26;
/// Blocks of up to this size are carved from chunks of [`CHUNK`] bytes.
const CARVED: usize = 4096;
const CHUNK: usize = 64 * 1024;

/// A size class of a [`BlockPool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockClass(u8);

impl BlockClass {
    /// The class whose blocks hold `size` bytes.
    ///
    /// # Panics
    /// If `size` is beyond the largest class (2 GiB): no future and no message is that large.
    #[must_use]
    #[inline]
    pub const fn of(size: usize) -> Self {
        let size = if size < SMALLEST { SMALLEST } else { size };
        let class = (size.next_power_of_two() / SMALLEST).trailing_zeros();
        assert!(
            (class as usize) < CLASSES,
            "a block of over 2 GiB was asked for"
        );
        BlockClass(class as u8)
    }

    /// Bytes in a block of this class.
    #[must_use]
    #[inline]
    pub const fn size(self) -> usize {
        SMALLEST << self.0
    }
}

/// Free blocks by class, and the chunks they came from. Single-threaded.
pub struct BlockPool {
    free: [Cell<Option<NonNull<FreeBlock>>>; CLASSES],
    chunks: RefCell<Vec<(NonNull<u8>, Layout)>>,
}

struct FreeBlock {
    next: Option<NonNull<FreeBlock>>,
}

impl Default for BlockPool {
    fn default() -> Self {
        BlockPool {
            free: [const { Cell::new(None) }; CLASSES],
            chunks: RefCell::default(),
        }
    }
}

impl BlockPool {
    /// Takes a block of `class`, uninitialised and aligned to [`BLOCK_ALIGN`].
    #[must_use]
    #[inline]
    pub fn take(&self, class: BlockClass) -> NonNull<u8> {
        let head = &self.free[class.0 as usize];
        match head.get() {
            Some(block) => {
                // SAFETY: blocks on the free list are ours alone and hold a `FreeBlock`.
                head.set(unsafe { block.as_ref() }.next);
                block.cast()
            }
            None => self.refill(class),
        }
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// `block` came from [`take`](Self::take) of this pool with this `class`, and nobody uses it
    /// any more.
    #[inline]
    pub unsafe fn give(&self, block: NonNull<u8>, class: BlockClass) {
        let head = &self.free[class.0 as usize];
        let block = block.cast::<FreeBlock>();
        // SAFETY: the caller gave the block up; every class is large and aligned enough.
        unsafe { block.write(FreeBlock { next: head.get() }) };
        head.set(Some(block));
    }

    /// Memory held from the global allocator, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.chunks
            .borrow()
            .iter()
            .map(|(_, layout)| layout.size())
            .sum()
    }

    #[cold]
    #[inline(never)]
    fn refill(&self, class: BlockClass) -> NonNull<u8> {
        let size = class.size();
        let bytes = if size <= CARVED { CHUNK } else { size };
        let layout = Layout::from_size_align(bytes, BLOCK_ALIGN).expect("a class fits a layout");
        // SAFETY: the layout is not empty.
        let Some(chunk) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        self.chunks.borrow_mut().push((chunk, layout));
        for offset in (size..bytes).step_by(size).rev() {
            // SAFETY: `offset` lies in the chunk, and the blocks do not overlap.
            unsafe { self.give(chunk.add(offset), class) };
        }
        chunk
    }
}

impl Drop for BlockPool {
    fn drop(&mut self) {
        for (chunk, layout) in self.chunks.get_mut().drain(..) {
            // SAFETY: allocated in `refill` with this very layout; users gave their blocks up.
            unsafe { dealloc(chunk.as_ptr(), layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_sizes() {
        for size in [0, 1, 63, 64, 65, 100, 4096, 5000, 1 << 20] {
            let class = BlockClass::of(size);
            assert!(class.size() >= size);
            assert!(class.size() == SMALLEST || class.size() < size.max(1) * 2);
        }
    }

    #[test]
    fn blocks_are_recycled_and_distinct() {
        let pool = BlockPool::default();
        let class = BlockClass::of(200);
        let blocks: Vec<_> = (0..1000).map(|_| pool.take(class)).collect();
        let mut addresses: Vec<_> = blocks.iter().map(|b| b.as_ptr().addr()).collect();
        addresses.sort_unstable();
        assert!(
            addresses
                .windows(2)
                .all(|pair| pair[1] - pair[0] >= class.size())
        );
        assert!(addresses.iter().all(|a| a.is_multiple_of(BLOCK_ALIGN)));
        let held = pool.held_bytes();
        for block in blocks {
            // SAFETY: taken above with this class, used no more.
            unsafe { pool.give(block, class) };
        }
        for _ in 0..1000 {
            let _ = pool.take(class);
        }
        assert_eq!(pool.held_bytes(), held);
    }
}
