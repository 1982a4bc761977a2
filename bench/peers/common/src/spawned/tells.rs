//! `tell-local` and `tell-cross`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::{Gate, Spawned, others};
use crate::answer::Answer;
use crate::cli::Job;
use crate::laps::Laps;
use crate::tokio_modes::{Cores, Home};

/// Messages between two readings of the clock.
const BATCH: u64 = Gate::CHUNK * 8;
/// Messages that take longer were lost.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn tell<S: Spawned>(job: &Job, cores: Cores) -> Answer {
    let stage = S::stage(job.mode, cores);
    let gate = Gate::new();
    let counter = stage.callee.drive(S::counter(gate.window()));
    let lasts = job.lasts;
    let measured = stage.caller.drive(async move {
        let begun = Instant::now();
        let mut laps = Laps::start(lasts, BATCH);
        while laps.again() {
            for _ in 0..laps.batch() / Gate::CHUNK {
                chunk::<S>(&counter, &gate).await;
            }
        }
        let mut measured = laps.end();
        all_arrived::<S>(&counter, measured.count).await;
        measured.seconds = begun.elapsed().as_secs_f64();
        measured
    });
    Answer::of(&measured).figure("messages_per_s", measured.per_s())
}

/// Waits until `counter` has counted to `told`: the first ask finds it there, except with peers who
/// don't keep messages in order.
pub(super) async fn all_arrived<S: Spawned>(counter: &S::Counter, told: u64) {
    let begun = Instant::now();
    loop {
        let arrived = S::ask(counter, 0).await;
        if arrived == told {
            return;
        }
        assert!(
            arrived < told && begun.elapsed() < PATIENCE,
            "{arrived} of {told} messages arrived"
        );
        others().await;
    }
}

/// Tells `counter` a chunk of messages, when there is room.
pub(super) async fn chunk<S: Spawned>(counter: &S::Counter, gate: &Gate) {
    if !S::BOUNDED {
        gate.pass().await;
    }
    for _ in 0..Gate::CHUNK {
        S::tell(counter, black_box(1)).await;
    }
}
