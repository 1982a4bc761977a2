//! Ctrl-C: the first ends the run cleanly, with what was measured; the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quanta::Instant;

/// What a shell expects of a process ended by Ctrl-C.
const EXIT_CODE: i32 = 130;
/// Signals this close together are one: `timeout` sends its own to the process and to its group.
const ONE_SIGNAL: Duration = Duration::from_millis(200);

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
        let first = Mutex::new(None);
        let _ = ctrlc::set_handler(move || {
            handler.set();
            if is_second(&mut first.lock().unwrap_or_else(PoisonError::into_inner)) {
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

/// Whether this signal comes long enough after the `first` to be meant as another.
fn is_second(first: &mut Option<Instant>) -> bool {
    first.get_or_insert_with(Instant::now).elapsed() >= ONE_SIGNAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_and_its_echo_are_one() {
        let mut first = None;
        assert!(!is_second(&mut first));
        std::thread::sleep(ONE_SIGNAL);
        assert!(is_second(&mut first));
    }

    #[test]
    fn clones_see_it() {
        let interrupt = Interrupt::default();
        let clone = interrupt.clone();
        assert!(!clone.is_set());
        interrupt.set();
        assert!(clone.is_set());
    }
}
