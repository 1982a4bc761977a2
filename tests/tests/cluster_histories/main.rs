//! Clusters of engines in a simulated world, with clients and a store that they share, through
//! kills, pauses, cuts, drifting clocks, joins and leaves: what clients have seen must have an
//! order in which it could have happened one by one.
#![allow(missing_docs)] // of methods whose names say all
#![allow(unreachable_pub)] // actors are public, wherever they are
#![allow(clippy::print_stdout)] // what has happened, in the test's output

mod actors;
mod faults;
#[cfg(feature = "planted-bugs")]
mod planted;
mod run;
mod store;

use quark::testing::for_seeds;

use self::run::{Done, run};

#[test]
fn every_seed_has_an_order_in_which_it_could_have_happened_one_by_one() {
    let full = std::env::var_os("QUARK_FULL").is_some();
    let seeds = if full { 2_000 } else { 12 };
    let mut all = Done::default();
    let mut ran = 0;
    for_seeds(0..seeds, |seed| {
        all += run(seed);
        ran += 1;
    });
    println!("{ran} seeds: {all:#?}");
    if ran < seeds {
        return;
    }
    let happened = [
        all.added,
        all.read,
        all.unknown,
        all.never_ran,
        all.faults.kills,
        all.faults.leaves,
        all.faults.launches,
        all.faults.pauses,
        all.faults.cuts,
        all.faults.one_way_cuts,
        all.faults.isolations,
        all.faults.store_cuts,
        all.faults.table_cuts,
    ];
    assert!(happened.iter().all(|count| *count > 0), "{all:#?}");
    assert!(all.added > all.unknown, "{all:#?}");
}
