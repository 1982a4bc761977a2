//! `ask-local` and `ask-cross`; and asks of which many are outstanding.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use super::Spawned;
use crate::answer::Answer;
use crate::cli::Job;
use crate::laps::{Laps, Measured};
use crate::stamps::Stamps;
use crate::tokio_modes::{Cores, Home, Stage};
use crate::window::Window;
use crate::workload::OUTSTANDING_ACROSS;

/// Asks before a loop is measured.
const WARM_UP: u64 = 2_000;
/// Asks between two readings of the clock.
const BATCH: u64 = 512;

pub(super) fn local<S: Spawned>(job: &Job) -> Answer {
    let stage = S::stage(job.mode, Cores::One);
    let (measured, stamps) = pair::<S>(&stage, job.lasts);
    Answer::of(&measured)
        .figure("ask_ns", measured.median_ns)
        .latency(&stamps)
}

pub(super) fn across<S: Spawned>(job: &Job) -> Answer {
    let stage = S::stage(job.mode, Cores::Two);
    let (measured, stamps) = pair::<S>(&stage, job.lasts);
    let many = outstanding::<S>(&stage, 1, OUTSTANDING_ACROSS, job.lasts);
    Answer::of(&measured)
        .figure("ask_ns", stamps.median_ns())
        .figure("asks_per_s_256", many.per_s())
        .latency(&stamps)
}

/// One caller that keeps `many` asks outstanding, to `callees` counters in turn.
pub(super) fn outstanding<S: Spawned>(
    stage: &Stage<S::Home>,
    callees: usize,
    many: usize,
    lasts: Duration,
) -> Measured {
    let counters = stage.callee.drive(async move {
        let mut counters = Vec::with_capacity(callees);
        for _ in 0..callees {
            counters.push(S::counter(Window::new()).await);
        }
        counters
    });
    stage.caller.drive(async move {
        let mut at = 0;
        let mut replies = VecDeque::with_capacity(many + 1);
        for _ in 0..many {
            replies.push_back(S::begin(&counters[at], black_box(1)).await);
            at = (at + 1) % callees;
        }
        let mut laps = Laps::start(lasts, BATCH);
        while laps.again() {
            for _ in 0..laps.batch() {
                let oldest = replies.pop_front().expect("many are outstanding");
                black_box(oldest.await.expect("every ask is answered"));
                replies.push_back(S::begin(&counters[at], black_box(1)).await);
                at = if at + 1 < callees { at + 1 } else { 0 };
            }
        }
        for reply in replies {
            black_box(reply.await.expect("every ask is answered"));
        }
        laps.end()
    })
}

/// A loop of asks without stamps, and one with.
fn pair<S: Spawned>(stage: &Stage<S::Home>, lasts: Duration) -> (Measured, Stamps) {
    let counter = stage.callee.drive(S::counter(Window::new()));
    stage.caller.drive(async move {
        for _ in 0..WARM_UP {
            black_box(S::ask(&counter, 1).await);
        }
        let mut laps = Laps::start(lasts, BATCH);
        while laps.again() {
            for _ in 0..laps.batch() {
                black_box(S::ask(&counter, black_box(1)).await);
            }
        }
        let measured = laps.end();

        let mut stamps = Stamps::new();
        let mut laps = Laps::start(lasts, BATCH);
        let mut asked = WARM_UP + measured.count;
        while laps.again() {
            for _ in 0..laps.batch() {
                let begun = stamps.now();
                let count = black_box(S::ask(&counter, black_box(1)).await);
                stamps.record(begun);
                asked += 1;
                assert_eq!(count, asked, "every ask counts");
            }
        }
        (measured, stamps)
    })
}
