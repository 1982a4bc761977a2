//! The stores of an engine: which there are, when they are opened and closed, and what outlives it.
#![allow(missing_docs)]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::storage::provider::Provider;
use quark::testing::{Sim, SimOptions, for_seeds};
use quark::{ActorOptions, Placement, StateError};
use quark_tests::{in_time, key_on, shelf, small};

fn sim(builder: quark::EngineBuilder) -> Sim {
    builder.simulate(1, SimOptions::default()).unwrap()
}

#[derive(Default, Stateful)]
pub struct Purse {
    #[state]
    cents: State<i64>,
}

#[actor]
impl Purse {
    pub async fn deposit(&mut self, cents: i64) -> Result<i64, StateError> {
        *self.cents += cents;
        self.cents.save().await?;
        Ok(*self.cents)
    }

    /// Never ends.
    pub async fn deposit_for_ever(&mut self) -> Result<(), StateError> {
        loop {
            *self.cents += 1;
            self.cents.save().await?;
        }
    }

    pub fn look(&self) -> (i64, bool) {
        (*self.cents, self.cents.exists())
    }

    pub async fn on_deactivate(&mut self) {
        if *self.cents == 1300 {
            *self.cents = 1301;
            self.cents.save().await.unwrap();
        }
    }

    pub fn sleep(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }

    pub fn shard(&self, cx: &Cx<Self>) -> u16 {
        cx.shard()
    }
}

#[derive(Default, Stateful)]
pub struct Shop {
    #[state]
    till: State<u64>,
    #[state(name = "stock", store = "fast")]
    shelves: State<Vec<String>>,
    #[state(store = "fast")]
    r#type: State<String>,
}

