//! What must hold of a shard's loop whatever runs in it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use quark_shards::driver::sim::{SimConfig, SimWorld};
use quark_shards::local_ring::LocalMessage;
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};

fn shard(world: &SimWorld) -> Rc<Shard> {
    let end = mesh(1, Credits::default(), true).pop().unwrap();
    Shard::new(end, ShardConfig::default(), Box::new(world.driver(0)))
}

struct Again;

impl LocalMessage<Shard> for Again {
    fn deliver(self, shard: &Shard) {
        shard.defer(Again);
    }
}

#[test]
fn local_messages_without_end_hold_up_no_timer() {
    let world = SimWorld::new(1, SimConfig::default());
    let shard = shard(&world);
    let slept = Rc::new(Cell::new(false));
    let sleep = shard.sleep(Duration::from_millis(1));
    let done = slept.clone();
    shard.spawn(async move {
        sleep.await;
        done.set(true);
    });
    (0..200).for_each(|_| shard.defer(Again));
    for _ in 0..20 {
        world.stall(Duration::from_millis(1));
        shard.pass();
    }
    assert!(slept.get());
}

#[test]
fn a_number_of_a_task_that_has_ended_cancels_no_other() {
    let world = SimWorld::new(1, SimConfig::default());
    let shard = shard(&world);
    let ended = shard.spawn(async {});
    shard.pass();
    // The cell is used again, as often as a byte counts.
    for _ in 0..255 {
        shard.spawn(async {});
        shard.pass();
    }
    let live = shard.spawn(std::future::pending());
    shard.pass();
    shard.tasks().cancel(ended);
    assert!(shard.tasks().is_live(live));
}

/// A waker that keeps a future, as small executors have them.
struct Keeper(RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>);

/// Only ever used on one thread here.
struct OneThread(Rc<Keeper>);

// Made of a thread-local, so that nothing has to be claimed of `Rc`.
thread_local! {
    static KEPT: RefCell<Vec<OneThread>> = const { RefCell::new(Vec::new()) };
}

/// Drops what the thread keeps when it is woken or dropped.
struct Clears;

impl Wake for Clears {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Clears {
    fn drop(&mut self) {
        let kept = KEPT.with_borrow_mut(std::mem::take);
        for OneThread(keeper) in kept {
            drop(keeper.0.take());
        }
    }
}

#[test]
fn a_waker_may_come_back_to_the_timers() {
    let world = SimWorld::new(1, SimConfig::default());
    let shard = shard(&world);
    shard.enter(|shard| {
        let mut other = Box::pin(shard.sleep(Duration::from_secs(1)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(other.as_mut().poll(&mut cx).is_pending());
        let keeper = Keeper(RefCell::new(Some(other)));
        KEPT.with_borrow_mut(|kept| kept.push(OneThread(Rc::new(keeper))));
        let waker = Waker::from(Arc::new(Clears));
        let due = shard.now() + Duration::from_millis(1);
        shard.timers().arm(due, waker);
    });
    assert_eq!(shard.timers().armed(), 2);
    for _ in 0..100 {
        world.stall(Duration::from_millis(1));
        shard.pass();
    }
    assert_eq!(shard.timers().armed(), 0);
}

#[test]
fn a_waker_that_panics_holds_up_nobody() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker panicked");
        }
    }
    let world = SimWorld::new(1, SimConfig::default());
    let shard = shard(&world);
    let due = shard.now() + Duration::from_millis(1);
    shard.timers().arm(due, Waker::from(Arc::new(Panics)));
    let woken = Rc::new(Cell::new(false));
    let done = woken.clone();
    let sleep = shard.sleep(Duration::from_millis(1));
    shard.spawn(async move {
        sleep.await;
        done.set(true);
    });
    for _ in 0..100 {
        world.stall(Duration::from_millis(1));
        shard.guarded_pass();
    }
    assert!(woken.get());
}

#[test]
fn a_sleep_that_was_sent_to_another_shard_disturbs_no_timer_there() {
    let world = SimWorld::new(1, SimConfig::default());
    let (here, there) = (shard(&world), shard(&world));
    let mut sent = Box::pin(here.sleep(Duration::from_secs(1)));
    let mut cx = Context::from_waker(Waker::noop());
    here.enter(|_| assert!(sent.as_mut().poll(&mut cx).is_pending()));
    there.enter(|there| {
        let mut own = Box::pin(there.sleep(Duration::from_secs(1)));
        assert!(own.as_mut().poll(&mut cx).is_pending());
        drop(sent);
        assert_eq!(there.timers().armed(), 1);
    });
}

#[test]
fn a_task_that_yields_lets_the_timers_fire() {
    let world = SimWorld::new(1, SimConfig::default());
    let shard = shard(&world);
    let slept = Rc::new(Cell::new(false));
    let (done, seen) = (slept.clone(), slept.clone());
    for _ in 0..100 {
        let seen = seen.clone();
        shard.spawn(poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            if seen.get() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }
    let sleep = shard.sleep(Duration::from_millis(1));
    shard.spawn(async move {
        sleep.await;
        done.set(true);
    });
    for _ in 0..1_000 {
        world.stall(Duration::from_millis(1));
        shard.pass();
    }
    assert!(slept.get());
}
