//! Actors that live away from home: moved, placed by chance or by their callers; and that nothing
//! is lost, and nothing overtakes, on the way.
#![allow(missing_docs)]

use std::cell::Cell;
use std::time::Duration;

use quark::testing::{Sim, SimOptions, for_seeds};
use quark::{MigrateError, Placement, prelude::*};
use quark_tests::nomads::{self, Book, Ledger, SOON, run};

fn world(shards: u16, placement: Placement) -> Sim {
    let options = SimOptions {
        shards,
        ..SimOptions::default()
    };
    nomads::world(0, options, placement, &Book::default(), SOON)
}

#[test]
fn an_actor_moves_with_its_state_and_its_timers() {
    let sim = world(3, Placement::Hash);
    let ledger = sim.actor::<Ledger>(7_u64);
    sim.block_on(async {
        let home = ledger.shard().await.unwrap();
        ledger.enter(1, 1).await.unwrap();
        ledger.tick_in(Duration::from_millis(5)).await.unwrap();
        for hop in 1..=3 {
            let to = (home + hop) % 3;
            sim.engine().migrate(&ledger, to).await.unwrap();
            assert_eq!(ledger.shard().await, Ok(to));
            assert_eq!(ledger.entries().await, Ok(1));
        }
        let to = (home + 1) % 3;
        ledger.go(to).await.unwrap();
        assert_eq!(ledger.shard().await, Ok(to));
    });
    sim.run_for(Duration::from_millis(10));
    assert_eq!(sim.block_on(async { ledger.ticks().await }), Ok(1));
    assert_eq!(sim.counts().moved, 4);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.count(), 0, "it sleeps");
    assert_eq!(sim.block_on(async { ledger.entries().await }), Ok(0));
    sim.shutdown();
}

#[test]
fn a_shard_that_is_not_there_is_named() {
    let sim = world(2, Placement::Hash);
    let ledger = sim.actor::<Ledger>(7_u64);
    let error = sim.block_on(async { sim.engine().migrate(&ledger, 9).await });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no shard 9"), "{error}");
    let pinned = world(2, Placement::Pinned(1));
    let ledger = pinned.actor::<Ledger>(7_u64);
    let error = pinned.block_on(async { pinned.engine().migrate(&ledger, 0).await });
    assert_eq!(error, Err(CallError::Failed(MigrateError::Bound)));
}

/// 40 by default; `QUARK_FULL=1` makes it 1,000.
fn seeds() -> u64 {
    match std::env::var_os("QUARK_FULL") {
        Some(_) => 1000,
        None => 40,
    }
}

fn every_seed(placement: Placement) {
    let (moved, restarted) = (Cell::new(0), Cell::new(0));
    for_seeds(0..seeds(), |seed| {
        let ledgers = 1 + seed % 4;
        let panics = if seed % 5 == 4 { 0.01 } else { 0.0 };
        let outcome = run(seed, placement, ledgers, panics);
        moved.set(moved.get() + outcome.moved);
        restarted.set(restarted.get() + outcome.restarted);
        if seed % 8 == 0 {
            let again = run(seed, placement, ledgers, panics);
            assert_eq!(outcome, again, "the same again");
        }
    });
    assert!(moved.get() > 0, "nothing was moved");
    assert!(restarted.get() > 0, "nothing was restarted");
}

#[test]
fn moves_under_load_keep_every_message_and_its_order() {
    every_seed(Placement::Hash);
}

#[test]
fn moves_of_actors_placed_by_chance_keep_every_message_and_its_order() {
    every_seed(Placement::Random);
}

#[test]
fn moves_of_actors_placed_by_their_callers_keep_every_message_and_its_order() {
    every_seed(Placement::Local);
}
