//! Supervision by many seeds: families whose members fail at any await, are restarted, stopped,
//! put to sleep, watched and moved from parent to parent, while others call them.
#![allow(clippy::print_stdout)] // the summary, in the test's output

use std::collections::BTreeMap;

use quark::testing::{REPLAY_VARIABLE, for_seeds};
use quark_tests::model::{FAMILY_EVENTS, run_families};

/// Messages a seed.
const MESSAGES: u64 = 3_000;

fn seeds(usual: u64) -> u64 {
    if std::env::var_os("QUARK_FULL").is_some() {
        1_000
    } else {
        usual
    }
}

#[test]
fn every_seed_keeps_the_rules() {
    let mut events: BTreeMap<_, u64> = BTreeMap::new();
    for_seeds(0..seeds(60), |seed| {
        for (what, times) in run_families(seed, MESSAGES, false).events {
            *events.entry(what).or_default() += times;
        }
    });
    for (what, times) in &events {
        println!("{times:>12}  {what}");
    }
    if std::env::var_os(REPLAY_VARIABLE).is_none() {
        let missing = FAMILY_EVENTS.iter();
        let missing: Vec<_> = missing.filter(|what| !events.contains_key(*what)).collect();
        assert!(missing.is_empty(), "the load has no {missing:?}");
    }
}

#[test]
fn members_that_move_keep_the_rules() {
    let mut moved = 0;
    for_seeds(0..seeds(60), |seed| {
        let events = run_families(seed, MESSAGES, true).events;
        moved += events.get("members moved").unwrap_or(&0);
    });
    if std::env::var_os(REPLAY_VARIABLE).is_none() {
        assert!(moved > 0, "nobody has moved");
    }
}

#[test]
fn a_seed_leaves_one_trace() {
    for_seeds(0..seeds(20), |seed| {
        let run = || run_families(seed, MESSAGES, false);
        let (first, second) = (run(), run());
        assert_eq!(first, second, "two runs of one seed differ");
    });
}
