use std::rc::Rc;

use super::credit::BURST;
use super::*;

type Large = ([u64; 40], Rc<()>);

fn calls() -> Calls {
    Calls::new(2, 4, 2)
}

fn open<R: 'static>(calls: &Calls) -> CallId {
    assert!(calls.try_credit(1, 1, 0));
    let deadline = Deadline::at(Time::from_nanos(1 << 30), Time::ZERO);
    calls.open::<R>(1, 1, deadline, Waker::noop().clone(), Waiter::NO_TURN)
}

#[test]
fn a_reply_reaches_its_caller_once() {
    let calls = calls();
    let id = open::<u64>(&calls);
    assert!(calls.poll::<u64>(id, Waker::noop()).is_pending());
    calls.complete(id, 9, 42_u64);
    assert_eq!(
        calls.poll::<u64>(id, Waker::noop()),
        Poll::Ready(Fate::Replied(42, 9))
    );
    assert_eq!(
        calls.poll::<u64>(id, Waker::noop()),
        Poll::Ready(Fate::Unknown)
    );
    assert_eq!(calls.open_count(), 0);
}

#[test]
#[should_panic(expected = "another call's type")]
fn a_reply_of_the_wrong_type_is_never_taken_for_another() {
    let calls = calls();
    let id = open::<u64>(&calls);
    calls.complete(id, 0, 1_i64);
}

#[test]
fn large_and_unwanted_replies_are_dropped_once() {
    let calls = calls();
    let witness = Rc::new(());
    let large = || ([7_u64; 40], witness.clone());
    let id = open::<Large>(&calls);
    calls.complete(id, 0, large());
    let Poll::Ready(Fate::Replied(reply, _)) = calls.poll::<Large>(id, Waker::noop()) else {
        panic!("the reply has come")
    };
    assert_eq!(reply.0[39], 7);
    drop(reply);
    let untaken = open::<Large>(&calls);
    calls.complete(untaken, 0, large());
    calls.abandon(untaken);
    let late = open::<Large>(&calls);
    calls.abandon(late);
    calls.complete(late, 0, large());
    let left = open::<Rc<()>>(&calls);
    calls.complete(left, 0, witness.clone());
    drop(calls);
    assert_eq!(Rc::strong_count(&witness), 1);
}

#[test]
fn a_reply_that_panics_in_its_drop_is_dropped_once() {
    struct Bomb(Rc<Cell<u32>>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            panic!("a bomb was dropped");
        }
    }
    let calls = calls();
    let drops = Rc::new(Cell::new(0));
    let id = open::<Bomb>(&calls);
    calls.complete(id, 0, Bomb(drops.clone()));
    let abandon = std::panic::AssertUnwindSafe(|| calls.abandon(id));
    let _ = std::panic::catch_unwind(abandon);
    assert_eq!(calls.open_count(), 0);
    drop(calls);
    assert_eq!(drops.get(), 1);
}

#[test]
fn credit_is_held_until_the_reply() {
    let calls = calls();
    let ids: Vec<_> = (0..4).map(|_| open::<u8>(&calls)).collect();
    assert!(!calls.try_credit(1, 1, 0), "four slots at depth zero");
    assert!(calls.try_credit(1, 2, 1), "a nested call has a reserve");
    assert!(!calls.try_credit(1, 1, 1));
    calls.give_credit(1, 2);
    calls.sweep(Time::from_nanos(1 << 31));
    assert_eq!(
        calls.poll::<u8>(ids[0], Waker::noop()),
        Poll::Ready(Fate::TimedOut)
    );
    assert!(
        !calls.try_credit(1, 1, 0),
        "a late reply still needs its room"
    );
    calls.complete(ids[0], 0, 1_u8);
    assert!(calls.try_credit(1, 1, 0));
}

#[test]
fn a_withdrawn_call_leaves_nothing() {
    let calls = calls();
    let waiter = Waiter {
        turn: 7,
        serves: Origin::NOBODY,
    };
    let id = calls.open_for(TypeId::of::<u8>, 0, Deadline::NEVER, waiter);
    calls.withdraw(id);
    assert_eq!(calls.open_count(), 0);
    assert_eq!(
        calls.poll::<u8>(id, Waker::noop()),
        Poll::Ready(Fate::Unknown)
    );
}

