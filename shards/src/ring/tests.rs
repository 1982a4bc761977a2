//! Tests of the mesh ring in one thread and in two; its orderings are model-checked elsewhere.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use proptest::prelude::*;

use super::header::MOST_ANNOUNCED;
use super::*;

type Seen = RefCell<Vec<u64>>;

/// A message of `8 * W` bytes; every word follows from the first.
struct Words<const W: usize>([u64; W]);

impl<const W: usize> Words<W> {
    fn new(id: u64) -> Self {
        Words(std::array::from_fn(|i| id + i as u64))
    }
}

impl<const W: usize> Message<Seen> for Words<W> {
    fn deliver(self, seen: &Seen, from: u16) {
        assert_eq!(from, 7);
        assert!((0..).zip(self.0).all(|(i, word)| word == self.0[0] + i));
        seen.borrow_mut().push(self.0[0]);
    }
}

fn push_sized(ring: &Producer<Seen>, id: u64, size: u8) -> bool {
    match size % 6 {
        0 => ring.push(Words::<1>::new(id)).is_ok(),
        1 => ring.push(Words::<7>::new(id)).is_ok(),
        2 => ring.push(Words::<8>::new(id)).is_ok(),
        3 => ring.push(Words::<16>::new(id)).is_ok(),
        4 => ring.push(Words::<40>::new(id)).is_ok(),
        _ => ring.push(Words::<127>::new(id)).is_ok(),
    }
}

#[test]
fn small_messages_take_one_slot_and_the_largest_all() {
    assert_eq!(Producer::<Seen>::slots_of::<()>(), 1);
    assert_eq!(Producer::<Seen>::slots_of::<[u64; 7]>(), 1);
    assert_eq!(Producer::<Seen>::slots_of::<[u64; 8]>(), 2);
    assert_eq!(Producer::<Seen>::slots_of::<[u64; 127]>(), MAX_SLOTS);
}

#[test]
fn a_message_is_made_only_where_there_is_room_for_it() {
    let (producer, consumer) = ring::<Seen>(MAX_SLOTS, 7);
    let seen = Seen::default();
    for id in 0..MAX_SLOTS as u64 {
        assert!(producer.push_with(|| Words::<1>::new(id)));
    }
    assert!(!producer.push_with(|| -> Words<1> { unreachable!("no room") }));
    producer.publish();
    assert_eq!(consumer.deliver_up_to(usize::MAX, &seen), MAX_SLOTS);
    assert_eq!(
        *seen.borrow(),
        (0..MAX_SLOTS as u64).collect::<Vec<_>>(),
        "in order"
    );
}

#[test]
fn a_message_shown_at_once_shows_those_hidden_before_it() {
    let (producer, consumer) = ring(MAX_SLOTS, 7);
    let seen = Seen::default();
    let mut come = Vec::new();
    // Laps in which each place is shown by its own store, and by that of a later one.
    for lap in 0..50_u64 {
        for (id, show) in (4 * lap..).zip([true, false, false, true]) {
            assert!(producer.push_and_show_if(show, || Words::<1>::new(id)));
            assert_eq!(producer.has_unpublished(), !show);
        }
        assert!(consumer.deliver_next(&seen));
        assert_eq!(consumer.deliver_up_to(usize::MAX, &seen), 3);
        come.extend(4 * lap..4 * lap + 4);
    }
    assert!(!producer.publish(), "nothing is hidden");
    assert_eq!(*seen.borrow(), come);
}

#[test]
fn a_message_that_pushes_while_it_is_made_harms_only_itself() {
    let (producer, consumer) = ring::<Seen>(64, 7);
    let seen = Seen::default();
    let nested = catch_unwind(AssertUnwindSafe(|| {
        producer.push_with(|| {
            assert!(producer.push_with(|| Words::<40>::new(1)));
            Words::<1>::new(2)
        })
    }));
    assert!(nested.is_err());
    assert!(producer.push_with(|| Words::<1>::new(3)));
    producer.publish();
    assert_eq!(consumer.deliver_up_to(usize::MAX, &seen), 2);
    assert_eq!(*seen.borrow(), [1, 3]);
}

#[test]
fn nothing_is_seen_before_it_is_published() {
    let (producer, consumer) = ring::<Seen>(64, 7);
    let seen = Seen::default();
    assert!(!producer.publish());
    for id in 0..3 {
        assert!(push_sized(&producer, id * 1000, id as u8));
    }
    assert!(producer.has_unpublished());
    assert!(consumer.is_empty() && !consumer.deliver_next(&seen));
    assert!(producer.publish());
    assert!(!producer.has_unpublished() && !consumer.is_empty());
    assert_eq!(consumer.deliver_up_to(2, &seen), 2);
    assert_eq!(consumer.deliver_up_to(usize::MAX, &seen), 1);
    assert_eq!(*seen.borrow(), [0, 1000, 2000]);
}

