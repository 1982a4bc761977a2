//! Tests of the local ring: order, growth, re-entrance, drops.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Owner {
    seen: RefCell<Vec<u64>>,
    ring: LocalRing<Owner>,
}

/// A message of `8 * W` bytes; every word follows from the first.
struct Words<const W: usize>([u64; W]);

impl<const W: usize> LocalMessage<Owner> for Words<W> {
    fn deliver(self, owner: &Owner) {
        assert!((0..).zip(self.0).all(|(i, word)| word == self.0[0] + i));
        owner.seen.borrow_mut().push(self.0[0]);
    }
}

fn push<const W: usize>(ring: &LocalRing<Owner>, id: u64) {
    ring.push(Words::<W>(std::array::from_fn(|i| id + i as u64)));
}

fn push_sized(ring: &LocalRing<Owner>, id: u64, size: u8) {
    match size % 5 {
        0 => push::<1>(ring, id),
        1 => push::<7>(ring, id),
        2 => push::<8>(ring, id),
        3 => push::<40>(ring, id),
        _ => push::<127>(ring, id),
    }
}

proptest! {
    #[test]
    fn keeps_order_whatever_the_sizes(steps in prop::collection::vec((0u8..8, any::<u8>()), 1..600)) {
        let owner = Owner::default();
        let mut model = VecDeque::new();
        let mut next = 0u64;
        for (step, size) in steps {
            if step < 5 {
                push_sized(&owner.ring, next, size);
                model.push_back(next);
                next += 1000;
            } else {
                for _ in 0..=step {
                    prop_assert_eq!(owner.ring.deliver_next(&owner), !model.is_empty());
                    prop_assert_eq!(owner.seen.borrow_mut().pop(), model.pop_front());
                }
            }
            prop_assert_eq!(owner.ring.len(), model.len());
            prop_assert_eq!(owner.ring.is_empty(), model.is_empty());
        }
        while owner.ring.deliver_next(&owner) {}
        prop_assert_eq!(&*owner.seen.borrow(), &Vec::from(model));
    }
}

struct Echo(u64);

impl LocalMessage<Owner> for Echo {
    fn deliver(self, owner: &Owner) {
        owner.seen.borrow_mut().push(self.0);
        if self.0 > 0 {
            owner.ring.push(Echo(self.0 - 1));
        }
    }
}

#[test]
fn delivering_may_push_and_deliver() {
    struct Nested;
    impl LocalMessage<Owner> for Nested {
        fn deliver(self, owner: &Owner) {
            for id in 0..500 {
                push::<30>(&owner.ring, id * 100);
            }
            while owner.ring.deliver_next(owner) {}
        }
    }
    let owner = Owner::default();
    owner.ring.push(Echo(3));
    owner.ring.push(Nested);
    while owner.ring.deliver_next(&owner) {}
    let seen = owner.seen.take();
    assert_eq!(seen.len(), 1 + 1 + 500 + 2);
    assert_eq!(seen[..3], [3, 2, 0]);
}

#[test]
fn a_panic_loses_only_its_own_message() {
    struct Bomb(#[expect(dead_code, reason = "held for its count")] Rc<()>);
    impl LocalMessage<Owner> for Bomb {
        fn deliver(self, _: &Owner) {
            panic!("boom");
        }
    }
    let (owner, count) = (Owner::default(), Rc::new(()));
    push::<1>(&owner.ring, 1);
    owner.ring.push(Bomb(Rc::clone(&count)));
    push::<9>(&owner.ring, 2);
    assert!(owner.ring.deliver_next(&owner));
    assert!(catch_unwind(AssertUnwindSafe(|| owner.ring.deliver_next(&owner))).is_err());
    assert_eq!(Rc::strong_count(&count), 1);
    assert!(owner.ring.deliver_next(&owner));
    assert_eq!(*owner.seen.borrow(), [1, 2]);
}

#[test]
fn drops_what_waits_exactly_once() {
    struct Held<const W: usize>((Rc<()>, [u64; W]));
    impl<const W: usize> LocalMessage<()> for Held<W> {
        fn deliver(self, (): &()) {
            assert_eq!(self.0.1, [0; W]);
        }
    }
    let (ring, count) = (LocalRing::<()>::new(), Rc::new(()));
    for _ in 0..100 {
        ring.push(Held((Rc::clone(&count), [0; 3])));
        ring.push(Held((Rc::clone(&count), [0; 90])));
    }
    for _ in 0..50 {
        ring.deliver_next(&());
    }
    assert_eq!(Rc::strong_count(&count), 151);
    drop(ring);
    assert_eq!(Rc::strong_count(&count), 1);
}

#[test]
fn shrinks_when_long_idle_and_not_between_bursts() {
    let owner = Owner::default();
    let burst = || {
        for id in 0..1000 {
            push::<1>(&owner.ring, id);
        }
        while owner.ring.deliver_next(&owner) {}
    };
    burst();
    assert_eq!(owner.ring.slots.get().capacity(), 1024);
    for _ in 0..200 {
        burst();
    }
    assert_eq!(owner.ring.slots.get().capacity(), 1024);
    for _ in 0..8 * IDLE_BEFORE_SHRINKING {
        owner.ring.deliver_next(&owner);
    }
    assert_eq!(owner.ring.slots.get().capacity(), INITIAL_SLOTS);
}
