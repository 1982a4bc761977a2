//! A test's own events in the trace.

use quark_shards::driver::sim::SimWorld;
use quark_shards::time::Time;

/// Folds a test's own events into the trace of its [`Sim`](super::Sim).
#[derive(Clone)]
pub struct Recorder(SimWorld);

impl Recorder {
    pub(super) fn new(world: SimWorld) -> Self {
        Recorder(world)
    }

    /// Folds `word` into the trace, with the time.
    pub fn note(&self, word: u64) {
        self.0.note(word);
    }

    /// The trace so far; see [`Sim::trace`](super::Sim::trace). Also when the simulation has been shut down.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.0.trace()
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.0.now()
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}
