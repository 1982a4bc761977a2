//! `fan-in` and `fan-out`.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use orlando_runtime::Silo;
use peers_common::tokio_modes::{Cores, Home, Stage};
use peers_common::workload::{CALLEES, OUTSTANDING, OUTSTANDING_ACROSS, SENDERS};
use peers_common::{Answer, Job, Measured};

use crate::caller::{Caller, Pour, Walk};
use crate::grains::{Taken, grains};

/// Many senders tell one grain.
pub fn fan_in(job: Job) -> Answer {
    let across = pour(job, Cores::Two, SENDERS);
    let local = pour(job, Cores::One, SENDERS);
    Answer::of(&across)
        .figure("messages_per_s", across.per_s())
        .figure("local_messages_per_s", local.per_s())
}

/// One caller asks many grains.
pub fn fan_out(job: Job) -> Answer {
    let one = Stage::tokio(job.mode, Cores::One);
    let local = walk(&one, job, CALLEES, OUTSTANDING);
    drop(one);
    let two = Stage::tokio(job.mode, Cores::Two);
    let across = walk(&two, job, CALLEES, OUTSTANDING_ACROSS);
    Answer::of(&local)
        .figure("asks_per_s", local.per_s())
        .figure("cross_asks_per_s", across.per_s())
}

/// Has so many `senders` tell one grain until all has arrived.
pub fn pour(job: Job, cores: Cores, senders: usize) -> Measured {
    let stage = Stage::tokio(job.mode, cores);
    let (caller, callee) = (stage.caller.clone(), stage.callee.clone());
    stage.caller.drive(async move {
        let silo = Arc::new(Silo::new());
        let target = grains(&silo, &callee, 1).await.remove(0);
        let callers = grains::<Caller>(&silo, &caller, senders).await;
        let begun = Instant::now();
        let sent = join_all(callers.iter().map(|caller| {
            caller.ask(Pour {
                target: target.clone(),
                lasts: job.lasts,
            })
        }))
        .await;
        let seconds = begun.elapsed().as_secs_f64();
        let sent = sent
            .into_iter()
            .map(|sent| sent.expect("the sender answers"));
        let count = sent.sum();
        let taken = target.ask(Taken).await.expect("the receiver answers");
        assert_eq!(taken, count, "all arrived");
        measured(count, seconds)
    })
}

/// Has a caller ask so many grains in turn.
pub fn walk(stage: &Stage, job: Job, count: usize, outstanding: usize) -> Measured {
    let callee = stage.callee.clone();
    stage.caller.drive(async move {
        let silo = Arc::new(Silo::new());
        let targets = grains(&silo, &callee, count).await.into();
        let caller = silo.get_ref::<Caller>("0");
        let walk = Walk {
            targets,
            outstanding,
            lasts: job.lasts,
        };
        let begun = Instant::now();
        let asked = caller.ask(walk).await.expect("the caller answers");
        measured(asked, begun.elapsed().as_secs_f64())
    })
}

fn measured(count: u64, seconds: f64) -> Measured {
    Measured {
        count,
        seconds,
        median_ns: seconds * 1e9 / count as f64,
    }
}
