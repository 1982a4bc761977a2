//! Ctrl-C: the first ends the run cleanly, with what was measured; the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell expects of a process ended by Ctrl-C.
const EXIT_CODE: i32 = 130;

/// Set once somebody wants the run to end. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// One that Ctrl-C sets. Only the first in a process takes effect; where no handler can be
    /// installed, Ctrl-C keeps its usual meaning.
    #[must_use]
    pub fn on_ctrl_c() -> Self {
        let interrupt = Interrupt::default();
        let handler = interrupt.clone();
        let _ = ctrlc::set_handler(move || {
            if handler.0.swap(true, Ordering::Relaxed) {
                std::process::exit(EXIT_CODE);
            }
        });
        interrupt
    }

    /// Asks the run to end.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once the run should end. Cheap enough to ask once a batch.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_see_it() {
        let interrupt = Interrupt::default();
        let clone = interrupt.clone();
        assert!(!clone.is_set());
        interrupt.set();
        assert!(clone.is_set());
    }
}
