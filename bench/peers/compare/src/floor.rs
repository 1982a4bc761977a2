//! How far apart the two cores are just now: a cache line handed over and another handed back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use core_affinity::CoreId;

use crate::spread::Spread;

/// A cache line of its own, and out of its neighbour's prefetch.
#[repr(align(128))]
struct Line(AtomicU64);

const BATCHES: u64 = 200;
const TRIPS: u64 = 100;
const STOP: u64 = u64::MAX;

/// Nanoseconds of a round trip, measured as quark-bench does, between the first two cores; none where there is but one, or where
/// threads can't be pinned.
pub(crate) fn round_trip_ns() -> Option<f64> {
    let cores = core_affinity::get_core_ids()?;
    match cores[..] {
        [first, second, ..] => between(first, second),
        _ => None,
    }
}

fn between(first: CoreId, second: CoreId) -> Option<f64> {
    let (out, back) = (Line(AtomicU64::new(0)), Line(AtomicU64::new(0)));
    thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let pinned = core_affinity::set_for_current(second);
            let mut answered = 0;
            while answered != STOP {
                let asked = out.0.load(Ordering::Acquire);
                if asked != answered {
                    back.0.store(asked, Ordering::Release);
                    answered = asked;
                }
            }
            pinned
        });
        let asking = scope.spawn(|| {
            let pinned = core_affinity::set_for_current(first);
            let batches = (0..=BATCHES).map(|batch| trips(&out, &back, batch));
            // The first warms up.
            let figure = Spread::of(batches.skip(1));
            out.0.store(STOP, Ordering::Release);
            figure.filter(|_| pinned)
        });
        let figure = asking.join().ok()?;
        let pinned = answering.join().ok()?;
        figure.filter(|_| pinned).map(|spread| spread.median)
    })
}

fn trips(out: &Line, back: &Line, batch: u64) -> f64 {
    let begun = Instant::now();
    for trip in 1..=TRIPS {
        let trip = batch * TRIPS + trip;
        out.0.store(trip, Ordering::Release);
        while back.0.load(Ordering::Acquire) != trip {}
    }
    begun.elapsed().as_nanos() as f64 / TRIPS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_takes_time() {
        match round_trip_ns() {
            Some(ns) => assert!(ns > 1.0 && ns < 1e7, "{ns}"),
            None => assert_eq!(core_affinity::get_core_ids().map_or(1, |all| all.len()), 1),
        }
    }
}
