//! `fan-in` and `fan-out`.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::asks::outstanding;
use super::tells::{all_arrived, chunk};
use super::{Gate, Spawned};
use crate::answer::Answer;
use crate::cli::Job;
use crate::laps::Measured;
use crate::tokio_modes::{Cores, Home, Stage};
use crate::workload::{CALLEES, OUTSTANDING, OUTSTANDING_ACROSS, SENDERS};

/// Chunks that a sender tells between two readings of the clock.
const CHUNKS: u64 = 4;

pub(super) fn fan_in<S: Spawned>(job: &Job) -> Answer {
    let local = pour::<S>(&S::stage(job.mode, Cores::One), job.lasts);
    let across = pour::<S>(&S::stage(job.mode, Cores::Two), job.lasts);
    Answer::of(&across)
        .figure("messages_per_s", across.per_s())
        .figure("local_messages_per_s", local.per_s())
}

pub(super) fn fan_out<S: Spawned>(job: &Job) -> Answer {
    let one = S::stage(job.mode, Cores::One);
    let local = outstanding::<S>(&one, CALLEES, OUTSTANDING, job.lasts);
    drop(one);
    let two = S::stage(job.mode, Cores::Two);
    let across = outstanding::<S>(&two, CALLEES, OUTSTANDING_ACROSS, job.lasts);
    Answer::of(&local)
        .figure("asks_per_s", local.per_s())
        .figure("cross_asks_per_s", across.per_s())
}

/// Senders tell a counter, each in a task of its own; timed until all has arrived.
fn pour<S: Spawned>(stage: &Stage<S::Home>, lasts: Duration) -> Measured {
    let gate = Gate::new();
    let counter = stage.callee.drive(S::counter(gate.window()));
    let (end, ended) = mpsc::channel();
    let begun = Instant::now();
    for _ in 0..SENDERS {
        let (counter, gate, end) = (counter.clone(), gate.clone(), end.clone());
        stage.caller.spawn(async move {
            let mut told = 0;
            while begun.elapsed() < lasts {
                for _ in 0..CHUNKS {
                    chunk::<S>(&counter, &gate).await;
                    told += Gate::CHUNK;
                }
            }
            end.send(told).expect("the workload waits for all senders");
        });
    }
    drop(end);
    let count = ended.iter().sum();
    let arrival = async move { all_arrived::<S>(&counter, count).await };
    stage.caller.drive(arrival);
    let seconds = begun.elapsed().as_secs_f64();
    Measured {
        count,
        seconds,
        median_ns: seconds * 1e9 / count as f64,
    }
}
