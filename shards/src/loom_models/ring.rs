//! The mesh's ring between two threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;

use super::{Seen, Words, check, fails_without};
use crate::ring::{Consumer, Message, Producer, ring};
use crate::sync::Site;

/// Pushes, publishing first where room is short, until the consumer has made some.
fn push_all<const W: usize>(producer: &Producer<Seen>, id: u64) {
    let mut message = Words::<W>::new(id);
    while let Err(back) = producer.push(message) {
        producer.publish();
        message = back;
        thread::yield_now();
    }
}

/// Delivers until `messages` have come.
fn take_all(consumer: &Consumer<Seen>, messages: usize) -> Vec<u64> {
    let seen = Seen::default();
    while seen.borrow().len() < messages {
        if !consumer.deliver_next(&seen) {
            thread::yield_now();
        }
    }
    assert!(!consumer.deliver_next(&seen), "more than was pushed");
    seen.into_inner()
}

/// Small messages, more than the ring holds: two laps.
fn wraps() {
    let (producer, consumer) = ring::<Seen>(2, 0);
    let sender = thread::spawn(move || {
        for id in 1..=4 {
            push_all::<1>(&producer, id);
            producer.publish();
        }
    });
    assert_eq!(take_all(&consumer, 4), [1, 2, 3, 4]);
    sender.join().unwrap();
}

/// The same, each shown as it is pushed; the third only by the fourth.
fn wraps_shown_at_once() {
    let (producer, consumer) = ring::<Seen>(2, 0);
    let sender = thread::spawn(move || {
        for (id, show) in (1..=4).zip([true, true, false, true]) {
            while !producer.push_and_show_if(show, || Words::<1>::new(id)) {
                producer.publish();
                thread::yield_now();
            }
        }
    });
    assert_eq!(take_all(&consumer, 4), [1, 2, 3, 4]);
    sender.join().unwrap();
}

/// Long messages that run over the ring's end and leave their bytes where headers come to lie.
fn runs_over_the_end() {
    let (producer, consumer) = ring::<Seen>(4, 0);
    let sender = thread::spawn(move || {
        push_all::<1>(&producer, 1);
        push_all::<16>(&producer, 2);
        producer.publish();
        push_all::<8>(&producer, 3);
        producer.publish();
        push_all::<1>(&producer, 4);
        producer.publish();
        push_all::<1>(&producer, 5);
        producer.publish();
    });
    assert_eq!(take_all(&consumer, 5), [1, 2, 3, 4, 5]);
    sender.join().unwrap();
}

/// A batch comes whole: one that is announced, as models' batches of more than two slots are.
fn shows_a_batch_at_once() {
    let (producer, consumer) = ring::<Seen>(4, 0);
    let sender = thread::spawn(move || {
        push_all::<1>(&producer, 1);
        push_all::<8>(&producer, 2);
        push_all::<1>(&producer, 3);
        producer.publish();
    });
    let seen = Seen::default();
    loop {
        match consumer.deliver_up_to(3, &seen) {
            0 => thread::yield_now(),
            3 => break,
            part => panic!("{part} of a batch of 3"),
        }
    }
    sender.join().unwrap();
}

/// Counts how often it is dropped, by whatever end.
struct Counted<const W: usize>(std::sync::Arc<AtomicUsize>, [u64; W]);

impl<const W: usize> Message<Seen> for Counted<W> {
    fn deliver(self, _: &Seen, _: u16) {}
}

impl<const W: usize> Drop for Counted<W> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Both ends go while messages are in the ring, one of them not published.
fn drops_everything_once() {
    let dropped = std::sync::Arc::new(AtomicUsize::new(0));
    let (producer, consumer) = ring::<Seen>(4, 0);
    let count = dropped.clone();
    let sender = thread::spawn(move || {
        let _ = producer.push(Counted(count.clone(), [0; 1]));
        producer.publish();
        let _ = producer.push(Counted(count, [0; 10]));
    });
    consumer.deliver_next(&Seen::default());
    drop(consumer);
    sender.join().unwrap();
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}

#[test]
fn ring_wraps() {
    check(wraps);
}

#[test]
fn ring_wraps_shown_at_once() {
    check(wraps_shown_at_once);
}

#[test]
fn ring_runs_over_the_end() {
    check(runs_over_the_end);
}

#[test]
fn ring_shows_a_batch_at_once() {
    check(shows_a_batch_at_once);
}

#[test]
fn ring_drops_everything_once() {
    check(drops_everything_once);
}

fails_without!(
    ring_fails_without_release_on_publish,
    Site::Publish,
    "Causality",
    wraps()
);

fails_without!(
    ring_fails_without_release_on_showing_at_once,
    Site::Publish,
    "Causality",
    wraps_shown_at_once()
);

fails_without!(
    ring_fails_without_release_on_announcing,
    Site::Publish,
    "Causality",
    shows_a_batch_at_once()
);

fails_without!(
    ring_fails_without_acquire_on_peek,
    Site::Peek,
    "Causality",
    wraps()
);

fails_without!(
    ring_fails_without_release_of_slots,
    Site::Release,
    "Causality",
    wraps()
);

fails_without!(
    ring_fails_without_acquire_of_slots,
    Site::Reclaim,
    "Causality",
    wraps()
);

fails_without!(
    ring_fails_without_emptying_later_slots,
    Site::Reset,
    "Causality",
    runs_over_the_end()
);
