//! Running one test by many seeds.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The environment variable with the one seed that [`for_seeds`] shall run.
pub const REPLAY_VARIABLE: &str = "QUARK_SEED";

/// Runs `test` with each of `seeds`, or only with the one in the environment variable
/// `QUARK_SEED` if it is set.
///
/// # Panics
/// When `test` does; the message says by which seed, and how to run that one again. When
/// `QUARK_SEED` is no number.
pub fn for_seeds(seeds: impl IntoIterator<Item = u64>, mut test: impl FnMut(u64)) {
    let mut run = |seed| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            fail(seed, &message_of(&*panic));
        }
    };
    match std::env::var(REPLAY_VARIABLE) {
        Ok(seed) => match seed.trim().parse() {
            Ok(seed) => run(seed),
            Err(_) => panic!("{REPLAY_VARIABLE} is {seed:?}, which is no seed: set it to a number"),
        },
        Err(_) => seeds.into_iter().for_each(run),
    }
}

/// Ends a test that has failed by `seed`.
pub(super) fn fail(seed: u64, why: &str) -> ! {
    let mark = format!("{REPLAY_VARIABLE}={seed}");
    if why.contains(&mark) {
        panic!("{why}");
    }
    panic!("seed {seed}: {why}\n(to run this seed alone, set {mark})")
}

/// What a panic said.
pub(super) fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
