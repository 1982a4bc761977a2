//! The handshake of sleep with all that brings work: a lost wake-up is a deadlock, which loom
//! reports.

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Notify};
use loom::thread;

use super::{Seen, Words, check, check_within, fails_without};
use crate::driver::Bell;
use crate::inbox::{Inbox, Wake, WakeInbox};
use crate::park::Sleeper;
use crate::ring::{Producer, ring};
use crate::sync::Site;

/// An eventfd: a ring is kept until waited for, and waiting may end for no reason.
#[derive(Default)]
struct Eventfd(Notify);

impl Bell for Eventfd {
    fn ring(&self) {
        self.0.notify();
    }
}

/// The shard's side: `work` until it says that all is done, sleeping when there is `nothing`.
fn run_shard(
    sleeper: &Sleeper,
    bell: &Eventfd,
    nothing: impl Fn() -> bool,
    mut work: impl FnMut() -> bool,
) {
    while !work() {
        sleeper.prepare();
        if nothing() {
            bell.0.wait();
        } else {
            // What has begun to come may need its sender to run on.
            thread::yield_now();
        }
        sleeper.awake();
    }
}

fn shard() -> (Arc<Sleeper>, std::sync::Arc<Eventfd>) {
    (
        Arc::new(Sleeper::new()),
        std::sync::Arc::new(Eventfd::default()),
    )
}

/// A pass of a peer that has sent.
fn send(producer: &Producer<Seen>, id: u64, sleeper: &Sleeper, bell: &Eventfd) {
    assert!(producer.push(Words::<1>::new(id)).is_ok());
    producer.publish();
    Sleeper::fence();
    if sleeper.must_ring() {
        bell.ring();
    }
}

/// One peer, which sends twice: the bell of the first may still ring at the second sleep.
fn with_a_ring() {
    let (sleeper, bell) = shard();
    let (producer, consumer) = ring::<Seen>(4, 0);
    let sender = {
        let (sleeper, bell) = (sleeper.clone(), bell.clone());
        thread::spawn(move || {
            send(&producer, 1, &sleeper, &bell);
            send(&producer, 2, &sleeper, &bell);
        })
    };
    let seen = Seen::default();
    let work = || {
        consumer.deliver_up_to(2, &seen);
        seen.borrow().len() == 2
    };
    run_shard(&sleeper, &bell, || consumer.is_empty(), work);
    sender.join().unwrap();
}

/// Two peers, of which one rings for both.
fn with_two_rings() {
    let (sleeper, bell) = shard();
    let ends = [ring::<Seen>(2, 0), ring::<Seen>(2, 1)];
    let consumers = ends.map(|(producer, consumer)| {
        let (sleeper, bell) = (sleeper.clone(), bell.clone());
        thread::spawn(move || send(&producer, 1, &sleeper, &bell));
        consumer
    });
    let seen = Seen::default();
    let work = || {
        for consumer in &consumers {
            consumer.deliver_next(&seen);
        }
        seen.borrow().len() == 2
    };
    run_shard(
        &sleeper,
        &bell,
        || consumers.iter().all(|consumer| consumer.is_empty()),
        work,
    );
}

/// Two foreign threads.
fn with_an_inbox() {
    let (sleeper, bell) = shard();
    let inbox = Arc::new(Inbox::new(2, sleeper.clone(), bell.clone()));
    for id in 0..2 {
        let inbox = inbox.clone();
        thread::spawn(move || inbox.push(id).unwrap());
    }
    let mut taken = 0;
    let work = || {
        while inbox.pop().is_some() {
            taken += 1;
        }
        taken == 2
    };
    run_shard(&sleeper, &bell, || inbox.is_empty(), work);
}

/// Foreign threads wake tasks, more than the list holds. A task that is polled must see what its
/// waker wrote, or it goes back to sleep for good.
fn with_a_wake_inbox(listed_before: usize) {
    let (sleeper, bell) = shard();
    let inbox = Arc::new(WakeInbox::new(1, sleeper.clone(), bell.clone()));
    for _ in 0..listed_before {
        inbox.wake(9);
    }
    let ready: [_; 2] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
    for (id, ready) in (0..).zip(&ready) {
        let (inbox, ready) = (inbox.clone(), ready.clone());
        thread::spawn(move || {
            ready.store(true, Ordering::Relaxed);
            inbox.wake(id);
        });
    }
    let mut done = [false; 2];
    let work = || {
        inbox.drain(|wake| {
            for (id, done) in (0..).zip(&mut done) {
                if wake == Wake::One(id) || wake == Wake::All {
                    *done |= ready[id as usize].load(Ordering::Relaxed);
                }
            }
        });
        done == [true; 2]
    };
    run_shard(&sleeper, &bell, || inbox.is_empty(), work);
}

#[test]
fn handshake_with_a_ring() {
    check(with_a_ring);
}

#[test]
fn handshake_with_two_rings() {
    check(with_two_rings);
}

#[test]
fn handshake_with_an_inbox() {
    check(with_an_inbox);
}

#[test]
fn handshake_with_a_wake_inbox() {
    check_within(2, || with_a_wake_inbox(0));
}

#[test]
fn handshake_with_a_full_wake_inbox() {
    check_within(2, || with_a_wake_inbox(1));
}

fails_without!(
    handshake_with_a_ring_fails_without_fence_of_the_sleeper,
    Site::SleeperFence,
    "deadlock",
    with_a_ring()
);

fails_without!(
    handshake_with_a_ring_fails_without_fence_of_the_sender,
    Site::SenderFence,
    "deadlock",
    with_a_ring()
);

fails_without!(
    handshake_with_an_inbox_fails_without_fence_of_the_sleeper,
    Site::SleeperFence,
    "deadlock",
    with_an_inbox()
);

fails_without!(
    handshake_with_an_inbox_fails_without_fence_of_the_sender,
    Site::SenderFence,
    "deadlock",
    with_an_inbox()
);

fails_without!(
    handshake_with_a_wake_inbox_fails_without_fence_of_the_sleeper,
    Site::SleeperFence,
    "deadlock",
    with_a_wake_inbox(1)
);

fails_without!(
    handshake_with_a_wake_inbox_fails_without_fence_of_the_sender,
    Site::SenderFence,
    "deadlock",
    with_a_wake_inbox(1)
);

fails_without!(
    handshake_with_a_wake_inbox_fails_without_order_on_its_mark,
    Site::Overflow,
    "deadlock",
    with_a_wake_inbox(1)
);
