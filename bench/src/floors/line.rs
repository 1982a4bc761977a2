//! The floor of every path between cores: a cache line handed over and another handed back.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{FloorError, median, pinned};
use crate::clock::Clock;

/// Short batches, so that the median steps over whatever disturbs a few of them.
const BATCHES: usize = 1_000;
const TRIPS: u64 = 100;

/// On a cache line of its own, and out of its neighbour's prefetch.
#[repr(align(128))]
struct Line(AtomicU64);

const STOP: u64 = u64::MAX;

/// Nanoseconds from a store on `first` to the answering store of `second` seen on `first`.
///
/// # Errors
///
/// When the cores are one, or either may not be used.
pub fn round_trip_ns(first: usize, second: usize) -> Result<f64, FloorError> {
    let (out, back) = (Line(AtomicU64::new(0)), Line(AtomicU64::new(0)));
    let clock = Clock::new();
    pinned::on_both(
        (first, second),
        |_| {
            let mut trip = 0;
            let mut batches = Vec::with_capacity(BATCHES);
            // The first batch warms up.
            for _ in 0..=BATCHES {
                let begun = clock.now();
                for _ in 0..TRIPS {
                    trip += 1;
                    out.0.store(trip, Ordering::Release);
                    while back.0.load(Ordering::Acquire) != trip {}
                }
                batches.push((clock.now() - begun) as f64 / TRIPS as f64);
            }
            out.0.store(STOP, Ordering::Release);
            batches.swap_remove(0);
            median(batches)
        },
        || {
            let mut answered = 0;
            while answered != STOP {
                let asked = out.0.load(Ordering::Acquire);
                if asked != answered {
                    back.0.store(asked, Ordering::Release);
                    answered = asked;
                }
            }
        },
    )
}
