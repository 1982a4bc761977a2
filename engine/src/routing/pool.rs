//! Pools of stateless workers: several instances of one key, on each shard that calls it.

use std::cell::{Cell, RefCell};

use hashbrown::HashTable;

use super::change::Ways;
use crate::activation::{Phase, Resident};
use crate::actor::Actor;
use crate::error::Refusal;
use crate::key::Key;
use crate::options::Placement;

/// One type's pools on one shard.
#[derive(Default)]
pub(crate) struct Pools {
    used: Cell<bool>,
    table: RefCell<HashTable<Pool>>,
}

struct Pool {
    key: Key,
    hash: u64,
    /// Its workers' cells, the oldest first.
    workers: Vec<u32>,
}

impl Pools {
    pub(crate) fn of(placement: Option<Placement>) -> Self {
        Pools {
            used: Cell::new(matches!(placement, Some(Placement::Workers { .. }))),
            table: RefCell::default(),
        }
    }

    /// Whether actors of this type are workers.
    pub(crate) fn are_used(&self) -> bool {
        self.used.get()
    }

    /// A worker has gone to sleep.
    pub(crate) fn remove<A>(&self, worker: Resident<A>) {
        let (key, hash) = (worker.key(), worker.hash());
        let mut table = self.table.borrow_mut();
        let found = table.find_entry(hash, |pool| pool.hash == hash && pool.key == key);
        if let Ok(mut entry) = found {
            let workers = &mut entry.get_mut().workers;
            workers.retain(|index| *index != worker.index());
            if workers.is_empty() {
                entry.remove();
            }
        }
    }
}

impl<A: Actor> Ways<'_, A> {
    /// The worker that takes the next message: the first that has nothing to do, so that those
    /// behind it fall asleep when there is less; if all are busy a new one, or, if there are as
    /// many as there may be, the one with the fewest messages.
    pub(super) fn worker(&self, key: &Key, hash: u64) -> Result<Resident<A>, Refusal> {
        let Some(Placement::Workers { most }) = self.types.options.placement else {
            unreachable!("only pools have workers");
        };
        let pools = self.types.pools.table.borrow();
        let pool = pools.find(hash, |pool| pool.hash == hash && pool.key == *key);
        let indices = pool.map_or(&[][..], |pool| &pool.workers);
        let mut shortest = None;
        for worker in indices
            .iter()
            .filter_map(|index| self.types.cells.get(*index))
        {
            if worker.phase() == Phase::Active && worker.is_idle() {
                return Ok(worker);
            }
            let load = worker.load() + usize::from(!worker.is_empty());
            if shortest.is_none_or(|(least, _)| load < least) {
                shortest = Some((load, worker));
            }
        }
        match shortest {
            Some((_, worker)) if indices.len() >= usize::from(most.max(1)) => Ok(worker),
            _ => {
                drop(pools);
                self.hire(key, hash)
            }
        }
    }

    fn hire(&self, key: &Key, hash: u64) -> Result<Resident<A>, Refusal> {
        self.types
            .activate_with(self.shard, self.runtime, key, hash, |worker| {
                let mut pools = self.types.pools.table.borrow_mut();
                let found = pools.find_mut(hash, |pool| pool.hash == hash && pool.key == *key);
                match found {
                    Some(pool) => pool.workers.push(worker.index()),
                    None => {
                        let pool = Pool {
                            key: key.clone(),
                            hash,
                            workers: vec![worker.index()],
                        };
                        pools.insert_unique(hash, pool, |pool| pool.hash);
                    }
                }
            })
    }
}
