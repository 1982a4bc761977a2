//! What goes wrong with the nodes of a run, and how all of it is mended in the end.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quark::membership::{MemoryTable, Timing};
use quark::prelude::*;
use quark::testing::SimCluster;
use quark::{ActorOptions, Cluster, EngineBuilder, Listen};

use super::actors::Counter;
use super::store::{SeenTable, set_cut, store};

/// How often what has happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultCounts {
    pub launches: u64,
    pub kills: u64,
    pub leaves: u64,
    pub pauses: u64,
    pub cuts: u64,
    pub one_way_cuts: u64,
    pub isolations: u64,
    pub store_cuts: u64,
    pub table_cuts: u64,
}

impl AddAssign for FaultCounts {
    fn add_assign(&mut self, other: Self) {
        self.launches += other.launches;
        self.kills += other.kills;
        self.leaves += other.leaves;
        self.pauses += other.pauses;
        self.cuts += other.cuts;
        self.one_way_cuts += other.one_way_cuts;
        self.isolations += other.isolations;
        self.store_cuts += other.store_cuts;
        self.table_cuts += other.table_cuts;
    }
}

/// The nodes of a run, numbered from 1, and what is wrong with them.
pub struct Nodes {
    pub count: u16,
    pub counts: FaultCounts,
    table: MemoryTable,
    table_cuts: Arc<Mutex<BTreeSet<u16>>>,
    paused: BTreeSet<u16>,
}

pub fn timing() -> Timing {
    Timing {
        lease: Duration::from_millis(600),
        ask_every: Duration::from_millis(50),
        silence: Duration::from_millis(400),
        ..Timing::default()
    }
}

impl Nodes {
    pub fn new(world: &SimCluster) -> Self {
        let count = 3 + (world.random() % 5) as u16;
        for node in 1..=count {
            // Within what the leases allow for.
            let drift = (world.random() % 19) as i32 - 9;
            world.world().set_drift(node, drift);
        }
        Nodes {
            count,
            counts: FaultCounts::default(),
            table: MemoryTable::default(),
            table_cuts: Arc::default(),
            paused: BTreeSet::new(),
        }
    }

    pub fn launch(&mut self, world: &mut SimCluster, node: u16) {
        if world.is_up(node) {
            return;
        }
        self.counts.launches += 1;
        self.paused.remove(&node);
        world.launch(node, self.builder(node)).expect("it launches");
    }

    fn builder(&self, node: u16) -> EngineBuilder {
        let table = SeenTable {
            node,
            memory: self.table.clone(),
            cut_off: self.table_cuts.clone(),
        };
        let cluster = Cluster::new(format!("node-{node}"), table)
            .timing(timing())
            .poll_every(Duration::from_millis(200))
            .leave_within(Duration::from_secs(3));
        Engine::builder()
            .seed(42)
            .timeout(Duration::from_secs(2))
            .grace(Duration::from_millis(500))
            .configure::<Counter>(ActorOptions::new())
            .store(store(node))
            .listen(Listen::at(SimCluster::addr(node)).insecure())
            .cluster(cluster)
    }

    fn any(&self, world: &SimCluster) -> u16 {
        1 + (world.random() % u64::from(self.count)) as u16
    }

    /// Something happens. Says which nodes have begun a new life.
    pub fn strike(&mut self, world: &mut SimCluster) -> Option<u16> {
        let (node, other) = (self.any(world), self.any(world));
        match world.random() % 16 {
            0 if world.is_up(node) => {
                self.counts.kills += 1;
                self.paused.remove(&node);
                world.kill(node);
            }
            1 if world.is_up(node) && !self.paused.contains(&node) => {
                self.counts.leaves += 1;
                world.shutdown(node);
            }
            2..=5 if !world.is_up(node) => {
                self.launch(world, node);
                return Some(node);
            }
            6 if world.is_up(node) => {
                self.counts.pauses += 1;
                self.paused.insert(node);
                world.world().set_paused(node, true);
            }
            7 if node != other => {
                self.counts.cuts += 1;
                world.world().set_cut(node, other, true);
                world.world().set_cut(other, node, true);
            }
            8 if node != other => {
                self.counts.one_way_cuts += 1;
                world.world().set_cut(node, other, true);
            }
            9 => {
                self.counts.isolations += 1;
                self.cut_table(node, true);
                for other in (1..=self.count).filter(|other| *other != node) {
                    world.world().set_cut(node, other, true);
                    world.world().set_cut(other, node, true);
                }
            }
            10 => {
                self.counts.store_cuts += 1;
                set_cut(node, true);
            }
            11 => {
                self.counts.table_cuts += 1;
                self.cut_table(node, true);
            }
            12 | 13 => self.mend(world, node),
            14 => self.resume(world),
            _ => {}
        }
        None
    }

    fn cut_table(&self, node: u16, is_cut: bool) {
        let mut cuts = self.table_cuts.lock().expect("nobody panics with it");
        if is_cut {
            cuts.insert(node);
        } else {
            cuts.remove(&node);
        }
    }

    fn resume(&mut self, world: &SimCluster) {
        for node in std::mem::take(&mut self.paused) {
            world.world().set_paused(node, false);
        }
    }

    /// All that is wrong with one node's ways is mended.
    fn mend(&self, world: &SimCluster, node: u16) {
        for other in 1..=self.count {
            world.world().set_cut(node, other, false);
            world.world().set_cut(other, node, false);
        }
        set_cut(node, false);
        self.cut_table(node, false);
    }

    /// Everything is mended, and every node runs.
    pub fn mend_all(&mut self, world: &mut SimCluster) {
        self.resume(world);
        for node in 1..=self.count {
            self.mend(world, node);
        }
        for node in 1..=self.count {
            self.launch(world, node);
        }
    }

    /// Whether every node serves its part, and the parts are all.
    pub fn are_whole(&self, world: &SimCluster) -> bool {
        let statuses = (1..=self.count).filter_map(|node| world.status(node));
        let mut slots = 0;
        let all = statuses
            .inspect(|status| slots += status.slots)
            .all(|status| status.serves && status.members.len() == usize::from(self.count));
        all && slots == 65_536
    }
}
