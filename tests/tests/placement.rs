//! Where actors live: groups, places of the machine, pools; and who is first where chance or
//! callers decide.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use quark::testing::{Sim, SimOptions, for_seeds};
use quark::{ActorOptions, IdlePolicy, Key, Near, Placement, Topology, prelude::*};
use quark_numa::Synthetic;
use quark_tests::{in_time, small};

#[derive(Default)]
pub struct Settler;

#[actor]
impl Settler {
    pub fn shard(&self, cx: &Cx<Self>) -> u16 {
        cx.shard()
    }
}

#[derive(Default)]
pub struct Neighbour;

#[actor]
impl Neighbour {
    pub fn shard(&self, cx: &Cx<Self>) -> u16 {
        cx.shard()
    }

    /// Calls a settler from here.
    pub async fn call(&self, cx: &Cx<Self>, key: u64) -> Result<u16, CallError> {
        cx.actor::<Settler>(key).shard().await
    }
}

fn world(shards: u16, topology: Option<Topology>, options: ActorOptions) -> Sim {
    let options_of_sim = SimOptions {
        shards,
        topology,
        ..SimOptions::default()
    };
    let builder = Engine::builder()
        .configure::<Settler>(options)
        .configure::<Neighbour>(ActorOptions::new().affinity(town_of));
    builder.simulate(1, options_of_sim).unwrap()
}

/// What comes before the first slash.
fn town_of(key: &Key) -> Key {
    match key {
        Key::Str(key) => key.split('/').next().unwrap_or_default().into(),
        Key::Int(_) => key.clone(),
    }
}

#[test]
fn a_group_lives_together_whatever_its_types() {
    let sim = world(8, None, ActorOptions::new().affinity(town_of));
    let mut towns = BTreeSet::new();
    for town in 0..20 {
        let shards: BTreeSet<_> = (0..10)
            .flat_map(|house| {
                let key = format!("town {town}/{house}");
                let settler = sim.actor::<Settler>(&key);
                let neighbour = sim.actor::<Neighbour>(&key);
                sim.block_on(async {
                    [
                        settler.shard().await.unwrap(),
                        neighbour.shard().await.unwrap(),
                    ]
                })
            })
            .collect();
        assert_eq!(shards.len(), 1, "town {town} lives on {shards:?}");
        towns.extend(shards);
    }
    assert!(
        towns.len() > 3,
        "twenty towns live on {towns:?} of 8 shards"
    );
}

fn shards_of(sim: &Sim) -> BTreeSet<u16> {
    (0..200_u64)
        .map(|key| {
            let settler = sim.actor::<Settler>(key);
            sim.block_on(async { settler.shard().await.unwrap() })
        })
        .collect()
}

#[test]
fn near_a_node_is_on_its_shards() {
    // Two packages of one node each.
    let machine = Topology::synthetic(Synthetic::two_sockets());
    let cores = machine.usable_cores();
    let shards = u16::try_from(cores - 1).unwrap();
    let placed = machine.clone().shards(usize::from(shards)).place().unwrap();
    for node in machine.nodes().iter().map(|node| node.id) {
        let near = Near::Node(u16::try_from(node).unwrap());
        let options = ActorOptions::new().placement(Placement::Near(near));
        let sim = world(shards, Some(machine.clone()), options);
        let expected: BTreeSet<_> = placed
            .shards
            .iter()
            .filter(|place| place.node == node)
            .map(|place| place.shard)
            .collect();
        assert!(expected.len() < usize::from(shards), "a part of the shards");
        assert_eq!(shards_of(&sim), expected, "near node {node}");
    }
}

#[test]
fn near_a_core_is_on_the_shards_of_its_cache() {
    let machine = Topology::synthetic(Synthetic::two_sockets());
    let shards = u16::try_from(machine.usable_cores() - 1).unwrap();
    let placed = machine.clone().shards(usize::from(shards)).place().unwrap();
    for cpu in machine.online_cpus().iter().step_by(7) {
        let near = Near::Core(u16::try_from(cpu.id).unwrap());
        let options = ActorOptions::new().placement(Placement::Near(near));
        let sim = world(shards, Some(machine.clone()), options);
        let expected: BTreeSet<_> = placed
            .shards
            .iter()
            .filter(|place| place.l3 == cpu.l3)
            .map(|place| place.shard)
            .collect();
        assert!(!expected.is_empty());
        assert_eq!(shards_of(&sim), expected, "near cpu {}", cpu.id);
    }
}

