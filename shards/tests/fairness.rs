//! No work that a shard gives itself keeps it from looking at what others send.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use quark_shards::driver::uring::{UringConfig, UringDriver, clock};
use quark_shards::local_ring::LocalMessage;
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};

/// Far longer than any test should take.
const QUOTA: Duration = Duration::from_secs(20);
/// What is looked at in this many turns was not held up.
const SOON: u32 = 1_000;

fn shard() -> Rc<Shard> {
    let end = mesh(1, Credits::default(), false).pop().expect("one shard");
    let driver = UringDriver::new(UringConfig {
        entries: 8,
        seed: 1,
        start: clock(),
        worker_cpus: Vec::new(),
    });
    let config = ShardConfig {
        quota: QUOTA,
        ..ShardConfig::default()
    };
    Shard::new(end, config, Box::new(driver.expect("io_uring is allowed")))
}

/// Has an errand sent by another thread set the flag that is returned.
fn send_errand(shard: &Shard) -> Arc<AtomicBool> {
    let arrived = Arc::new(AtomicBool::new(false));
    let mesh = shard.mesh().clone();
    let flag = arrived.clone();
    let sender = std::thread::spawn(move || {
        let handle = mesh.handle(0).expect("the shard is up");
        let errand = Box::new(move |_: &Shard| flag.store(true, Ordering::Relaxed));
        assert!(handle.inbox.push(errand).is_ok());
    });
    sender.join().expect("the sender has sent");
    arrived
}

#[test]
fn a_task_that_yields_for_ever_lets_messages_in() {
    let shard = shard();
    let polls = Rc::new(Cell::new(0));
    let count = polls.clone();
    let here = Rc::downgrade(&shard);
    shard.spawn(async move {
        let mut arrived = None;
        poll_fn(|cx| {
            count.set(count.get() + 1);
            let shard = here.upgrade().expect("the shard polls this");
            let arrived = arrived.get_or_insert_with(|| send_errand(&shard));
            if arrived.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        pending::<()>().await;
    });
    while shard.pass() {}
    assert!((2..SOON).contains(&polls.get()), "{} polls", polls.get());
}

struct Again {
    turns: Rc<Cell<u32>>,
    arrived: Option<Arc<AtomicBool>>,
}

impl LocalMessage<Shard> for Again {
    fn deliver(mut self, shard: &Shard) {
        self.turns.set(self.turns.get() + 1);
        let arrived = self.arrived.get_or_insert_with(|| send_errand(shard));
        if !arrived.load(Ordering::Relaxed) {
            shard.defer(self);
        }
    }
}

#[test]
fn messages_to_itself_without_end_let_others_in() {
    let shard = shard();
    let turns = Rc::new(Cell::new(0));
    shard.defer(Again {
        turns: turns.clone(),
        arrived: None,
    });
    while shard.pass() {}
    assert!((2..SOON).contains(&turns.get()), "{} turns", turns.get());
}
