//! The model suite finds bugs: each of those planted in the engine, one at a time.
#![allow(clippy::print_stdout)] // which seed has caught which, in the test's output

use std::panic::{AssertUnwindSafe, catch_unwind};

use quark::Placement;
use quark_shards::planted::{Bug, plant};
use quark_tests::model::{run, run_families};
use quark_tests::nomads;

/// Messages a seed.
const MESSAGES: u64 = 10_000;
/// Seeds that a bug may escape.
const SEEDS: u64 = 1_000;

/// Each bug, and how many times its code does right before it does wrong.
const BUGS: &[(Bug, u32)] = &[
    (Bug::LostWake, 5_000),
    (Bug::LostTimer, 5_000),
    (Bug::LostTimeout, 50),
    (Bug::StaleAnswer, 1),
    (Bug::CreditLeak, 2_000),
    (Bug::DoubleActivation, 2_000),
    (Bug::Overlap, 200),
    (Bug::Overtaking, 200),
    (Bug::LostAnswer, 10),
    (Bug::LostTail, 1_000),
    (Bug::ForgottenMail, 1_000),
    (Bug::SurvivingTurn, 10),
    (Bug::MailLostAsleep, 20),
];

/// The same for the load on families. (That a turn survives a restart is a rule of the other load
/// only.)
const FAMILY_BUGS: &[(Bug, u32)] = &[
    (Bug::LostOrder, 50),
    (Bug::ForgottenKin, 5),
    (Bug::DoubleActivation, 500),
    (Bug::Overtaking, 100),
];
/// Messages of a family's seed.
const FAMILY_MESSAGES: u64 = 3_000;

/// The same for the load on actors that move.
const MOVING_BUGS: &[(Bug, u32)] = &[(Bug::HastyRoute, 3), (Bug::MailLeftBehind, 10)];

#[test]
fn each_planted_bug_is_caught() {
    all_are_caught(BUGS, |seed| drop(run(seed, MESSAGES)));
}

#[test]
fn each_bug_planted_in_families_is_caught() {
    all_are_caught(FAMILY_BUGS, |seed| {
        drop(run_families(seed, FAMILY_MESSAGES, false));
    });
}

#[test]
fn each_bug_planted_in_moves_is_caught() {
    all_are_caught(MOVING_BUGS, |seed| {
        let _ = nomads::run(seed, Placement::Hash, 1 + seed % 4, 0.0);
    });
}

fn all_are_caught(bugs: &[(Bug, u32)], run: impl Fn(u64)) {
    let escaped: Vec<_> = bugs
        .iter()
        .filter(|(bug, every)| !is_caught(*bug, *every, &run))
        .map(|(bug, _)| bug)
        .collect();
    assert!(
        escaped.is_empty(),
        "not caught in {SEEDS} seeds: {escaped:?}"
    );
}

fn is_caught(bug: Bug, every: u32, run: impl Fn(u64)) -> bool {
    // Every caught bug is a panic; the one that says what was caught is enough.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = (0..SEEDS).find_map(|seed| {
        plant(Some((bug, every)));
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed)));
        plant(None);
        ran.err().map(|panic| (seed, panic))
    });
    std::panic::set_hook(hook);
    let Some((seed, panic)) = caught else {
        println!("{bug:?}: not caught");
        return false;
    };
    let text = panic
        .downcast_ref::<String>()
        .map_or("a panic", String::as_str);
    let text = text.trim_start_matches(&format!("seed {seed}: "));
    let rule = text.lines().next().unwrap_or_default();
    println!("{bug:?}: caught by seed {seed}: {rule}");
    true
}
