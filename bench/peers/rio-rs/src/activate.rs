//! `activate` and `idle`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use peers_common::tokio_modes::{Cores, Home};
use peers_common::workload::{CALLEES, OUTSTANDING};
use peers_common::{Answer, Job, Measured, memory};

use crate::object::add;
use crate::system::System;

/// What a counter keeps beside its id.
const STATE_BYTES: f64 = size_of::<u64>() as f64;

/// First asks by id.
pub fn activate(job: Job) -> Answer {
    let system = System::start(job, Cores::One);
    let before = memory::resident_bytes();
    greet(&system, job.keys);
    let grown = memory::resident_bytes().saturating_sub(before);
    let bytes = grown as f64 / job.keys as f64 - STATE_BYTES;
    drop(system);
    memory::touch();
    let measured = greet(&System::start(job, Cores::One), job.keys);
    Answer::of(&measured)
        .figure("activations_per_s", measured.per_s())
        .figure("bytes_per_idle_actor", bytes)
}

/// What a server of idle objects uses.
pub fn idle(job: Job) -> Answer {
    let system = System::start(job, Cores::Two);
    let measured = greet(&system, CALLEES as u64);
    let percent = memory::idle_percent(Duration::from_secs(2));
    Answer::of(&measured).figure("cpu_percent", percent)
}

/// Asks so many new objects once each.
fn greet(system: &System, keys: u64) -> Measured {
    let app = system.app.clone();
    system.stage.caller.drive(async move {
        let begun = Instant::now();
        let next = AtomicU64::new(0);
        let walker = async || {
            loop {
                let key = next.fetch_add(1, Ordering::Relaxed);
                if key >= keys {
                    return;
                }
                let sum = add(&app, &key.to_string()).await;
                assert_eq!(sum, 1, "the id is new");
            }
        };
        let walkers: FuturesUnordered<_> = (0..OUTSTANDING).map(|_| walker()).collect();
        walkers.collect::<()>().await;
        let seconds = begun.elapsed().as_secs_f64();
        Measured {
            count: keys,
            seconds,
            median_ns: seconds * 1e9 / keys as f64,
        }
    })
}
