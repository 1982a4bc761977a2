//! Density: which actors leave memory when there are too many, or too little room.
//!
//! Idleness collects by each type's own time (see `lifecycle`). Here is what goes further: under
//! a limit of actors ([`EngineBuilder::max_actors`](crate::EngineBuilder::max_actors)) or of
//! memory ([`EngineBuilder::memory_limit`](crate::EngineBuilder::memory_limit)), each shard sheds
//! those of its actors that were called the longest ago. A task walks the cells of all types
//! twice, a little at a time between the turns: once to see how old they are, and once to collect
//! the oldest. Whoever is busy stays, whoever has children awake, and whoever is
//! [kept](crate::Cx::keep_active).

mod ages;
mod memory;
mod shed;

use std::cell::Cell;

pub(crate) use ages::{Ages, Cut};
pub(crate) use memory::{MemoryWatcher, share};
pub(crate) use shed::{Density, walk};

use quark_shards::shard::Shard;

use crate::activation::{Phase, Resident};
use crate::actor::Actor;
use crate::lifecycle::may_sleep;
use crate::runtime::Runtime;
use crate::types::TypeShard;

/// How many actors have left memory, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Nobody has called them for their type's idle time.
    pub idle: u64,
    /// They were the oldest when there were too many, or too little memory.
    pub pressure: u64,
}

impl std::ops::Add for Collected {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Collected {
            idle: self.idle + other.idle,
            pressure: self.pressure + other.pressure,
        }
    }
}

/// The same, as a shard counts it.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) idle: Cell<u64>,
    pub(crate) pressure: Cell<u64>,
}

impl Counters {
    pub(crate) fn get(&self) -> Collected {
        Collected {
            idle: self.idle.get(),
            pressure: self.pressure.get(),
        }
    }
}

/// Where a walk over the cells of one type stands, and how many it may still look at.
pub(crate) struct Steps {
    pub(crate) next: u32,
    pub(crate) left: usize,
}

impl Steps {
    /// The cells that the walk may look at now.
    pub(crate) fn cells<'a, A: Actor>(
        &'a mut self,
        types: &'a TypeShard<A>,
    ) -> impl Iterator<Item = Resident<A>> + 'a {
        std::iter::from_fn(move || {
            self.left = self.left.checked_sub(1)?;
            let cell = types.cells.get(self.next)?;
            self.next += 1;
            Some(cell)
        })
    }
}

/// Looks how old the actors of one type are; true once all were looked at.
pub(crate) fn survey<A: Actor>(types: &TypeShard<A>, steps: &mut Steps, ages: &mut Ages) -> bool {
    let is_kept = types.is_kept();
    for cell in steps.cells(types) {
        if cell.phase() == Phase::Active {
            let may_leave = !is_kept && may_sleep(cell);
            ages.count(may_leave.then(|| cell.used()));
        }
    }
    steps.next as usize >= types.cells.capacity()
}

/// Collects those of one type that are on the old side of the cut; true once all were looked at.
pub(crate) fn collect<A: Actor>(
    shard: &Shard,
    runtime: &Runtime,
    types: &TypeShard<A>,
    steps: &mut Steps,
    cut: &mut Cut,
) -> bool {
    let is_kept = types.is_kept();
    for cell in steps.cells(types) {
        if !is_kept && may_sleep(cell) && cut.takes(cell.used()) {
            runtime.collect_now(shard, cell);
            let counter = &runtime.density.collected.pressure;
            counter.set(counter.get() + 1);
        }
    }
    steps.next as usize >= types.cells.capacity()
}