#[test]
fn a_full_ring_gives_the_message_back() {
    let (producer, consumer) = ring::<Seen>(16, 7);
    let seen = Seen::default();
    for id in 0..16 {
        assert!(push_sized(&producer, id, 0));
    }
    assert_eq!(
        producer.push(Words::<1>::new(99)).map_err(|back| back.0),
        Err([99])
    );
    assert_eq!(producer.free_slots(), 0);
    producer.publish();
    assert!(consumer.deliver_next(&seen));
    assert_eq!(producer.free_slots(), 1);
    assert!(!push_sized(&producer, 99, 2) && push_sized(&producer, 99, 0));
}

proptest! {
    #[test]
    fn behaves_as_a_queue(steps in prop::collection::vec((0u8..8, any::<u8>()), 1..600)) {
        let (producer, consumer) = ring::<Seen>(32, 7);
        let (seen, mut hidden, mut shown) = (Seen::default(), vec![], VecDeque::new());
        let (mut next, mut used) = (0u64, VecDeque::new());
        for (step, size) in steps {
            match step {
                0..4 => {
                    let slots = [1, 1, 2, 3, 6, 16][usize::from(size % 6)];
                    let fits = used.iter().sum::<usize>() + slots <= 32;
                    prop_assert_eq!(push_sized(&producer, next, size), fits);
                    if fits {
                        hidden.push(next);
                        used.push_back(slots);
                        next += 1000;
                    }
                }
                4..6 => {
                    prop_assert_eq!(producer.publish(), !hidden.is_empty());
                    shown.extend(hidden.drain(..));
                }
                _ => {
                    let budget = usize::from(size % 7);
                    let taken = consumer.deliver_up_to(budget, &seen);
                    prop_assert_eq!(taken, budget.min(shown.len()));
                    prop_assert_eq!(seen.take(), shown.drain(..taken).collect::<Vec<_>>());
                    used.drain(..taken);
                }
            }
            prop_assert_eq!(consumer.is_empty(), shown.is_empty());
            prop_assert_eq!(producer.free_slots(), 32 - used.iter().sum::<usize>());
        }
    }
}

#[test]
fn two_threads_pass_mixed_sizes_in_order() {
    let messages: u64 = if cfg!(miri) { 2_000 } else { 1_000_000 };
    let (producer, consumer) = ring::<Seen>(256, 7);
    let sender = std::thread::spawn(move || {
        for id in 0..messages {
            let size = (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) as u8;
            while !push_sized(&producer, id << 8, size) {
                producer.publish();
                std::thread::yield_now();
            }
            if id % 5 == 0 {
                producer.publish();
            }
        }
    });
    let (seen, mut expected) = (Seen::default(), 0);
    while expected < messages {
        if consumer.deliver_up_to(100, &seen) == 0 {
            std::thread::yield_now();
        }
        for id in seen.borrow_mut().drain(..) {
            assert_eq!(id, expected << 8);
            expected += 1;
        }
    }
    sender.join().unwrap();
    assert!(consumer.is_empty());
}

#[test]
fn a_batch_too_long_to_announce_comes_whole() {
    if cfg!(miri) {
        return;
    }
    let (producer, consumer) = ring::<Seen>(2 * MOST_ANNOUNCED, 7);
    let seen = Seen::default();
    for batch in [MOST_ANNOUNCED - 1, MOST_ANNOUNCED, MOST_ANNOUNCED + 1] {
        for id in 0..batch as u64 {
            assert!(producer.push_with(|| Words::<1>::new(id)));
        }
        assert!(consumer.is_empty());
        assert!(producer.publish());
        assert_eq!(consumer.deliver_up_to(10, &seen), 10, "a part of it");
        assert_eq!(consumer.deliver_up_to(usize::MAX, &seen), batch - 10);
        assert!(seen.take().into_iter().eq(0..batch as u64), "in order");
        assert_eq!(producer.free_slots(), producer.capacity_slots());
    }
}

/// A receiver whose messages take others from the ring that they came by.
#[derive(Default)]
struct Nesting {
    ends: OnceCell<(Producer<Nesting>, Consumer<Nesting>)>,
    seen: RefCell<Vec<u64>>,
}

/// Sends `more` when it arrives, then has `deep` messages delivered before it is done.
struct Nested<const W: usize> {
    id: u64,
    more: u64,
    deep: usize,
    _long: [u64; W],
}

impl<const W: usize> Nested<W> {
    fn new(id: u64, more: u64, deep: usize) -> Self {
        let _long = [0; W];
        Nested {
            id,
            more,
            deep,
            _long,
        }
    }
}

