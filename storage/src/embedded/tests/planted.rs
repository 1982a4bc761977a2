//! The histories find bugs: each of those planted in the log, one at a time.
#![allow(clippy::print_stdout)] // which seed has caught which, in the test's output

use std::panic::{AssertUnwindSafe, catch_unwind};

use quark_shards::planted::{Bug, plant};

use super::histories::run;

/// Seeds that a bug may escape.
const SEEDS: u64 = 200;
const EVENTS: u64 = 4_000;

/// Each bug, and how many times its code does right before it does wrong.
const BUGS: &[(Bug, u32)] = &[
    (Bug::SyncSkipped, 5),
    (Bug::HastyAnswer, 5),
    (Bug::TagIgnored, 3),
    (Bug::HastyFence, 1),
    (Bug::LostTombstone, 3),
    (Bug::SharedBlock, 5),
    (Bug::ChecksumIgnored, 1),
    (Bug::HastyCompaction, 1),
    (Bug::LengthIgnored, 3),
    (Bug::HastyRehoming, 1),
    (Bug::SequenceReused, 1),
    (Bug::LostName, 1),
    (Bug::SnapshotAhead, 1),
    (Bug::SnapshotUnsynced, 1),
    (Bug::ForgottenEpochs, 1),
];

#[test]
fn each_planted_bug_is_caught() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let escaped: Vec<Bug> = BUGS
        .iter()
        .filter(|(bug, every)| !is_caught(*bug, *every))
        .map(|(bug, _)| *bug)
        .collect();
    std::panic::set_hook(hook);
    assert!(
        escaped.is_empty(),
        "not caught in {SEEDS} seeds: {escaped:?}"
    );
}

fn is_caught(bug: Bug, every: u32) -> bool {
    for seed in 0..SEEDS {
        plant(Some((bug, every)));
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed, EVENTS)));
        plant(None);
        if let Err(panic) = ran {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said
                .or(panic.downcast_ref::<&str>().copied())
                .unwrap_or_default();
            println!("{bug:?} is caught by seed {seed}: {said}");
            return true;
        }
    }
    false
}
