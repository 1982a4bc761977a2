//! The floor of a call between cores that sleep: two threads that wake each other. On Linux,
//! parking and unparking a thread is a futex.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::{FloorError, median, pinned};
use crate::clock::Clock;

const TRIPS: u64 = 200;
const PAUSE: Duration = Duration::from_millis(1);

/// Nanoseconds from waking the thread on `second` to being woken by it on `first`, both asleep
/// for 1 ms before: the median of many.
///
/// # Errors
///
/// When the cores are one, or either may not be used.
pub fn round_trip_ns(first: usize, second: usize) -> Result<f64, FloorError> {
    let (asked, answered) = (AtomicU64::new(0), AtomicU64::new(0));
    let asking = OnceLock::new();
    let clock = Clock::new();
    pinned::on_both(
        (first, second),
        |partner| {
            // Seen by the other thread no later than the first question.
            let _ = asking.set(thread::current());
            let mut trips = Vec::new();
            for trip in 1..=TRIPS {
                thread::sleep(PAUSE);
                let begun = clock.now();
                asked.store(trip, Ordering::Release);
                partner.unpark();
                while answered.load(Ordering::Acquire) != trip {
                    thread::park();
                }
                trips.push((clock.now() - begun) as f64);
            }
            median(trips)
        },
        || {
            for trip in 1..=TRIPS {
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
