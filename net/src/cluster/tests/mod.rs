//! Clusters of three to seven nodes, under whatever can happen to them.
#![allow(clippy::print_stdout)] // what happened, in the test's output

mod cases;
mod keepers;
#[cfg(feature = "planted-bugs")]
mod planted;
mod table;
mod wire;
mod world;

use std::time::Duration;

use self::world::{Counts, World};

/// What a history has at least.
const EVENTS: u64 = 10_000;

#[test]
fn no_two_nodes_serve_a_slot_whatever_happens_and_it_heals() {
    let seeds = if std::env::var_os("QUARK_FULL").is_some() {
        2_000
    } else {
        24
    };
    let (mut all, mut longest) = (Counts::default(), Duration::ZERO);
    for seed in seeds_from(seeds) {
        let (counts, healed_after) = run(seed, EVENTS);
        all.add(&counts);
        longest = longest.max(healed_after);
    }
    println!("{all:#?}\nhealed within {longest:?}");
    assert!(all.has_all(), "a kind of fault did not happen: {all:#?}");
    assert!(longest < HEALS_WITHIN, "{longest:?}");
}

/// How long it takes at most until every node is a member and every slot is served, once nothing
/// goes wrong any more: for leases of 0.6 s, 0.4 s of silence, and up to seven nodes that come in one
/// after the other.
const HEALS_WITHIN: Duration = Duration::from_secs(15);

/// All of so many, or the one that `QUARK_SEED` names.
fn seeds_from(count: u64) -> std::ops::Range<u64> {
    let one = std::env::var("QUARK_SEED").ok();
    match one.and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    }
}

fn run(seed: u64, events: u64) -> (Counts, Duration) {
    let mut world = World::new(seed);
    world.run(events);
    let healed_after = world.heal();
    (world.counts, healed_after)
}
