//! Who leaves memory when there are too many actors, or too little memory, and who stays.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark::testing::{Sim, SimOptions, for_seeds};
use quark::{ActorOptions, Collected, EngineBuilder, Key, sleep};
use quark_tests::{in_time, small};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Leaf {
    calls: u64,
}

#[actor]
impl Leaf {
    pub fn touch(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    pub async fn work(&mut self, time: Duration) -> u64 {
        self.calls += 1;
        sleep(time).await;
        self.calls
    }

    pub fn keep(&mut self, cx: &Cx<Self>, keep: bool) {
        cx.keep_active(keep);
    }

    pub fn leave(&mut self, cx: &Cx<Self>) {
        cx.deactivate();
    }

    pub fn boom(&mut self) {
        std::panic::resume_unwind(Box::new("as the test wants it"));
    }
}

/// Says farewell, slowly.
#[derive(Default)]
pub struct Polite {
    farewells: Option<Arc<AtomicU64>>,
}

#[actor]
impl Polite {
    async fn on_deactivate(&mut self) {
        sleep(Duration::from_millis(20)).await;
        if let Some(farewells) = &self.farewells {
            farewells.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub fn touch(&mut self, farewells: Arc<AtomicU64>) {
        self.farewells = Some(farewells);
    }
}

fn forever() -> EngineBuilder {
    Engine::builder().idle_after(Duration::MAX)
}

fn world(builder: EngineBuilder, seed: u64, shards: u16) -> Sim {
    let options = SimOptions {
        shards,
        ..SimOptions::default()
    };
    builder.simulate(seed, options).unwrap()
}

fn touch(sim: &Sim, keys: impl IntoIterator<Item = u64>) {
    for key in keys {
        sim.block_on(sim.actor::<Leaf>(key).touch()).unwrap();
    }
}

/// The keys of the leaves in memory.
fn leaves(sim: &Sim) -> BTreeSet<u64> {
    let leaves = sim.list().into_iter().filter(|one| one.id.actor == "Leaf");
    let key = |key| match key {
        Key::Int(key) => key,
        Key::Str(_) => unreachable!("keys are numbers here"),
    };
    leaves.map(|one| key(one.id.key)).collect()
}

#[test]
fn the_longest_uncalled_leave_first() {
    for_seeds(0..50, |seed| {
        let sim = world(forever().max_actors(16), seed, 1);
        // In an order that the seed draws, far enough apart to be told apart.
        let mut keys: Vec<u64> = (0..16).collect();
        for at in (1..keys.len()).rev() {
            keys.swap(at, (sim.random() % (at as u64 + 1)) as usize);
        }
        touch(&sim, 0..16);
        for key in &keys {
            sim.run_for(10 * SECOND);
            touch(&sim, [*key]);
        }
        // Each beyond the limit drives the oldest out.
        let mut left: Vec<_> = keys.clone();
        for fresh in 100..108 {
            sim.run_for(10 * SECOND);
            for fresh in [fresh, 1000 + fresh] {
                touch(&sim, [fresh]);
                sim.run_for(SECOND / 10);
                left.push(fresh);
            }
            left.drain(..left.len() - 16);
            assert_eq!(leaves(&sim), left.iter().copied().collect(), "of {keys:?}");
        }
        let Collected { idle, pressure, .. } = sim.collected();
        assert!(idle == 0 && pressure == 16, "{idle} and {pressure}");
        sim.shutdown();
    });
}

#[test]
fn a_limit_holds_however_many_come() {
    for_seeds(0..20, |seed| {
        let limit = 1000;
        let sim = world(forever().max_actors(limit), seed, 2);
        for shard in 0..2_u64 {
            let leaf = move |sim: &Sim, number: u64| sim.actor::<Leaf>(number * 2 + shard);
            let leaves: Vec<_> = (0..5000).map(|number| leaf(&sim, number)).collect();
            sim.spawn_on(shard as u16, async move {
                for leaf in leaves {
                    let _ = leaf.touch().await;
                }
            });
        }
        let mut most = 0;
        while sim.tasks() > 0 {
            sim.run_for(Duration::from_micros(100));
            most = most.max(sim.count());
        }
        assert!(most > limit / 2 && most <= limit + limit / 8, "{most}");
        sim.run_until_idle();
        assert!(sim.count() <= limit);
        assert!(sim.count() >= limit - limit / 8, "{}", sim.count());
        sim.shutdown();
    });
}

#[test]
fn whoever_is_busy_or_kept_stays() {
    for_seeds(0..50, |seed| {
        let builder = forever()
            .max_actors(4)
            .timeout(1000 * SECOND)
            .configure::<Polite>(ActorOptions::new().keep(true));
        let sim = world(builder, seed, 1);
        let farewells = Arc::new(AtomicU64::new(0));
        let kept = sim.actor::<Polite>(1);
        sim.block_on(kept.touch(farewells.clone())).unwrap();
        sim.block_on(sim.actor::<Leaf>(1).keep(true)).unwrap();
        let busy = sim.actor::<Leaf>(2);
        sim.spawn_on(0, async move {
            assert_eq!(busy.work(100 * SECOND).await, Ok(1));
        });
        sim.run_for(SECOND);
        for key in 10..30 {
            touch(&sim, [key]);
            sim.run_for(SECOND);
        }
        let left = leaves(&sim);
        assert!(left.contains(&1) && left.contains(&2), "{left:?}");
        assert!(left.contains(&29) && sim.count() <= 4, "{left:?}");
        // The wish can be taken back, and a new instance has none.
        sim.block_on(sim.actor::<Leaf>(1).keep(false)).unwrap();
        sim.run_for(SECOND);
        touch(&sim, 30..40);
        sim.run_for(SECOND);
        assert!(!leaves(&sim).contains(&1));
        sim.block_on(sim.actor::<Leaf>(3).keep(true)).unwrap();
        let boom = sim.block_on(sim.actor::<Leaf>(3).boom());
        assert_eq!(boom, Err(CallError::Panicked));
        sim.run_for(SECOND);
        touch(&sim, 50..60);
        sim.run_for(SECOND);
        assert!(!leaves(&sim).contains(&3));
        assert_eq!(farewells.load(Ordering::SeqCst), 0);
        sim.run_until_idle();
        sim.shutdown();
        assert_eq!(farewells.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_limit_that_only_busy_actors_exceed_is_kept_to_when_they_are_done() {
    let sim = world(forever().max_actors(4).timeout(100 * SECOND), 1, 1);
    for key in 0..20 {
        let leaf = sim.actor::<Leaf>(key);
        sim.spawn_on(0, async move {
            leaf.work(5 * SECOND).await.unwrap();
        });
    }
    sim.run_for(SECOND);
    assert_eq!(sim.count(), 20, "all are busy");
    sim.run_for(20 * SECOND);
    assert!(sim.count() <= 4, "{}", sim.count());
    sim.shutdown();
}

#[test]
fn kept_actors_outlive_their_idle_time() {
    let builder = Engine::builder()
        .idle_after(SECOND)
        .configure::<Polite>(ActorOptions::new().keep(true));
    let sim = world(builder, 1, 2);
    let farewells = Arc::new(AtomicU64::new(0));
    sim.block_on(sim.actor::<Polite>(1).touch(farewells.clone()))
        .unwrap();
    touch(&sim, 0..10);
    sim.block_on(sim.actor::<Leaf>(5).keep(true)).unwrap();
    sim.run_for(10 * SECOND);
    assert_eq!(leaves(&sim), [5].into());
    assert_eq!(sim.count(), 2);
    assert_eq!(sim.collected().idle, 9);
    // Its own word goes before its wish.
    sim.block_on(sim.actor::<Leaf>(5).leave()).unwrap();
    assert_eq!(sim.count(), 1);
    assert_eq!(sim.collected().pressure, 0);
    sim.shutdown();
    assert_eq!(farewells.load(Ordering::SeqCst), 1);
}

#[test]
fn short_memory_sheds_a_part_and_never_the_young() {
    for_seeds(0..50, |seed| {
        let sim = world(forever().memory_limit(1000), seed, 2);
        touch(&sim, 0..500);
        sim.run_for(100 * SECOND);
        touch(&sim, 500..1000);
        sim.set_resident_memory(1000);
        sim.run_for(SECOND / 10);
        assert_eq!(sim.count(), 1000, "not beyond the limit");
        sim.set_resident_memory(1100);
        sim.run_for(SECOND / 10);
        let left = leaves(&sim);
        let shed = 1000 - left.len() as u64;
        assert!((60..=100).contains(&shed), "a tenth too much, {shed} left");
        assert_eq!(left.range(500..).count(), 500);
        for _ in 0..100 {
            sim.set_resident_memory(u64::MAX);
            sim.run_for(SECOND / 200);
        }
        assert_eq!(leaves(&sim), (500..1000).collect(), "the young stay");
        assert_eq!(sim.collected().pressure, 500);
        sim.run_for(10 * SECOND);
        sim.set_resident_memory(u64::MAX);
        sim.run_for(SECOND / 10);
        assert!(sim.count() < 400, "{}", sim.count());
        sim.shutdown();
    });
}

#[test]
fn farewells_are_said_under_pressure_and_messages_wait_for_them() {
    for_seeds(0..50, |seed| {
        let sim = world(forever().max_actors(8), seed, 1);
        let farewells = Arc::new(AtomicU64::new(0));
        for round in 0..3 {
            for key in 0..40_u64 {
                let polite = sim.actor::<Polite>(key);
                let touched = sim.block_on(polite.touch(farewells.clone()));
                assert_eq!(touched, Ok(()), "in round {round}");
            }
        }
        sim.run_for(10 * SECOND);
        let left = sim.count() as u64;
        let collected = sim.collected().pressure;
        assert!(left <= 8 && collected >= 100, "{left}, {collected}");
        assert_eq!(farewells.load(Ordering::SeqCst), collected);
        let counts = sim.counts();
        assert_eq!(counts.activated - counts.deactivated, left);
        sim.shutdown();
    });
}

/// Has leaves as children.
#[derive(Default)]
pub struct Parent;

#[actor]
impl Parent {
    pub async fn bear(&mut self, cx: &Cx<Self>, child: u64) {
        let child = cx.child::<Leaf>(child);
        child.keep(true).await.expect("it lives");
    }
}

#[test]
fn parents_stay_while_their_children_are_awake() {
    let sim = world(forever().max_actors(4), 1, 2);
    sim.block_on(sim.actor::<Parent>(1).bear(7)).unwrap();
    sim.run_for(SECOND);
    for key in 100..200 {
        touch(&sim, [key]);
        sim.run_for(SECOND);
    }
    let here: Vec<_> = sim.list().into_iter().map(|one| one.id.actor).collect();
    assert!(here.contains(&"Parent"), "{here:?}");
    assert!(leaves(&sim).contains(&7));
    sim.block_on(sim.actor::<Leaf>(7).keep(false)).unwrap();
    for key in 100..200 {
        touch(&sim, [key]);
        sim.run_for(SECOND);
    }
    assert!(!leaves(&sim).contains(&7));
    let here: Vec<_> = sim.list().into_iter().map(|one| one.id.actor).collect();
    assert!(!here.contains(&"Parent"), "{here:?}");
    sim.shutdown();
}

#[test]
fn an_actors_wish_to_stay_moves_with_it() {
    for_seeds(0..20, |seed| {
        let sim = world(Engine::builder().idle_after(SECOND), seed, 2);
        let leaf = sim.actor::<Leaf>(1);
        sim.block_on(leaf.keep(true)).unwrap();
        for to in [0, 1, 0] {
            sim.block_on(sim.engine().migrate(&leaf, to)).unwrap();
            sim.run_for(10 * SECOND);
            assert_eq!(leaves(&sim), [1].into());
        }
        sim.block_on(leaf.keep(false)).unwrap();
        sim.run_for(10 * SECOND);
        assert_eq!(sim.count(), 0);
        sim.shutdown();
    });
}

#[test]
fn a_seed_sheds_the_same_actors() {
    let run = |seed| {
        let sim = world(forever().max_actors(50), seed, 2);
        for shard in 0..2 {
            let leaves: Vec<_> = (0..500)
                .map(|_| sim.actor::<Leaf>(sim.random() % 200))
                .collect();
            sim.spawn_on(shard, async move {
                for leaf in leaves {
                    let _ = leaf.touch().await;
                }
            });
        }
        sim.run_until_idle();
        (sim.trace(), leaves(&sim), sim.collected())
    };
    for_seeds(0..20, |seed| assert_eq!(run(seed), run(seed)));
}

#[test]
fn a_real_engine_keeps_to_its_limits() {
    in_time(Duration::from_secs(120), || {
        // The process has more than a byte resident, whatever is done.
        let engine = small().memory_limit(1).launch().unwrap();
        for key in 0..100_u64 {
            engine.actor::<Leaf>(key).touch().wait().unwrap();
        }
        let begun = Instant::now();
        while engine.count() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(engine.collected().pressure, 100);
        engine.shutdown();

        let engine = small().max_actors(100).launch().unwrap();
        for key in 0..1000_u64 {
            engine.actor::<Leaf>(key).touch().wait().unwrap();
        }
        while engine.count() > 100 {
            assert!(begun.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(1));
        }
        let collected = engine.collected();
        assert!(collected.pressure >= 900 && collected.idle == 0);
        engine.shutdown();
    });
}
