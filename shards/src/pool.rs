//! A shard's buffers, kept for reuse by size.

use std::cell::{Cell, RefCell};

use bytes::BytesMut;

/// The smallest size kept, in bytes.
const SMALLEST: usize = 256;
/// The largest size kept, in bytes.
const LARGEST: usize = 64 * 1024;
/// Sizes kept: every power of two between.
const CLASSES: usize = (LARGEST / SMALLEST).ilog2() as usize + 1;

/// Buffers of 256 B to 64 KiB, by powers of two. One shard's own, and bounded: each size keeps at
/// most the bytes that the pool was made with.
#[derive(Debug)]
pub struct BufferPool {
    classes: [RefCell<Vec<BytesMut>>; CLASSES],
    bytes_per_class: usize,
    counters: Cell<PoolCounters>,
}

/// What a pool has done so far, in buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounters {
    /// Taken and served from the pool.
    pub reused: u64,
    /// Taken and newly allocated.
    pub allocated: u64,
    /// Given back and kept.
    pub kept: u64,
    /// Given back and freed: of no size kept, or more than the pool keeps.
    pub freed: u64,
}

impl BufferPool {
    /// An empty pool that keeps at most `bytes_per_class` bytes of each of its nine sizes.
    #[must_use]
    pub fn new(bytes_per_class: usize) -> Self {
        BufferPool {
            classes: Default::default(),
            bytes_per_class,
            counters: Cell::default(),
        }
    }

    /// An empty buffer with room for at least `capacity` bytes. More than 64 KiB are allocated
    /// as asked.
    #[must_use]
    pub fn take(&self, capacity: usize) -> BytesMut {
        let Some((class, size)) = class_for(capacity) else {
            self.count(|counters| counters.allocated += 1);
            return BytesMut::with_capacity(capacity);
        };
        if let Some(buffer) = self.classes[class].borrow_mut().pop() {
            self.count(|counters| counters.reused += 1);
            return buffer;
        }
        self.count(|counters| counters.allocated += 1);
        BytesMut::with_capacity(size)
    }

    /// Takes a buffer back; its content is forgotten.
    pub fn give(&self, mut buffer: BytesMut) {
        buffer.clear();
        if self.keep(buffer) {
            self.count(|counters| counters.kept += 1);
        } else {
            self.count(|counters| counters.freed += 1);
        }
    }

    /// What the pool has done so far.
    #[must_use]
    pub fn counters(&self) -> PoolCounters {
        self.counters.get()
    }

    fn keep(&self, mut buffer: BytesMut) -> bool {
        let Some((class, size)) = class_for(buffer.capacity()) else {
            return false;
        };
        // What was read off its front comes back, if nobody else holds it.
        if buffer.capacity() < size && !buffer.try_reclaim(size) {
            return false;
        }
        if buffer.capacity() != size {
            return false;
        }
        let mut kept = self.classes[class].borrow_mut();
        let room = (kept.len() + 1) * size <= self.bytes_per_class;
        if room {
            kept.push(buffer);
        }
        room
    }

    fn count(&self, change: impl FnOnce(&mut PoolCounters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }
}

/// The smallest size kept that holds `capacity` bytes: its number, and its bytes.
fn class_for(capacity: usize) -> Option<(usize, usize)> {
    if capacity > LARGEST {
        return None;
    }
    let size = capacity.next_power_of_two().max(SMALLEST);
    Some(((size / SMALLEST).ilog2() as usize, size))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use bytes::Buf;

    use super::*;

    #[test]
    fn serves_every_size_and_reuses_what_comes_back() {
        let pool = BufferPool::new(1 << 20);
        for capacity in [0, 1, 256, 257, 5000, LARGEST - 1, LARGEST] {
            let mut buffer = pool.take(capacity);
            assert!(buffer.is_empty() && buffer.capacity() >= capacity);
            buffer.extend_from_slice(b"old");
            let place = buffer.as_ptr();
            pool.give(buffer);
            let again = pool.take(capacity);
            assert!(again.is_empty() && again.as_ptr() == place);
        }
        let counters = pool.counters();
        assert_eq!((counters.reused, counters.kept, counters.freed), (7, 7, 0));
    }

    #[test]
    fn frees_what_is_of_no_size_and_what_is_too_much() {
        let pool = BufferPool::new(1024);
        pool.give(pool.take(LARGEST + 1));
        pool.give(BytesMut::with_capacity(300));
        pool.give(BytesMut::new());
        assert_eq!(pool.counters().freed, 3);
        let buffers: Vec<_> = (0..5).map(|_| pool.take(256)).collect();
        buffers.into_iter().for_each(|buffer| pool.give(buffer));
        assert_eq!((pool.counters().kept, pool.counters().freed), (4, 4));
    }

    #[test]
    fn takes_back_a_buffer_read_from_its_front_but_not_a_shared_one() {
        let pool = BufferPool::new(1 << 20);
        let mut read = pool.take(512);
        read.extend_from_slice(&[7; 512]);
        read.advance(100);
        pool.give(read);
        assert_eq!(pool.counters().kept, 1);
        let mut shared = pool.take(512);
        shared.extend_from_slice(&[7; 512]);
        let front = shared.split_to(100).freeze();
        pool.give(shared);
        assert_eq!((pool.counters().freed, front.len()), (1, 100));
    }
}