#[actor]
impl Shop {
    pub async fn sell(&mut self, what: String) -> Result<(u64, usize, String), StateError> {
        *self.till += 1;
        self.shelves.push(what.clone());
        *self.r#type = what;
        self.till.save().await?;
        self.shelves.save().await?;
        self.r#type.save().await?;
        Ok((*self.till, self.shelves.len(), self.r#type.clone()))
    }

    pub fn sleep(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }
}

#[test]
fn states_have_names_and_stores_of_their_own() {
    let shelf = shelf::fresh();
    let sim = sim(Engine::builder()
        .store(Store::memory())
        .store_named("fast", shelf::store()));
    let shop = sim.actor::<Shop>(3);
    sim.block_on(shop.sell("tea".to_owned())).unwrap();
    sim.block_on(shop.sleep()).unwrap();
    sim.run_for(Duration::from_secs(1));
    let sold = sim.block_on(shop.sell("milk".to_owned()));
    assert_eq!(sold, Ok((2, 2, "milk".to_owned())));
    assert_eq!(shelf.memory.report().records, 2, "till is kept elsewhere");
    let report = sim.engine().report();
    assert_eq!(report.stores["fast"].kind, "shelf");
    assert!(report.to_string().contains("store fast: shelf"), "{report}");
    sim.shutdown();
}

#[test]
fn a_missing_store_is_named_with_the_remedy() {
    let none = sim(Engine::builder());
    let refused = none
        .block_on(none.actor::<Purse>(1).deposit(1))
        .unwrap_err();
    assert_eq!(refused, CallError::State(Box::new(StateError::NoStore)));
    assert!(
        refused.to_string().contains("Engine::builder().store("),
        "{refused}"
    );
    let other = sim(Engine::builder().store(Store::memory()));
    let refused = other
        .block_on(other.actor::<Shop>(1).sell(String::new()))
        .unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("\"fast\"") && said.contains("default"),
        "{said}"
    );
    none.shutdown();
    other.shutdown();
}

#[test]
fn a_real_engine_keeps_states_on_every_shard() {
    in_time(Duration::from_secs(60), || {
        let engine = small()
            .store(Store::memory())
            .configure::<Purse>(ActorOptions::new().placement(Placement::Random))
            .launch()
            .unwrap();
        assert_eq!(engine.report().stores["default"].kind, "memory");
        for key in 0..40_u64 {
            let account = engine.actor::<Purse>(key);
            assert_eq!(account.deposit(key as i64).wait(), Ok(key as i64));
            account.sleep().wait().unwrap();
        }
        for key in 0..40_u64 {
            let account = engine.actor::<Purse>(key);
            assert_eq!(account.look().wait(), Ok((key as i64, true)));
            let shard = account.shard().wait().unwrap();
            engine.migrate(&account, 1 - shard).wait().unwrap();
            assert_eq!(account.deposit(1).wait(), Ok(key as i64 + 1));
        }
        let key = key_on(1, |key| engine.home_of::<Shop>(key));
        assert!(
            engine
                .actor::<Shop>(key)
                .sell(String::new())
                .wait()
                .is_err()
        );
        engine.shutdown();
    });
}

#[test]
fn a_store_that_cannot_be_made_ends_the_launch() {
    in_time(Duration::from_secs(60), || {
        let failed = small()
            .store(Store::custom(|_| panic!("no store today")))
            .launch();
        let said = failed.unwrap_err().to_string();
        assert!(said.contains("store"), "{said}");
    });
}

#[test]
fn an_orderly_end_lets_actors_save_and_closes_the_stores() {
    let shelf = shelf::fresh();
    shelf.delay.set(Duration::from_millis(20));
    let first = sim(Engine::builder().store(shelf::store()));
    for key in 0..20_u64 {
        first
            .block_on(first.actor::<Purse>(key).deposit(1300))
            .unwrap();
    }
    let disks = first.power_off();
    assert_eq!(shelf.closed.get(), 2);
    let again = Engine::builder().store(shelf::store());
    let four = SimOptions {
        shards: 4,
        ..SimOptions::default()
    };
    let second = again.simulate_on(disks, four).unwrap();
    for key in 0..20_u64 {
        assert_eq!(
            second.block_on(second.actor::<Purse>(key).look()),
            Ok((1301, true))
        );
    }
    second.shutdown();
    assert_eq!(shelf.closed.get(), 2 + 4);
}

#[test]
fn when_the_power_goes_no_hook_runs_and_what_was_saved_is_there() {
    let shelf = shelf::fresh();
    shelf.delay.set(Duration::from_millis(20));
    let first = sim(Engine::builder().store(shelf::store()));
    let (busy, idle) = (first.actor::<Purse>(1), first.actor::<Purse>(2));
    first.block_on(idle.deposit(1300)).unwrap();
    busy.deposit_for_ever().tell().unwrap();
    first.run_for(Duration::from_secs(1));
    let before = first.now();
    let disks = first.lose_power();
    assert_eq!(shelf.closed.get(), 0);
    let again = Engine::builder().store(shelf::store());
    let second = again.simulate_on(disks, SimOptions::default()).unwrap();
    assert!(second.now() >= before, "time goes on");
    let idle = second.block_on(second.actor::<Purse>(2).look());
    assert_eq!(idle, Ok((1300, true)));
    let (cents, _) = second.block_on(second.actor::<Purse>(1).look()).unwrap();
    assert!((40..=60).contains(&cents), "{cents}");
    second.shutdown();
}

#[test]
fn memory_forgets_with_its_engine() {
    let first = sim(Engine::builder().store(Store::memory()));
    first.block_on(first.actor::<Purse>(1).deposit(5)).unwrap();
    let disks = first.power_off();
    let again = Engine::builder().store(Store::memory());
    let second = again.simulate_on(disks, SimOptions::default()).unwrap();
    assert_eq!(
        second.block_on(second.actor::<Purse>(1).look()),
        Ok((0, false))
    );
    second.shutdown();
}

fn deposit_all(sim: &Sim, keys: u64, expected: i64) {
    for key in 0..keys {
        let purse = sim.actor::<Purse>(key);
        assert_eq!(sim.block_on(purse.deposit(1)), Ok(expected), "{key}");
    }
}

#[test]
fn a_directory_outlives_engines_of_any_size() {
    for_seeds(0..20, |seed| {
        let world = |shards| SimOptions {
            shards,
            ..SimOptions::default()
        };
        let builder = || Engine::builder().store(Store::directory("data"));
        let mut sim = builder().simulate(seed, world(2)).unwrap();
        deposit_all(&sim, 30, 1);
        for (round, shards) in [3, 3, 1, 2].into_iter().enumerate() {
            let disks = match (seed + round as u64) % 2 {
                0 => sim.power_off(),
                _ => sim.lose_power(),
            };
            sim = builder().simulate_on(disks, world(shards)).unwrap();
            let report = sim.engine().report();
            assert_eq!(report.stores["default"].kind, "directory");
            deposit_all(&sim, 30, round as i64 + 2);
        }
        // Another secret puts every key elsewhere.
        let disks = sim.power_off();
        sim = builder().seed(7).simulate_on(disks, world(2)).unwrap();
        deposit_all(&sim, 30, 6);
        sim.shutdown();
    });
}

#[test]
fn a_save_that_returned_survives_loss_of_power_by_every_seed() {
    for_seeds(0..100, |seed| {
        let builder = || Engine::builder().store(Store::directory("data"));
        let mut sim = builder().simulate(seed, SimOptions::default()).unwrap();
        let mut least = [0_i64; 8];
        for _ in 0..4 {
            let saved = Rc::new(RefCell::new(least));
            for (key, _) in least.iter().enumerate() {
                let (saved, purse) = (saved.clone(), sim.actor::<Purse>(key as u64));
                sim.spawn_on((key % 2) as u16, async move {
                    while let Ok(cents) = purse.deposit(1).await {
                        saved.borrow_mut()[key] = cents;
                    }
                });
            }
            sim.run_for(Duration::from_micros(sim.random() % 20_000));
            let disks = sim.lose_power();
            sim = builder().simulate_on(disks, SimOptions::default()).unwrap();
            let saved = *saved.borrow();
            for (key, saved) in saved.into_iter().enumerate() {
                let kept = sim
                    .block_on(sim.actor::<Purse>(key as u64).look())
                    .unwrap()
                    .0;
                // One more may be there: its answer was lost.
                assert!(
                    kept == saved || kept == saved + 1,
                    "purse {key}: {kept} are kept, and {saved} were saved"
                );
                least[key] = kept;
            }
        }
        assert!(
            least.iter().all(|cents| *cents > 0),
            "nothing was done: {least:?}"
        );
        sim.shutdown();
    });
}

#[test]
fn a_real_directory_outlives_its_engine() {
    in_time(Duration::from_secs(120), || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let engine = small().store(Store::directory(&path)).launch().unwrap();
        for key in 0..50_u64 {
            assert_eq!(engine.actor::<Purse>(key).deposit(1).wait(), Ok(1));
        }
        let refused = small().store(Store::directory(&path)).launch();
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("in use"), "{said}");
        assert_eq!(
            engine.actor::<Purse>(1).deposit(1).wait(),
            Ok(2),
            "it is not troubled"
        );
        engine.shutdown();
        for shards in [3, 1] {
            let topology = Topology::detect()
                .unwrap()
                .shards(shards)
                .oversubscribe(true);
            let engine = small()
                .topology(topology)
                .store(Store::directory(&path))
                .launch()
                .unwrap();
            let report = engine.report();
            assert_eq!(report.stores["default"].records, 50, "{report}");
            for key in 2..50_u64 {
                assert_eq!(engine.actor::<Purse>(key).look().wait(), Ok((1, true)));
            }
            assert_eq!(engine.actor::<Purse>(1).look().wait(), Ok((2, true)));
            engine.shutdown();
        }
    });
}
