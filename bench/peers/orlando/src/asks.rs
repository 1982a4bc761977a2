//! `ask-local` and `ask-cross`.

use std::sync::Arc;

use orlando_runtime::Silo;
use peers_common::tokio_modes::{Cores, Home, Stage};
use peers_common::{Answer, Job, Measured, Stamps};

use crate::caller::{Ask, AskStamped, Caller};
use crate::fans::walk;
use crate::grains::grains;

/// Asks outstanding in the loop that wants many.
const MANY: usize = 256;

/// Caller and callee on one core.
pub fn local(job: Job) -> Answer {
    let (measured, stamps) = ask(&Stage::tokio(job.mode, Cores::One), job);
    Answer::of(&measured)
        .figure("ask_ns", measured.median_ns)
        .latency(&stamps)
}

/// The callee on the other core.
pub fn across(job: Job) -> Answer {
    let stage = Stage::tokio(job.mode, Cores::Two);
    let (measured, stamps) = ask(&stage, job);
    let many = walk(&stage, job, 1, MANY);
    Answer::of(&measured)
        .figure("ask_ns", stamps.median_ns())
        .figure("asks_per_s_256", many.per_s())
        .latency(&stamps)
}

fn ask(stage: &Stage, job: Job) -> (Measured, Stamps) {
    let callee = stage.callee.clone();
    let lasts = job.lasts;
    stage.caller.drive(async move {
        let silo = Arc::new(Silo::new());
        let target = grains(&silo, &callee, 1).await.remove(0);
        let caller = silo.get_ref::<Caller>("0");
        let plain = Ask {
            target: target.clone(),
            lasts,
        };
        let measured = caller.ask(plain).await.expect("the caller answers");
        let stamps = caller.ask(AskStamped { target, lasts }).await;
        (measured, stamps.expect("the caller answers"))
    })
}
