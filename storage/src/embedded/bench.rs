//! A shard in a simulated world, and futures run on it to their end.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use quark_shards::driver::sim::{SimConfig, SimWorld};
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};

use crate::embedded::{EmbeddedConfig, EmbeddedStore, OpenError, Prepared, open, prepare};
use crate::provider::RecordKey;

/// A machine that may crash.
pub(super) struct Bench {
    pub(super) world: SimWorld,
    pub(super) shard: Option<Rc<Shard>>,
}

/// Where the tests keep their logs.
pub(super) const FOLDER: &str = "/data/log";

pub(super) fn config(segment_bytes: u64, zero_ahead: bool) -> EmbeddedConfig {
    EmbeddedConfig {
        segment_bytes,
        zero_ahead,
        snapshot_bytes: Some(2 * segment_bytes),
        ..EmbeddedConfig::new(FOLDER)
    }
}

/// Where keys live among `shards`.
pub(super) fn home(shards: u16) -> impl Fn(&RecordKey) -> u16 {
    move |key| (key.fingerprint() % u128::from(shards)) as u16
}

impl Bench {
    pub(super) fn new(seed: u64, config: SimConfig) -> Self {
        let mut bench = Bench {
            world: SimWorld::new(seed, config),
            shard: None,
        };
        bench.start();
        bench
    }

    /// A new process on the same disk.
    pub(super) fn start(&mut self) {
        self.stop();
        let driver = self.world.driver(0);
        let end = mesh(1, Credits::default(), true).remove(0);
        let config = ShardConfig {
            idle: IdlePolicy::Park,
            ..ShardConfig::default()
        };
        self.shard = Some(Shard::new(end, config, Box::new(driver)));
    }

    /// The process ends, as it stands.
    pub(super) fn stop(&mut self) {
        if let Some(shard) = self.shard.take() {
            shard.clear();
        }
    }

    /// The machine loses power, and starts again.
    pub(super) fn crash(&mut self) {
        self.world.crash(0);
        self.start();
    }

    pub(super) fn shard(&self) -> Rc<Shard> {
        self.shard.clone().expect("it runs")
    }

    /// Runs `future` to its end, and all tasks meanwhile. `None` if that takes more than `steps`.
    pub(super) fn run_for<T: 'static>(
        &self,
        steps: u64,
        future: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let shard = self.shard();
        let done = Rc::new(RefCell::new(None));
        let into = done.clone();
        shard.spawn(async move {
            let value = future.await;
            *into.borrow_mut() = Some(value);
        });
        for _ in 0..steps {
            if let Some(value) = done.take() {
                return Some(value);
            }
            assert!(Rc::strong_count(&done) > 1, "it has panicked");
            self.step();
        }
        None
    }

    pub(super) fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        self.run_for(20_000_000, future).expect("it ends")
    }

    /// A pass, or the next thing that happens.
    pub(super) fn step(&self) {
        let shard = self.shard();
        if shard.guarded_pass() {
            return;
        }
        if !shard.is_parked() {
            shard.park();
        }
        if self.world.pick().is_some() {
            shard.unpark();
            return;
        }
        let later = self.world.now() + Duration::from_micros(10);
        self.world
            .advance_to(self.world.next_event().unwrap_or(later));
    }

    /// Prepares the directory and opens its logs, all on this shard.
    pub(super) fn open(
        &self,
        config: &EmbeddedConfig,
        shards: u16,
    ) -> Result<(Prepared, Vec<EmbeddedStore>), OpenError> {
        let (shard, config) = (self.shard(), config.clone());
        self.run(async move {
            let prepared = prepare(shard.clone(), &config, shards, &home(shards)).await?;
            let mut stores = Vec::new();
            for number in 0..shards {
                stores.push(open(shard.clone(), &prepared.opening(), number).await?);
            }
            Ok((prepared, stores))
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
    }
}
