//! loom models of the lock-free parts: every interleaving, and every value that the memory model
//! lets a load see, within a bound of preemptions.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p quark-shards --release --lib loom`;
//! `QUARK_FULL=1` widens the bound. Beside each model that holds stands what makes it fail: an
//! ordering, a fence or a step taken out, so no model can pass by looking the other way.

mod handshake;
mod ring;

use std::cell::RefCell;
use std::process::Command;

use crate::ring::Message;
use crate::sync::{Site, without};

/// Checks `model` in all its executions.
fn check(model: impl Fn() + Send + Sync + 'static) {
    check_within(3, model);
}

/// Checks `model` in all executions of at most so many `preemptions`; one more for `QUARK_FULL=1`.
fn check_within(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    let full = std::env::var_os("QUARK_FULL").is_some_and(|value| value == "1");
    builder.preemption_bound = Some(if full { preemptions + 1 } else { preemptions });
    builder.max_branches = 10_000;
    builder.check(model);
}

/// A test that a model fails in some execution, for the reason `$why` (part of what loom says),
/// once `$site` is taken out.
macro_rules! fails_without {
    ($test:ident, $site:expr, $why:literal, $model:expr) => {
        #[test]
        fn $test() {
            let name = concat!(module_path!(), "::", stringify!($test));
            $crate::loom_models::expect_failure(name, $site, $why, || $model);
        }
    };
}
use fails_without;

/// Set where a failing model is to run.
const CHILD: &str = "QUARK_FAILING_MODEL";

/// Runs the test again in a process of its own and looks at how that ends: what loom tears down
/// after a failure may abort.
fn expect_failure(test: &str, site: Site, why: &str, model: fn()) {
    if std::env::var_os(CHILD).is_some() {
        return without(site, || check(model));
    }
    let (_, test) = test.split_once("::").expect("a path in this crate");
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture", test])
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("this program runs again");
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(
        !child.status.success(),
        "holds without {site:?}: the model proves nothing of it"
    );
    assert!(
        said.contains(why),
        "fails without {site:?}, but not by {why:?}: {said}"
    );
}

/// What the messages of the models tell their receiver.
type Seen = RefCell<Vec<u64>>;

/// A message of `8 * W` bytes.
struct Words<const W: usize>([u64; W]);

impl<const W: usize> Words<W> {
    fn new(id: u64) -> Self {
        Words([id; W])
    }
}

impl<const W: usize> Message<Seen> for Words<W> {
    fn deliver(self, seen: &Seen, _: u16) {
        assert_eq!(self.0, [self.0[0]; W]);
        seen.borrow_mut().push(self.0[0]);
    }
}
