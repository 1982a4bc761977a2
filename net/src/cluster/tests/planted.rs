//! The histories find bugs: each of those planted in what keeps nodes apart, one at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quark_shards::planted::{Bug, plant};

use super::{cases, run};

/// Seeds that a bug may escape.
const SEEDS: u64 = 300;
const EVENTS: u64 = 6_000;

/// Bugs that chance comes by too seldom, and what finds them.
const BUGS_IN_CASES: &[(Bug, fn())] = &[
    (
        Bug::DriftForgotten,
        cases::who_takes_over_waits_for_the_slowest_clock_by_the_fastest,
    ),
    (
        Bug::BorrowedSlots,
        cases::who_did_not_hold_a_slot_alone_does_not_hand_it_over,
    ),
    (
        Bug::MissedVersions,
        cases::who_missed_versions_hands_nothing_over,
    ),
    (
        Bug::StaleHandover,
        cases::what_was_handed_over_once_is_not_when_it_comes_back,
    ),
    (
        Bug::UnconfirmedChange,
        cases::who_has_no_majority_behind_a_version_writes_none_after_it,
    ),
];

const BUGS: &[Bug] = &[
    Bug::OldVersionConfirmed,
    Bug::LateLease,
    Bug::UnsettledSlots,
    Bug::EarlySettling,
    Bug::HastyLettingGo,
    Bug::HalfMajority,
    Bug::NoLease,
];

#[test]
fn each_planted_bug_is_caught() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let by_chance = BUGS.iter().copied().filter(|bug| !is_caught(*bug));
    let in_cases = BUGS_IN_CASES.iter().filter(|(bug, case)| {
        plant(Some((*bug, 1)));
        let passed = catch_unwind(case).is_ok();
        plant(None);
        passed
    });
    let escaped: Vec<Bug> = by_chance.chain(in_cases.map(|(bug, _)| *bug)).collect();
    std::panic::set_hook(hook);
    assert!(
        escaped.is_empty(),
        "not caught in {SEEDS} seeds: {escaped:?}"
    );
}

fn is_caught(bug: Bug) -> bool {
    for seed in 0..SEEDS {
        plant(Some((bug, 1)));
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed, EVENTS)));
        plant(None);
        let Err(panic) = ran else { continue };
        let said = panic.downcast_ref::<String>().map_or("", String::as_str);
        if said.contains("is served by") {
            let first = said.lines().next().unwrap_or_default();
            println!("{bug:?} is caught by seed {seed}: {first}");
            return true;
        }
    }
    false
}
