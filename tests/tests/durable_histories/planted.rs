//! The histories find bugs: each of those planted in what actors keep, one at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quark_shards::planted::{Bug, plant};

use super::history::run;

const PASSES: u64 = 6_000;
/// Seeds that a bug may escape.
const SEEDS: u64 = 200;

/// Each bug, and how many times its code does right before it does wrong. Those of the log would
/// be noticed here, too.
const BUGS: &[(Bug, u32)] = &[
    (Bug::GuessedTag, 20),
    (Bug::JournalSnapshotAhead, 3),
    (Bug::HastyMove, 1),
    (Bug::SyncSkipped, 5),
    (Bug::HastyRehoming, 1),
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
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed, PASSES)));
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
