use std::sync::atomic::{AtomicU64, Ordering};

use quark::prelude::*;

/// What the nodes of a local cluster host: a number per key, kept on Redis before a call is answered.
#[derive(Default, Stateful)]
pub struct Counter {
    #[state(save = "each_turn")]
    count: State<u64>,
}

#[actor(name = "quark-tools.Counter")]
impl Counter {
    /// Adds `by`, and says what there is now.
    pub fn add(&mut self, by: u64) -> u64 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        *self.count = self.count.saturating_add(by);
        *self.count
    }

    /// What there is.
    pub fn count(&self) -> u64 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        *self.count
    }
}

/// A process hosts one node.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// How many calls this process has served so far.
pub(super) fn calls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}
