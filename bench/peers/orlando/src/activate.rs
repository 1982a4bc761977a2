//! `activate` and `idle`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use orlando_runtime::Silo;
use peers_common::tokio_modes::{Cores, Home, Stage};
use peers_common::workload::CALLEES;
use peers_common::{Answer, Job, Measured, memory};

use crate::caller::{Caller, Greet};

/// Asks outstanding.
const AT_ONCE: usize = 64;
/// What a counter keeps.
const STATE_BYTES: f64 = size_of::<u64>() as f64;

/// First asks by key.
pub fn activate(job: Job) -> Answer {
    let bytes = {
        let stage = Stage::tokio(job.mode, Cores::One);
        stage.caller.drive(async move {
            let silo = Arc::new(Silo::new());
            let before = memory::resident_bytes();
            greet(&silo, job.keys).await;
            let grown = memory::resident_bytes().saturating_sub(before);
            grown as f64 / job.keys as f64 - STATE_BYTES
        })
    };
    memory::touch();
    let stage = Stage::tokio(job.mode, Cores::One);
    let measured = stage.caller.drive(async move {
        // As many live and end first, so that those that are timed find memory touched.
        let silo = Arc::new(Silo::new());
        greet(&silo, job.keys).await;
        silo.directory().drain().await;
        greet(&Arc::new(Silo::new()), job.keys).await
    });
    Answer::of(&measured)
        .figure("activations_per_s", measured.per_s())
        .figure("bytes_per_idle_actor", bytes)
}

/// What a silo of idle grains uses.
pub fn idle(job: Job) -> Answer {
    let stage = Stage::tokio(job.mode, Cores::Two);
    let silo = Arc::new(Silo::new());
    let asked = silo.clone();
    let greeting = async move { greet(&asked, CALLEES as u64).await };
    let measured = stage.caller.drive(greeting);
    let percent = memory::idle_percent(Duration::from_secs(2));
    Answer::of(&measured).figure("cpu_percent", percent)
}

async fn greet(silo: &Arc<Silo>, keys: u64) -> Measured {
    let caller = silo.get_ref::<Caller>("0");
    let begun = Instant::now();
    let greet = Greet {
        keys,
        outstanding: AT_ONCE,
    };
    caller.ask(greet).await.expect("the caller answers");
    let seconds = begun.elapsed().as_secs_f64();
    Measured {
        count: keys,
        seconds,
        median_ns: seconds * 1e9 / keys as f64,
    }
}
