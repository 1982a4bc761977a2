//! Engines that keep something, through faults of disks, kills and losses of power.
#![allow(missing_docs)] // of methods whose names say all
#![allow(unreachable_pub)] // actors are public, wherever they are
#![allow(clippy::print_stdout)] // what has happened, in the test's output

mod actors;
mod history;
mod model;
#[cfg(feature = "planted-bugs")]
mod planted;
mod work;

use quark::testing::for_seeds;

use self::history::{Done, run};

#[test]
fn every_seed_keeps_what_actors_were_promised() {
    let full = std::env::var_os("QUARK_FULL").is_some();
    let (seeds, passes) = if full { (2_000, 10_000) } else { (20, 10_000) };
    let mut all = Done::default();
    let mut ran = 0;
    for_seeds(0..seeds, |seed| {
        all += run(seed, passes);
        ran += 1;
    });
    println!("{ran} seeds: {all:#?}");
    if ran < seeds {
        return;
    }
    let happened = [
        all.power_cuts,
        all.kills,
        all.orderly_ends,
        all.divisions,
        all.saves,
        all.clears,
        all.appends,
        all.reminders,
        all.forgets,
        all.heard,
        all.read_only,
        all.faults.torn,
        all.faults.lost,
        all.faults.short,
        all.faults.sync_errors,
    ];
    assert!(happened.iter().all(|count| *count > 0), "{all:#?}");
    // These are rare.
    let rare = [all.full, all.faults.write_errors, all.faults.no_space];
    assert!(!full || rare.iter().all(|count| *count > 0), "{all:#?}");
}
