//! `activate` and `idle`.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use super::{Spawned, others};
use crate::answer::Answer;
use crate::cli::Job;
use crate::laps::{Laps, Measured};
use crate::memory;
use crate::tokio_modes::{Cores, Home};
use crate::window::Window;
use crate::workload::{CALLEES, OUTSTANDING};

/// Actors made between two readings of the clock.
const BATCH: u64 = 1_000;
/// What an actor's own state takes.
const STATE: f64 = size_of::<u64>() as f64;
/// Times that everything runs to let actors end.
const ENDINGS: usize = 1_000;
/// Time for threads to fall asleep.
const SETTLE: Duration = Duration::from_millis(100);
const WHILE_IDLE: Duration = Duration::from_secs(2);

pub(super) fn activate<S: Spawned>(job: &Job) -> Answer {
    let keys = job.keys;
    let stage = S::stage(job.mode, Cores::One);
    let bytes = stage.caller.drive(async move {
        // What the first few actors need once is no actor's own.
        let (_, _few) = make::<S>(BATCH).await;
        let before = memory::resident_bytes();
        let (made, leaves) = make::<S>(keys).await;
        let grown = memory::resident_bytes() - before;
        // The list of references to them isn't part of them.
        let listed = size_of::<S::Leaf>() * leaves.len();
        (grown - listed as u64) as f64 / made.count as f64 - STATE
    });
    drop(stage);
    memory::touch();

    let stage = S::stage(job.mode, Cores::One);
    let measured = stage.caller.drive(async move {
        // As many live and end first, so that those that are timed find memory touched.
        let (_, leaves) = make::<S>(keys).await;
        leaves.into_iter().for_each(S::end);
        for _ in 0..ENDINGS {
            others().await;
        }
        make::<S>(keys).await.0
    });
    Answer::of(&measured)
        .figure("activations_per_s", measured.per_s())
        .figure("bytes_per_idle_actor", bytes)
}

pub(super) fn idle<S: Spawned>(job: &Job) -> Answer {
    let stage = S::stage(job.mode, Cores::Two);
    let half = || async {
        let mut counters = Vec::new();
        for _ in 0..CALLEES / 2 {
            let counter = S::counter(Window::new()).await;
            black_box(S::ask(&counter, 1).await);
            counters.push(counter);
        }
        counters
    };
    let _asleep = (stage.caller.drive(half()), stage.callee.drive(half()));
    std::thread::sleep(SETTLE);
    Answer::default().figure("cpu_percent", memory::idle_percent(WHILE_IDLE))
}

/// Makes `keys` leaves, and asks each once.
async fn make<S: Spawned>(keys: u64) -> (Measured, Vec<S::Leaf>) {
    let batches = keys.div_ceil(BATCH);
    let mut leaves = Vec::with_capacity((batches * BATCH) as usize);
    let mut replies = VecDeque::with_capacity(OUTSTANDING + 1);
    let mut laps = Laps::start(Duration::MAX, BATCH);
    for _ in 0..batches {
        laps.again();
        for _ in 0..laps.batch() {
            let leaf = S::leaf().await;
            replies.push_back(S::touch(&leaf).await);
            leaves.push(leaf);
            if replies.len() > OUTSTANDING {
                first::<S>(replies.pop_front()).await;
            }
        }
    }
    while !replies.is_empty() {
        first::<S>(replies.pop_front()).await;
    }
    laps.again();
    (laps.end(), leaves)
}

/// Awaits the answer to the first ask of a leaf.
async fn first<S: Spawned>(reply: Option<S::Touched>) {
    if let Some(reply) = reply {
        let asked = black_box(reply.await.expect("every ask is answered"));
        assert_eq!(asked, 1, "a leaf is new");
    }
}
