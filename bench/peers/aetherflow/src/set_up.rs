//! The system that a mode asks for, and waiting for what its actors report.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use aetherflow::{IdleStrategy, System};
use peers_common::Job;

/// Cores spin: the peer's default.
pub const SPIN: &str = "spin";
/// The same, with asks made of messages.
pub const SPIN_MESSAGES: &str = "spin-messages";

/// Nothing here takes longer; a lost message would.
const PATIENCE: Duration = Duration::from_secs(60);

/// Cores `0..cores`, pinned by the system itself.
pub fn system(job: &Job, cores: usize) -> System {
    let idle = match job.mode.name {
        SPIN | SPIN_MESSAGES => IdleStrategy::BusySpin,
        _ => IdleStrategy::backoff(),
    };
    System::with_cores_idle(cores, idle)
}

/// What an actor reports at its end.
pub fn reported<T>(reports: &Receiver<T>) -> T {
    let report = reports.recv_timeout(PATIENCE);
    report.expect("an actor panicked, or a message was lost")
}
