//! `activate` and `idle`.

use std::time::{Duration, Instant};

use peers_common::tokio_modes::Cores;
use peers_common::workload::CALLEES;
use peers_common::{Answer, Job, Measured, memory};

use crate::caller::{Dismiss, Greet};
use crate::system::{Driver, run};

/// Asks outstanding.
const AT_ONCE: usize = 64;
/// What an actor of this workload keeps.
const STATE_BYTES: f64 = size_of::<u64>() as f64;

/// First asks by key, through the group's router.
///
/// As many actors live and end first, so that those that are timed find memory touched: a GiB does
/// not hold a million of elfo's.
pub fn activate(job: Job) -> Answer {
    let (bytes, measured) = run(&job, Cores::One, async move |driver| {
        let before = memory::resident_bytes();
        greet(&driver, job.keys).await;
        let grown = memory::resident_bytes().saturating_sub(before);
        dismiss(&driver, job.keys).await;
        let bytes = grown as f64 / job.keys as f64 - STATE_BYTES;
        (bytes, greet(&driver, job.keys).await)
    });
    Answer::of(&measured)
        .figure("activations_per_s", measured.per_s())
        .figure("bytes_per_idle_actor", bytes)
}

/// What a system of idle actors uses.
pub fn idle(job: Job) -> Answer {
    run(&job, Cores::Two, async move |driver| {
        let measured = greet(&driver, CALLEES as u64).await;
        // Elsewhere, so that the runtime goes idle.
        let idle = || memory::idle_percent(Duration::from_secs(2));
        let percent = tokio::task::spawn_blocking(idle).await;
        Answer::of(&measured).figure("cpu_percent", percent.expect("it only sleeps"))
    })
}

async fn greet(driver: &Driver, keys: u64) -> Measured {
    let caller = driver.locate(driver.callers, 0).await;
    let begun = Instant::now();
    let greet = Greet {
        group: driver.near.into(),
        keys,
        outstanding: AT_ONCE,
    };
    let greeted = driver.ctx.request_to(caller, greet).resolve().await;
    greeted.expect("the caller answers");
    let seconds = begun.elapsed().as_secs_f64();
    Measured {
        count: keys,
        seconds,
        median_ns: seconds * 1e9 / keys as f64,
    }
}

async fn dismiss(driver: &Driver, keys: u64) {
    let caller = driver.locate(driver.callers, 0).await;
    let group = driver.near.into();
    let dismiss = driver.ctx.request_to(caller, Dismiss { group, keys });
    dismiss.resolve().await.expect("the caller answers");
}
