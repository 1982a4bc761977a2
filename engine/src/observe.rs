//! Looking at a running engine.

use std::sync::Arc;

use quark_shards::shard::Shard;

use crate::dead_letter::{DeadLetter, DeadLetters};
use crate::density::Collected;
use crate::engine::Engine;
use crate::errand::ask_all;
use crate::limits::breaker::BreakerInfo;
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

    /// How many actors have left memory so far because they were idle, and to make room. Asks
    /// every shard and blocks for the answers.
    #[must_use]
    pub fn collected(&self) -> Collected {
        let each = ask_all(self, collected).into_iter().flatten();
        each.fold(Collected::default(), std::ops::Add::add)
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

    /// One-way messages that could not be delivered: how many there were, by reason, and the last
    /// of them. Asks every shard and blocks for the answers: not for use on a shard, nor often.
    ///
    /// Those whose sender was there to be told ([`TellError`](crate::TellError)) are not among
    /// them.
    ///
    /// ```
    /// use quark::prelude::*;
    ///
    /// #[derive(Default)]
    /// pub struct Picky;
    ///
    /// #[actor]
    /// impl Picky {
    ///     fn on_activate(&mut self) -> Result<(), &'static str> {
    ///         Err("not for you")
    ///     }
    ///
    ///     pub fn hello(&self) {}
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::launch(Topology::detect()?.oversubscribe(true))?;
    /// engine.actor::<Picky>(1).hello().tell()?;
    /// while engine.dead_letters().total == 0 {
    ///     std::thread::yield_now();
    /// }
    /// let letters = engine.dead_letters();
    /// assert_eq!(letters.count(quark::DeadReason::Activation), 1);
    /// assert_eq!(letters.kept[0].method, "hello");
    ///
    /// // Sent again, it fails again.
    /// assert_eq!(engine.replay_dead_letters(|letter| letter.method == "hello"), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        let mut all = DeadLetters::default();
        for letters in ask_all(self, dead_letters).into_iter().flatten() {
            all.add(letters);
        }
        all
    }

    /// The circuit breakers of the types that have one, on each shard where they are in use. Asks
    /// every shard and blocks for the answers: not for use on a shard, nor often.
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerInfo> {
        ask_all(self, breakers)
            .into_iter()
            .flatten()
            .flatten()
            .collect()
    }

    /// Tells those dead letters to their actors again that `chosen` says, and keeps them no
    /// longer. Returns how many. Those of one shard go in the order in which they died; what
    /// fails again is a dead letter again. Asks every shard and blocks for the answers.
    ///
    /// `chosen` runs on the shards.
    pub fn replay_dead_letters(
        &self,
        chosen: impl Fn(&DeadLetter) -> bool + Send + Sync + 'static,
    ) -> usize {
        let chosen = Arc::new(chosen);
        let replay = move |_: &Shard, runtime: &Runtime| runtime.replay_dead_letters(&*chosen);
        ask_all(self, replay).into_iter().flatten().sum()
    }

    /// Lets go of the dead letters that are kept, with their messages; the counts stay. Returns
    /// how many. Asks every shard and blocks for the answers.
    pub fn clear_dead_letters(&self) -> usize {
        let clear = |_: &Shard, runtime: &Runtime| runtime.clear_dead_letters();
        ask_all(self, clear).into_iter().flatten().sum()
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

pub(crate) fn collected(_: &Shard, runtime: &Runtime) -> Collected {
    runtime.density.collected.get()
}

pub(crate) fn breakers(shard: &Shard, runtime: &Runtime) -> Vec<BreakerInfo> {
    let types = runtime.types.iter();
    types
        .filter_map(|types| types.breaker(shard.id()))
        .collect()
}

pub(crate) fn dead_letters(_: &Shard, runtime: &Runtime) -> DeadLetters {
    runtime.list_dead_letters()
}
