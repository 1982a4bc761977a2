//! `ask-local`, `ask-cross` and `fan-out`.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt};
use peers_common::tokio_modes::{Cores, Home};
use peers_common::workload::{CALLEES, OUTSTANDING, OUTSTANDING_ACROSS};
use peers_common::{Answer, Job, Laps, Measured, Stamps};

use crate::object::add;
use crate::system::System;

/// Asks before a loop is measured.
const WARM_UP: u64 = 2_000;
const BATCH: u64 = 256;
/// The same where many loops run beside each other.
const SMALL_BATCH: u64 = 16;
/// Asks outstanding in the loop of `ask-cross` that wants many.
const MANY: usize = 256;

/// Caller and server on one core.
pub fn local(job: Job) -> Answer {
    let (measured, stamps) = ask(&System::start(job, Cores::One), job);
    Answer::of(&measured)
        .figure("ask_ns", measured.median_ns)
        .latency(&stamps)
}

/// The server on the other core.
pub fn across(job: Job) -> Answer {
    let system = System::start(job, Cores::Two);
    let (measured, stamps) = ask(&system, job);
    let many = walk(&system, job, 1, MANY);
    Answer::of(&measured)
        .figure("ask_ns", stamps.median_ns())
        .figure("asks_per_s_256", many.per_s())
        .latency(&stamps)
}

/// One caller asks many objects.
pub fn fan_out(job: Job) -> Answer {
    let one = System::start(job, Cores::One);
    let local = walk(&one, job, CALLEES, OUTSTANDING);
    drop(one);
    let two = System::start(job, Cores::Two);
    let across = walk(&two, job, CALLEES, OUTSTANDING_ACROSS);
    Answer::of(&local)
        .figure("asks_per_s", local.per_s())
        .figure("cross_asks_per_s", across.per_s())
}

fn ask(system: &System, job: Job) -> (Measured, Stamps) {
    let app = system.app.clone();
    system.stage.caller.drive(async move {
        for _ in 0..WARM_UP {
            black_box(add(&app, "0").await);
        }
        let mut laps = Laps::start(job.lasts, BATCH);
        while laps.again() {
            for _ in 0..BATCH {
                black_box(add(&app, "0").await);
            }
        }
        let measured = laps.end();

        let mut stamps = Stamps::new();
        let mut laps = Laps::start(job.lasts, BATCH);
        while laps.again() {
            for _ in 0..BATCH {
                let begun = stamps.now();
                black_box(add(&app, "0").await);
                stamps.record(begun);
            }
        }
        (measured, stamps)
    })
}

/// Asks so many objects in turn.
fn walk(system: &System, job: Job, count: usize, outstanding: usize) -> Measured {
    let app = system.app.clone();
    system.stage.caller.drive(async move {
        let ids: Vec<_> = (0..count).map(|id| id.to_string()).collect();
        for id in &ids {
            black_box(add(&app, id).await);
        }
        let begun = Instant::now();
        let next = AtomicUsize::new(0);
        let walker = async || {
            let mut asked = 0;
            while begun.elapsed() < job.lasts {
                for _ in 0..SMALL_BATCH {
                    let at = next.fetch_add(1, Ordering::Relaxed) % count;
                    black_box(add(&app, &ids[at]).await);
                }
                asked += SMALL_BATCH;
            }
            asked
        };
        let walkers: FuturesUnordered<_> = (0..outstanding).map(|_| walker()).collect();
        let count = walkers.fold(0, async |sum, asked| sum + asked).await;
        let seconds = begun.elapsed().as_secs_f64();
        Measured {
            count,
            seconds,
            median_ns: seconds * 1e9 / count as f64,
        }
    })
}
