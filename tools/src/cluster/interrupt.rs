use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// Ctrl-C and SIGTERM, as something to wait for.
pub(super) struct Interrupt(Receiver<()>);

impl Interrupt {
    /// Takes both signals over from now on; once in a process.
    pub(super) fn take_over() -> Result<Self, ctrlc::Error> {
        let (says, said) = mpsc::channel();
        ctrlc::set_handler(move || {
            let _ = says.send(());
        })?;
        Ok(Interrupt(said))
    }

    /// Waits for one, no longer than `limit`; whether there was one.
    pub(super) fn comes_within(&self, limit: Duration) -> bool {
        self.0.recv_timeout(limit) != Err(RecvTimeoutError::Timeout)
    }
}