#[test]
fn near_a_place_of_this_machine_is_on_its_shards() {
    let options = ActorOptions::new().placement(Placement::Near(Near::Node(0)));
    let engine = small().configure::<Settler>(options).launch().unwrap();
    let on_node: Vec<_> = engine
        .report()
        .shards
        .iter()
        .filter(|place| place.node == 0)
        .map(|place| place.shard)
        .collect();
    for key in 0..50_u64 {
        let shard = engine.actor::<Settler>(key).shard().wait().unwrap();
        assert!(on_node.is_empty() || on_node.contains(&shard), "{shard}");
    }
    engine.shutdown();
}

#[test]
fn near_what_the_machine_lacks_is_named() {
    let options = ActorOptions::new().placement(Placement::Near(Near::Node(7)));
    let sim = world(2, None, options);
    let settler = sim.actor::<Settler>(1_u64);
    let error = sim.block_on(async { settler.shard().await.unwrap_err() });
    let text = error.to_string();
    assert!(
        text.contains("near node 7") && text.contains("nodes 0"),
        "{text}"
    );
}

#[test]
fn a_local_actor_lives_where_it_was_called_first() {
    let sim = world(4, None, ActorOptions::new().placement(Placement::Local));
    for key in 0..40_u64 {
        let caller = sim.actor::<Neighbour>(format!("caller {key}"));
        let (own, first) = sim.block_on(async {
            (
                caller.shard().await.unwrap(),
                caller.call(key).await.unwrap(),
            )
        });
        assert_eq!(own, first, "actor {key}");
        let other = sim.actor::<Neighbour>(format!("another caller {key}"));
        let again = sim.block_on(async { other.call(key).await.unwrap() });
        assert_eq!(again, first, "it stays there");
    }
}

#[test]
fn random_actors_live_on_all_shards() {
    let sim = world(4, None, ActorOptions::new().placement(Placement::Random));
    assert_eq!(shards_of(&sim).len(), 4);
    let homes = (0..200_u64).filter(|key| {
        let settler = sim.actor::<Settler>(*key);
        let shard = sim.block_on(async { settler.shard().await.unwrap() });
        shard == sim.engine().home_of::<Settler>(*key)
    });
    assert!(
        (20..90).contains(&homes.count()),
        "a quarter lives at home by chance"
    );
}

/// Counts the lives of its key.
pub struct Once {
    _life: Life,
}

struct Life(Arc<Lives>);

