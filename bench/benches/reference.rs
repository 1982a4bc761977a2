//! From a name to its actor: making a reference, and the first call by it, which has to find the
//! actor among all others of its type; a kept reference remembers where it was.
//!
//! In a real engine of one shard that holds 100,000 actors, asked in an order that no cache
//! foresees. The baselines look boxed closures up in a map of as many, and call them.
#![allow(missing_docs)]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use quark::prelude::*;
use quark_bench::launch::PATIENCE;
use quark_bench::rng::Rng;

const ACTORS: u64 = 100_000;

#[derive(Default)]
pub struct Callee {
    sum: u64,
}

#[actor(name = "reference.callee")]
impl Callee {
    pub fn add(&mut self, more: u64) -> u64 {
        self.sum += more;
        self.sum
    }
}

#[derive(Clone, Copy)]
pub enum What {
    /// A reference by number, and no call.
    Number,
    /// A reference by name, and no call.
    Name,
    /// A reference by number, and a call by it.
    First,
    /// A call by a reference that was called by before.
    Kept,
    /// The same, again and again the same one.
    Same,
}

#[derive(Default)]
pub struct Caller {
    kept: Vec<CalleeRef>,
}

#[actor(name = "reference.caller")]
impl Caller {
    /// Wakes all actors, and keeps references to them.
    pub async fn wake(&mut self, cx: &Cx<Self>) -> Result<(), CallError> {
        self.kept = (0..ACTORS).map(|key| cx.actor::<Callee>(key)).collect();
        for callee in &self.kept {
            callee.add(1).await?;
        }
        Ok(())
    }

    /// How long it takes to do that so many times.
    pub async fn time(
        &mut self,
        cx: &Cx<Self>,
        what: What,
        times: u64,
    ) -> Result<Duration, CallError> {
        let mut rng = Rng::new(1);
        let begun = Instant::now();
        for _ in 0..times {
            let key = rng.below(ACTORS);
            match what {
                What::Number => drop(black_box(cx.actor::<Callee>(key))),
                What::Name => drop(black_box(cx.actor::<Callee>(black_box("alice")))),
                What::First => drop(black_box(cx.actor::<Callee>(key).add(1).await?)),
                What::Kept => drop(black_box(self.kept[key as usize].add(1).await?)),
                What::Same => drop(black_box(self.kept[0].add(1).await?)),
            }
        }
        Ok(begun.elapsed())
    }
}

fn references(c: &mut Criterion) {
    let mut group = c.benchmark_group("reference");

    let topology = Topology::detect().expect("a machine that can be read");
    let engine = Engine::launch(topology.shards(1)).expect("a shard");
    let caller = engine.actor::<Caller>(0_u64);
    let awake = caller.wake().timeout(PATIENCE).wait();
    awake.expect("an answer");
    for (name, what) in [
        ("quark, make by number", What::Number),
        ("quark, make by name", What::Name),
        ("quark, make and ask", What::First),
        ("quark, ask by a kept one", What::Kept),
        ("quark, ask by the same one", What::Same),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                let took = caller.time(what, times).timeout(PATIENCE).wait();
                took.expect("an answer")
            });
        });
    }
    engine.shutdown();

    let closures = || (0..ACTORS).map(|key| (key, adder()));
    let mut map = hashbrown::HashMap::with_hasher(foldhash::fast::FixedState::default());
    map.extend(closures());
    let mut rng = Rng::new(1);
    group.bench_function("hashbrown with foldhash, find and call", |b| {
        b.iter(|| map.get_mut(&rng.below(ACTORS)).map(|add| add(black_box(1))));
    });
    drop(map);
    let mut map: HashMap<u64, Adder> = closures().collect();
    group.bench_function("std HashMap, find and call", |b| {
        b.iter(|| map.get_mut(&rng.below(ACTORS)).map(|add| add(black_box(1))));
    });
    group.finish();
}

type Adder = Box<dyn FnMut(u64) -> u64>;

fn adder() -> Adder {
    let mut sum = 0;
    Box::new(move |more| {
        sum += more;
        sum
    })
}

criterion_group!(benches, references);
criterion_main!(benches);
