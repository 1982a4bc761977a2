//! The histories find bugs: each of those planted, one at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quark_shards::planted::{Bug, plant};

use super::run::run;

/// Seeds that a bug may escape.
const SEEDS: u64 = 40;

/// Each bug, and how many times its code does right before it does wrong. Those of who owns what are
/// caught closer to where they are, too.
const BUGS: &[(Bug, u32)] = &[
    (Bug::EndlessLease, 1),
    (Bug::RunThoughMoved, 1),
    (Bug::LetGoAtOnce, 1),
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
        let ran = catch_unwind(AssertUnwindSafe(|| run(seed)));
        plant(None);
        if let Err(panic) = ran {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said
                .or(panic.downcast_ref::<&str>().copied())
                .unwrap_or_default();
            let first = said.lines().next().unwrap_or_default();
            println!("{bug:?} is caught by seed {seed}: {first}");
            return true;
        }
    }
    false
}
