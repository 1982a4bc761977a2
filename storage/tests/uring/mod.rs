//! A shard on io_uring, and futures run on it to their end.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use quark_shards::driver::uring::{UringConfig, UringDriver};
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};

/// A shard of its own in this thread.
pub(crate) fn shard() -> Rc<Shard> {
    let driver = UringDriver::new(UringConfig {
        entries: 64,
        seed: 1,
        start: Instant::now(),
        worker_cpus: Vec::new(),
    });
    let end = mesh(1, Credits::default(), true).remove(0);
    let config = ShardConfig {
        idle: IdlePolicy::Park,
        ..ShardConfig::default()
    };
    Shard::new(end, config, Box::new(driver.expect("io_uring works here")))
}

/// Runs `future` to its end, and all tasks meanwhile.
pub(crate) fn run<T: 'static>(shard: &Rc<Shard>, future: impl Future<Output = T> + 'static) -> T {
    let done = Rc::new(RefCell::new(None));
    let into = done.clone();
    shard.spawn(async move {
        let value = future.await;
        *into.borrow_mut() = Some(value);
    });
    let begun = Instant::now();
    loop {
        if let Some(value) = done.take() {
            return value;
        }
        assert!(Rc::strong_count(&done) > 1, "it has panicked");
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "it does not end"
        );
        shard.guarded_pass();
    }
}
