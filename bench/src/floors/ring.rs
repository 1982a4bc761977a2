//! The floor of one-way messages between cores: the mesh's ring by itself, one slot a message.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use quark_shards::ring::{Message, ring};

use super::{FloorError, median, pinned};
use crate::clock::Clock;

const BATCHES: u64 = 40;
const MESSAGES: u64 = 50_000;
/// As many slots as keep the two ends out of each other's way and still fit a core's own cache.
const SLOTS: usize = 1_024;
/// Messages made visible together, and taken together.
const PUBLISHED: u64 = 16;

/// Fills a slot of 64 bytes beside its header.
struct Filler([u64; 7]);

/// What the receiver counts with.
type Count = Cell<u64>;

impl Message<Count> for Filler {
    fn deliver(self, count: &Count, _from: u16) {
        count.set(count.get() + black_box(self.0)[0]);
    }
}

/// Messages per second from `first` to `second`: the median of many batches, each counted until
/// the receiver has seen its last.
///
/// # Errors
///
/// When the cores are one, or either may not be used.
pub fn messages_per_s(first: usize, second: usize) -> Result<f64, FloorError> {
    let (producer, consumer) = ring::<Count>(SLOTS, 0);
    let received = AtomicU64::new(0);
    let seen = &received;
    let clock = Clock::new();
    pinned::on_both(
        (first, second),
        move |_| {
            let batch = |batch| {
                let begun = clock.now();
                for sent in 1..=MESSAGES {
                    let mut filler = Filler([1; 7]);
                    while let Err(back) = producer.push(filler) {
                        producer.publish();
                        filler = back;
                    }
                    if sent % PUBLISHED == 0 {
                        producer.publish();
                    }
                }
                producer.publish();
                while seen.load(Ordering::Acquire) != batch * MESSAGES {}
                MESSAGES as f64 * 1e9 / (clock.now() - begun) as f64
            };
            median((1..=BATCHES).map(batch).collect())
        },
        move || {
            let count = Count::new(0);
            while count.get() < BATCHES * MESSAGES {
                consumer.deliver_up_to(PUBLISHED as usize, &count);
                if count.get().is_multiple_of(MESSAGES) {
                    seen.store(count.get(), Ordering::Release);
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use quark_shards::ring::Producer;

    use super::*;

    #[test]
    fn a_message_fills_one_slot() {
        assert_eq!(Producer::<Count>::slots_of::<Filler>(), 1);
        assert_eq!(size_of::<Filler>() + size_of::<usize>(), 64);
    }
}
