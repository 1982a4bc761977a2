//! What outlives a simulated engine: its stores are opened on it, closed, and cut off.

use std::fmt;
use std::time::Duration;

use quark_shards::driver::sim::{DiskCounts, SimConfig, SimWorld};
use quark_storage::provider::Epoch;

use super::sim::Sim;
use crate::engine::Stage;
use crate::error::RegisterError;
use crate::launch::Opening;
use crate::running::close;
use crate::state::{Reports, StoreStage, add_reports, close_stores};

/// What is left of a simulated world whose engine has ended: its disks, with its clock and its
/// seed. [`EngineBuilder::simulate_on`](crate::EngineBuilder::simulate_on) makes the next engine
/// there.
#[must_use = "an engine of its own would have empty disks"]
pub struct SimDisks {
    pub(super) seed: u64,
    pub(super) world: SimWorld,
}

impl SimDisks {
    /// Leaves the machine off for so long: what was due meanwhile is late.
    pub fn stay_off(self, duration: Duration) -> Self {
        self.world.advance_to(self.world.now() + duration);
        self
    }

    /// Has the world be as friendly as `world` says from now on.
    pub fn with_world(self, world: SimConfig) -> Self {
        self.world.set_config(world);
        self
    }
}

impl fmt::Debug for SimDisks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisks")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Sim {
    /// [Shuts down](Self::shutdown), and keeps the disks for another engine.
    pub fn power_off(self) -> SimDisks {
        let disks = self.disks();
        self.shutdown();
        disks
    }

    /// Takes the power away: the engine is gone where it stands, no hook runs, and of what its
    /// disks had not confirmed each part is kept, torn or lost by the seed.
    pub fn lose_power(self) -> SimDisks {
        let disks = self.disks();
        self.world.crash(0);
        self.cut_off();
        disks
    }

    /// Ends the engine where it stands, as SIGKILL does: no hook runs, and the disks keep what they
    /// were told, confirmed or not.
    pub fn kill(self) -> SimDisks {
        let disks = self.disks();
        self.cut_off();
        disks
    }

    /// Has the world be as friendly as `world` says from now on.
    pub fn set_world(&self, world: SimConfig) {
        self.world.set_config(world);
    }

    /// What the world's disks have done so far to those who trust them.
    #[must_use]
    pub fn disk_counts(&self) -> DiskCounts {
        self.world.counts()
    }

    fn cut_off(&self) {
        self.is_open.set(false);
        self.engine.advance(Stage::Stopped);
        for shard in &self.shards {
            close(shard);
        }
    }

    fn disks(&self) -> SimDisks {
        SimDisks {
            seed: self.seed(),
            world: self.world.clone(),
        }
    }

    /// Has the engine own all keys under `epoch` from now on, as if it had got or lost them:
    /// activations that begin from now on say so to their stores. It begins with 1.
    pub fn set_epoch(&self, epoch: u64) {
        self.ask_all(|_, runtime| runtime.stores.set_epoch(Epoch(epoch)));
    }

    pub(super) fn open_stores(&self) -> Result<Reports, RegisterError> {
        let mut reports = Reports::new();
        if self.engine.settings().stores.is_empty() {
            return Ok(reports);
        }
        for stage in [StoreStage::Prepare, StoreStage::Open] {
            let shards = match stage {
                StoreStage::Prepare => &self.shards[..1],
                StoreStage::Open => &self.shards[..],
            };
            let begin = |shard| Opening::begin(shard, stage);
            let openings: Vec<_> = shards.iter().map(begin).collect();
            self.ring_all();
            while openings.iter().any(Opening::goes_on) {
                if !self.step(None) {
                    self.fail_stuck("a store is opened and nothing can ever happen again");
                }
            }
            for opening in openings {
                let one = opening.result().map_err(|not| RegisterError::Store {
                    store: not.store,
                    source: Box::new(not.source),
                })?;
                add_reports(&mut reports, one);
            }
        }
        Ok(reports)
    }

    pub(super) fn close_stores(&self, grace: Duration) {
        if self.engine.settings().stores.is_empty() {
            return;
        }
        let closing = std::rc::Rc::new(());
        self.ask_all(|shard, runtime| {
            let (stores, closing) = (runtime.stores.take_all(), closing.clone());
            shard.spawn(async move {
                close_stores(stores).await;
                drop(closing);
            });
        });
        self.ring_all();
        let until = self.now() + grace;
        while std::rc::Rc::strong_count(&closing) > 1 && self.now() < until {
            if !self.step(Some(until)) {
                break;
            }
        }
    }
}