impl<const W: usize> Message<Nesting> for Nested<W> {
    fn deliver(self, at: &Nesting, _: u16) {
        at.seen.borrow_mut().push(self.id);
        let (producer, consumer) = at.ends.get().unwrap();
        for id in 0..self.more {
            assert!(producer.push_with(|| Self::new(100 * self.id + id, 0, 0)));
        }
        producer.publish();
        let nested = consumer.deliver_up_to(self.deep, at);
        assert_eq!(nested, self.deep);
    }
}

#[test]
fn a_message_may_take_others_while_it_is_delivered() {
    take_nested::<1>();
    // Batches that are announced.
    take_nested::<50>();
}

fn take_nested<const W: usize>() {
    let at = Nesting::default();
    assert!(at.ends.set(ring(128, 7)).is_ok());
    let (producer, consumer) = at.ends.get().unwrap();
    for _ in 0..20 {
        // A part of its own batch; the next and a part of those after it; what it has itself sent.
        for (id, more, deep) in [(1, 3, 1), (2, 0, 0), (3, 0, 3), (4, 2, 3)] {
            assert!(producer.push_with(|| Nested::<W>::new(id, more, deep)));
            if id == 3 {
                producer.publish();
            }
        }
        producer.publish();
        assert_eq!(consumer.deliver_up_to(1, &at), 1);
        assert_eq!(*at.seen.borrow(), [1, 2]);
        assert_eq!(consumer.deliver_up_to(usize::MAX, &at), 1);
        assert_eq!(at.seen.take(), [1, 2, 3, 4, 100, 101, 102, 400, 401]);
        assert!(consumer.is_empty());
        assert_eq!(producer.free_slots(), 128);
    }
}

struct Held<const W: usize>((Arc<()>, [u64; W]));

impl<const W: usize> Message<Seen> for Held<W> {
    fn deliver(self, _: &Seen, _: u16) {
        assert!(self.0.1 == [0; W], "boom");
    }
}

#[test]
fn what_is_left_is_dropped_once_whoever_goes_first() {
    for consumer_first in [true, false] {
        let (producer, consumer) = ring::<Seen>(256, 7);
        let (count, seen) = (Arc::new(()), Seen::default());
        for _ in 0..20 {
            assert!(producer.push(Held((Arc::clone(&count), [0; 2]))).is_ok());
            assert!(producer.push(Held((Arc::clone(&count), [0; 30]))).is_ok());
        }
        producer.publish();
        assert_eq!(consumer.deliver_up_to(7, &seen), 7);
        assert!(producer.push(Held((Arc::clone(&count), [0; 2]))).is_ok());
        assert_eq!(Arc::strong_count(&count), 1 + 33 + 1);
        if consumer_first {
            drop(consumer);
            assert!(producer.is_closed());
            assert_eq!(Arc::strong_count(&count), 2);
            drop(producer);
        } else {
            drop(producer);
            assert_eq!(consumer.deliver_up_to(usize::MAX, &seen), 34);
            drop(consumer);
        }
        assert_eq!(Arc::strong_count(&count), 1);
    }
}

#[test]
fn a_panic_loses_only_its_own_message() {
    let (producer, consumer) = ring::<Seen>(64, 7);
    let (count, seen) = (Arc::new(()), Seen::default());
    for lap in 0..20 {
        assert!(push_sized(&producer, lap, 0));
        assert!(producer.push(Held((Arc::clone(&count), [1; 30]))).is_ok());
        assert!(push_sized(&producer, lap, 4));
        producer.publish();
        let batch = || consumer.deliver_up_to(usize::MAX, &seen);
        assert!(catch_unwind(AssertUnwindSafe(batch)).is_err());
        assert_eq!(Arc::strong_count(&count), 1);
        assert_eq!(consumer.deliver_up_to(usize::MAX, &seen), 1);
        assert_eq!(seen.take(), [lap, lap]);
        assert_eq!(producer.free_slots(), 64);
    }
}

#[test]
fn a_panic_while_dropping_drops_nothing_twice() {
    struct Grudge(Arc<()>);
    impl Message<Seen> for Grudge {
        fn deliver(self, _: &Seen, _: u16) {}
    }
    impl Drop for Grudge {
        fn drop(&mut self) {
            assert_eq!(
                Arc::strong_count(&self.0),
                0,
                "never zero while one is held"
            );
        }
    }
    let (producer, consumer) = ring::<Seen>(64, 7);
    let count = Arc::new(());
    assert!(producer.push(Grudge(Arc::clone(&count))).is_ok());
    assert!(producer.push(Held((Arc::clone(&count), [0; 1]))).is_ok());
    producer.publish();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(consumer))).is_err());
    drop(producer);
    assert_eq!(Arc::strong_count(&count), 1);
}
