//! `tell-local` and `tell-cross`.

use std::hint::black_box;

use super::{Gate, Spawned};
use crate::answer::Answer;
use crate::cli::Job;
use crate::laps::Laps;
use crate::tokio_modes::{Cores, Home};

/// Messages between two readings of the clock.
const BATCH: u64 = Gate::CHUNK * 8;

pub(super) fn tell<S: Spawned>(job: &Job, cores: Cores) -> Answer {
    let stage = S::stage(job.mode, cores);
    let gate = Gate::new();
    let counter = stage.callee.drive(S::counter(gate.window()));
    let lasts = job.lasts;
    let measured = stage.caller.drive(async move {
        let mut laps = Laps::start(lasts, BATCH);
        while laps.again() {
            for _ in 0..laps.batch() / Gate::CHUNK {
                chunk::<S>(&counter, &gate).await;
            }
        }
        let arrived = S::ask(&counter, 0).await;
        let measured = laps.end();
        assert_eq!(arrived, measured.count, "every message arrives");
        measured
    });
    Answer::of(&measured).figure("messages_per_s", measured.per_s())
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
