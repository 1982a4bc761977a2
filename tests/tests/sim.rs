//! The model suite: many seeds of a mixed load, each checked against the rules.

use quark::testing::for_seeds;
use quark_tests::model::{Counts, run};

/// Messages a seed.
const MESSAGES: u64 = 10_000;

fn seeds() -> u64 {
    if std::env::var_os("QUARK_FULL").is_some() {
        1_000
    } else {
        30
    }
}

#[test]
fn every_seed_keeps_the_rules() {
    let mut counts = Counts::default();
    for_seeds(0..seeds(), |seed| {
        let outcome = run(seed, MESSAGES);
        assert!(outcome.messages >= MESSAGES);
        counts += &outcome.counts;
    });
    println!("{counts}");
    if std::env::var_os(quark::testing::REPLAY_VARIABLE).is_none() {
        assert_eq!(
            counts.missing(),
            Vec::<&str>::new(),
            "the load lacks kinds of events"
        );
    }
}

#[test]
fn a_seed_leaves_one_trace() {
    for_seeds(0..seeds(), |seed| {
        let (first, second) = (run(seed, MESSAGES), run(seed, MESSAGES));
        assert_eq!(first, second, "two runs of one seed differ");
    });
}