#[test]
fn deadlines_come_and_order() {
    let now = Time::from_nanos(5 << 30);
    let soon = Deadline::at(now + Duration::from_millis(5), now);
    let late = Deadline::at(now + Duration::from_secs(5), now);
    assert_eq!(soon.or_sooner(late), soon);
    assert_eq!(late.or_sooner(soon), soon);
    assert_eq!(Deadline::NEVER.or_sooner(soon), soon);
    assert!(!soon.is_past(now + Duration::from_millis(4)));
    assert!(soon.is_past(now + Duration::from_millis(8)));
    assert!(!Deadline::NEVER.is_past(Time::MAX));
    assert_eq!(Deadline::at(now + Duration::MAX, now), Deadline::NEVER);
    let calls = calls();
    let id = open::<u8>(&calls);
    assert!(
        calls
            .next_deadline(Time::ZERO)
            .is_some_and(|t| t >= Time::from_nanos(1 << 30))
    );
    calls.sweep(Time::from_nanos(1 << 29));
    assert!(calls.poll::<u8>(id, Waker::noop()).is_pending());
    calls.sweep(Time::from_nanos(1 << 31));
    assert_eq!(
        calls.poll::<u8>(id, Waker::noop()),
        Poll::Ready(Fate::TimedOut)
    );
}

#[test]
fn waiters_are_served_in_order() {
    let calls = calls();
    let first = calls.wait_for_credit(1, 7, Waker::noop().clone());
    assert!(calls.is_waiting(1, 7) && !calls.is_waiting(1, 8) && !calls.is_waiting(0, 7));
    let second = calls.wait_for_credit(1, 8, Waker::noop().clone());
    assert!(calls.has_waiters(1) && !calls.has_waiters(0));
    assert!(calls.is_first(1, first, Waker::noop()));
    assert!(!calls.is_first(1, second, Waker::noop()));
    let third = calls.wait_for_credit(1, 7, Waker::noop().clone());
    let fourth = calls.wait_for_credit(1, 8, Waker::noop().clone());
    calls.leave_queue(1, third);
    calls.leave_queue(1, third);
    assert!(calls.is_first(1, first, Waker::noop()));
    calls.leave_queue(1, first);
    assert!(calls.is_first(1, second, Waker::noop()));
    calls.leave_queue(1, second);
    assert!(calls.is_first(1, fourth, Waker::noop()));
    assert!(!calls.is_first(1, second, Waker::noop()));
}

#[test]
fn whoever_was_served_goes_on_for_a_burst() {
    let calls = calls();
    let first = calls.wait_for_credit(1, 7, Waker::noop().clone());
    let _second = calls.wait_for_credit(1, 8, Waker::noop().clone());
    assert!(!calls.goes_on(1, 7), "it has not been served");
    calls.served(1, first);
    assert!(!calls.goes_on(1, 8) && !calls.goes_on(0, 7) && !calls.goes_on(1, NO_SENDER));
    let burst = (0..100).take_while(|_| calls.goes_on(1, 7)).count();
    assert_eq!(burst, BURST as usize);
}

#[test]
fn a_burst_ends_where_the_sender_must_queue_again() {
    let calls = calls();
    let first = calls.wait_for_credit(1, 7, Waker::noop().clone());
    let second = calls.wait_for_credit(1, 8, Waker::noop().clone());
    calls.served(1, first);
    assert!(calls.goes_on(1, 7));
    let _third = calls.wait_for_credit(1, 7, Waker::noop().clone());
    assert!(!calls.goes_on(1, 7), "it would overtake its own message");
    calls.served(1, second);
    assert!(!calls.goes_on(1, 7) && calls.goes_on(1, 8));
}

#[test]
fn a_sender_with_more_in_the_queue_gets_no_burst() {
    let calls = calls();
    let first = calls.wait_for_credit(1, 7, Waker::noop().clone());
    let second = calls.wait_for_credit(1, 7, Waker::noop().clone());
    calls.served(1, first);
    assert!(!calls.goes_on(1, 7), "it would overtake its own message");
    calls.served(1, second);
    assert!(calls.goes_on(1, 7));
    let nobody = calls.wait_for_credit(1, NO_SENDER, Waker::noop().clone());
    calls.served(1, nobody);
    assert!(
        !calls.goes_on(1, NO_SENDER),
        "nobody in particular may be many"
    );
}
