//! The floor of a call between cores that sleep: two threads that wake each other. On Linux,
//! parking and unparking a thread is a futex.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::{FloorError, pinned};
use crate::clock::Clock;
use crate::latency::Latency;

/// `trips` times from waking the thread on `second` to being woken by it on `first`, the latter
/// asleep for `pause` before each, and the former for as long as it hears nothing.
///
/// # Errors
///
/// When the cores are one, or either may not be used.
pub fn round_trips(
    first: usize,
    second: usize,
    pause: Duration,
    trips: u64,
) -> Result<Latency, FloorError> {
    let (asked, answered) = (AtomicU64::new(0), AtomicU64::new(0));
    let asking = OnceLock::new();
    let clock = Clock::new();
    pinned::on_both(
        (first, second),
        |partner| {
            // Seen by the other thread no later than the first question.
            let _ = asking.set(thread::current());
            let mut took = Latency::new();
            for trip in 1..=trips {
                if !pause.is_zero() {
                    thread::sleep(pause);
                }
                let begun = clock.now();
                asked.store(trip, Ordering::Release);
                partner.unpark();
                while answered.load(Ordering::Acquire) != trip {
                    thread::park();
                }
                took.record(clock.now() - begun);
            }
            took
        },
        || {
            for trip in 1..=trips {
                while asked.load(Ordering::Acquire) != trip {
                    thread::park();
                }
                answered.store(trip, Ordering::Release);
                if let Some(asking) = asking.get() {
                    asking.unpark();
                }
            }
        },
    )
}
