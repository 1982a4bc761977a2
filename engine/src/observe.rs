//! Looking at a running engine.

use quark_shards::shard::Shard;

use crate::dead_letter::DeadLetter;
use crate::engine::Engine;
use crate::launch::ask_all;
use crate::registry::ActorInfo;
use crate::runtime::Runtime;

/// Actors listed from one shard at most.
const LIST_LIMIT: usize = 10_000;

impl Engine {
    /// How many actors are in memory. Asks every shard and blocks for the answers: not for use on
    /// a shard, nor often. Of a simulated engine, ask its [`Sim`](crate::testing::Sim).
    #[must_use]
    pub fn count(&self) -> usize {
        ask_all(self, count).into_iter().flatten().sum()
    }

    /// The actors in memory, 10,000 of each shard at most. Asks every shard and blocks for the
    /// answers: not for use on a shard, nor often.
    #[must_use]
    pub fn list(&self) -> Vec<ActorInfo> {
        ask_all(self, list)
            .into_iter()
            .flatten()
            .flatten()
            .collect()
    }

    /// One-way messages that could not be delivered: how many there were, and the last of them.
    /// Asks every shard and blocks for the answers.
    #[must_use]
    pub fn dead_letters(&self) -> (u64, Vec<DeadLetter>) {
        let mut all = (0, Vec::new());
        for (count, last) in ask_all(self, dead_letters).into_iter().flatten() {
            all.0 += count;
            all.1.extend(last);
        }
        all
    }
}

pub(crate) fn count(_: &Shard, runtime: &Runtime) -> usize {
    runtime.types.iter().map(|types| types.count()).sum()
}

pub(crate) fn list(shard: &Shard, runtime: &Runtime) -> Vec<ActorInfo> {
    let mut actors = Vec::new();
    for types in runtime.types.iter() {
        types.list(&mut actors, shard.id(), LIST_LIMIT);
    }
    actors
}

pub(crate) fn dead_letters(_: &Shard, runtime: &Runtime) -> (u64, Vec<DeadLetter>) {
    let letters = runtime.dead_letters.borrow();
    (letters.count(), letters.last().cloned().collect())
}