/// How often each key was made, and how many instances there are of all.
pub struct Lives {
    made: Vec<AtomicU32>,
    alive: AtomicU64,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[actor]
impl Once {
    pub fn touch(&mut self) {}
}

/// Calls each key from a shard of its own.
pub struct Racer;

#[actor]
impl Racer {
    pub async fn race(&self, cx: &Cx<Self>, from: u64, to: u64) -> u64 {
        let mut answered = 0;
        for first in (from..to).step_by(64) {
            let calls = (first..to.min(first + 64)).map(|key| {
                let once = cx.actor::<Once>(key);
                async move { once.touch().await }
            });
            for call in calls.map(Box::pin).collect::<Vec<_>>() {
                answered += u64::from(call.await.is_ok());
            }
        }
        answered
    }
}

/// One million with `QUARK_FULL=1`.
fn racing_keys() -> u64 {
    match std::env::var_os("QUARK_FULL") {
        Some(_) => 1_000_000,
        None => 20_000,
    }
}

#[test]
fn two_shards_that_call_first_at_once_get_one_activation() {
    for placement in [Placement::Random, Placement::Local] {
        let keys = racing_keys();
        in_time(Duration::from_secs(500), move || {
            let lives = Arc::new(Lives {
                made: (0..keys).map(|_| AtomicU32::new(0)).collect(),
                alive: AtomicU64::new(0),
            });
            let counted = lives.clone();
            let once = move |cx: &quark::FactoryCx| {
                let Key::Int(key) = cx.key() else {
                    unreachable!("keys are numbers")
                };
                counted.made[*key as usize].fetch_add(1, Ordering::Relaxed);
                counted.alive.fetch_add(1, Ordering::Relaxed);
                Once {
                    _life: Life(counted.clone()),
                }
            };
            let options = ActorOptions::new()
                .placement(placement)
                .idle_after(Duration::MAX);
            let engine = small()
                .idle(IdlePolicy::ADAPTIVE)
                .register_with::<Once>(options, once)
                .register::<Racer>(|_| Racer)
                .launch()
                .unwrap();
            let racers: Vec<_> = (0..2)
                .map(|shard| {
                    let engine = engine.clone();
                    thread::spawn(move || {
                        let key = quark_tests::key_on(shard, |key| engine.home_of::<Racer>(key));
                        let racer = engine.actor::<Racer>(key);
                        let patience = Duration::from_secs(400);
                        racer.race(0, keys).timeout(patience).wait().unwrap()
                    })
                })
                .collect();
            for racer in racers {
                assert_eq!(racer.join().unwrap(), keys, "every call is answered");
            }
            let made = lives.made.iter().map(|made| made.load(Ordering::Relaxed));
            assert!(made.clone().all(|made| made == 1), "{:?}", made.max());
            assert_eq!(engine.count(), keys as usize + 2);
            engine.shutdown();
            assert_eq!(lives.alive.load(Ordering::Relaxed), 0);
        });
    }
}

#[test]
fn first_calls_race_to_one_activation_by_every_seed() {
    let seeds = match std::env::var_os("QUARK_FULL") {
        Some(_) => 1000,
        None => 40,
    };
    for_seeds(0..seeds, |seed| {
        let placement = if seed % 2 == 0 {
            Placement::Random
        } else {
            Placement::Local
        };
        let options = SimOptions {
            shards: 2 + (seed % 3) as u16,
            ..SimOptions::default()
        };
        let settle = ActorOptions::new().placement(placement);
        let builder = Engine::builder().configure::<Settler>(settle);
        let sim = builder.simulate(seed, options).unwrap();
        let keys = 1000_u64;
        for shard in 0..sim.engine().shards() {
            let engine = sim.engine().clone();
            sim.spawn_on(shard, async move {
                for key in 0..keys {
                    engine.actor::<Settler>(key).shard().await.unwrap();
                }
            });
        }
        sim.run_until_idle();
        // That no key was activated twice is the simulation's own rule; this is the other half.
        assert_eq!(sim.counts().activated, keys);
        assert_eq!(sim.count() as u64, keys);
        sim.shutdown();
    });
}

/// A worker that is busy for a while.
#[derive(Default)]
pub struct Worker;

#[actor]
impl Worker {
    pub async fn work(&mut self, cx: &Cx<Self>) -> u16 {
        quark::sleep(Duration::from_millis(10)).await;
        cx.shard()
    }
}

#[test]
fn a_pool_grows_with_its_queue_and_shrinks_again() {
    let options = ActorOptions::new()
        .placement(Placement::Workers { most: 4 })
        .idle_after(Duration::from_millis(100));
    let builder = Engine::builder().configure::<Worker>(options);
    let sim = builder.simulate(1, SimOptions::default()).unwrap();
    let engine = sim.engine().clone();
    let burst = |calls: u64| {
        let began = sim.now();
        for _ in 0..calls {
            let engine = engine.clone();
            sim.spawn_on(0, async move {
                let shard = engine.actor::<Worker>(7_u64).work().await.unwrap();
                assert_eq!(shard, 0, "a pool answers on the shard that calls it");
            });
        }
        sim.run_until_idle();
        (sim.now() - began).as_millis()
    };
    assert!((10..12).contains(&burst(1)));
    assert_eq!(sim.count(), 1);
    assert!((10..13).contains(&burst(3)), "three work at once");
    assert_eq!(sim.count(), 3);
    assert!(
        (20..25).contains(&burst(8)),
        "four work at once, and no more"
    );
    assert_eq!(sim.count(), 4);
    for _ in 0..20 {
        burst(1);
        sim.run_for(Duration::from_millis(10));
    }
    assert_eq!(sim.count(), 1, "one is enough");
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.count(), 0);
    sim.shutdown();
}

#[test]
fn each_shard_has_a_pool_of_its_own() {
    let options = ActorOptions::new().placement(Placement::Workers { most: 2 });
    let builder = Engine::builder().configure::<Worker>(options);
    let sim = builder
        .simulate(
            1,
            SimOptions {
                shards: 3,
                ..SimOptions::default()
            },
        )
        .unwrap();
    for shard in 0..3 {
        let engine = sim.engine().clone();
        sim.spawn_on(shard, async move {
            let answered = engine.actor::<Worker>(7_u64).work().await;
            assert_eq!(answered, Ok(shard));
        });
    }
    sim.run_until_idle();
    assert_eq!(sim.count(), 3);
    sim.shutdown();
}
