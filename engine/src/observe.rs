//! Looking at a running engine.

use quark_shards::shard::Shard;

use crate::dead_letter::DeadLetter;
use crate::engine::Engine;
use crate::launch::ask_all;
use crate::registry::ActorInfo;
use crate::runtime::Runtime;
use crate::supervision::{Tree, leaves};

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

    /// Parents and children, awake and asleep. Asks every shard and blocks for the answers: not
    /// for use on a shard, nor often.
    ///
    /// Shown, it is a line for each actor, indented below its parent:
    ///
    /// ```text
    /// Game/1 on shard 0, one for one, children's failures: 2
    ///   Zone/east on shard 1, restarts: 2
    ///   Zone/west on shard 0, asleep
    /// ```
    #[must_use]
    pub fn tree(&self) -> Tree {
        let leaves = ask_all(self, leaves).into_iter().flatten().flatten();
        Tree::of(leaves)
    }

    /// How many actors it has given up: see [`Escalation`](crate::Escalation). Asks every shard
    /// and blocks for the answers.
    #[must_use]
    pub fn escalations(&self) -> u64 {
        ask_all(self, escalations).into_iter().flatten().sum()
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

pub(crate) fn escalations(_: &Shard, runtime: &Runtime) -> u64 {
    runtime.escalations.get()
}

pub(crate) fn count(_: &Shard, runtime: &Runtime) -> usize {
    runtime.types.iter().map(|types| types.count()).sum()
}

pub(crate) fn list(shard: &Shard, runtime: &Runtime) -> Vec<ActorInfo> {
    let mut actors = Vec::new();
    for types in runtime.types.iter() {
        types.list(&mut actors, shard, LIST_LIMIT);
    }
    actors
}

pub(crate) fn dead_letters(_: &Shard, runtime: &Runtime) -> (u64, Vec<DeadLetter>) {
    let letters = runtime.dead_letters.borrow();
    (letters.count(), letters.last().cloned().collect())
}
