//! `fan-in` and `fan-out`.

use std::time::Instant;

use elfo::Addr;
use futures_util::future::join_all;
use peers_common::tokio_modes::Cores;
use peers_common::workload::{CALLEES, OUTSTANDING, OUTSTANDING_ACROSS, SENDERS};
use peers_common::{Answer, Job, Measured};

use crate::actors::Taken;
use crate::caller::{Pour, Walk};
use crate::system::{Driver, run};

/// Many senders tell one actor.
pub fn fan_in(job: Job) -> Answer {
    let across = run(&job, Cores::Two, async move |driver| {
        pour(&driver, &job, driver.far, SENDERS).await
    });
    let local = run(&job, Cores::One, async move |driver| {
        pour(&driver, &job, driver.near, SENDERS).await
    });
    Answer::of(&across)
        .figure("messages_per_s", across.per_s())
        .figure("local_messages_per_s", local.per_s())
}

/// One caller asks many actors.
pub fn fan_out(job: Job) -> Answer {
    let local = run(&job, Cores::One, async move |driver| {
        walk(&driver, &job, driver.near, CALLEES, OUTSTANDING).await
    });
    let across = run(&job, Cores::Two, async move |driver| {
        walk(&driver, &job, driver.far, CALLEES, OUTSTANDING_ACROSS).await
    });
    Answer::of(&local)
        .figure("asks_per_s", local.per_s())
        .figure("cross_asks_per_s", across.per_s())
}

/// Has so many `senders` tell one actor of `callees`, until all has arrived.
pub async fn pour(driver: &Driver, job: &Job, callees: Addr, senders: usize) -> Measured {
    let target = driver.locate(callees, 0).await;
    let mut callers = Vec::with_capacity(senders);
    for key in 0..senders {
        callers.push(driver.locate(driver.callers, key as u64).await);
    }
    let begun = Instant::now();
    let sent = join_all(callers.into_iter().map(|caller| {
        let pour = Pour {
            target: target.into(),
            lasts: job.lasts,
        };
        driver.ctx.request_to(caller, pour).resolve()
    }))
    .await;
    let seconds = begun.elapsed().as_secs_f64();
    let sent = sent
        .into_iter()
        .map(|sent| sent.expect("the sender answers"));
    let count = sent.sum();
    let taken = driver.ctx.request_to(target, Taken).resolve().await;
    assert_eq!(taken.expect("the receiver answers"), count, "all arrived");
    measured(count, seconds)
}

/// Has a caller ask so many actors of `callees` in turn.
pub async fn walk(
    driver: &Driver,
    job: &Job,
    callees: Addr,
    count: usize,
    outstanding: usize,
) -> Measured {
    let caller = driver.locate(driver.callers, 0).await;
    let mut targets = Vec::with_capacity(count);
    for key in 0..count {
        targets.push(driver.locate(callees, key as u64).await);
    }
    let walk = Walk {
        targets: std::sync::Arc::<[Addr]>::from(targets).into(),
        outstanding,
        lasts: job.lasts,
    };
    let begun = Instant::now();
    let asked = driver.ctx.request_to(caller, walk).resolve().await;
    let seconds = begun.elapsed().as_secs_f64();
    measured(asked.expect("the caller answers"), seconds)
}

fn measured(count: u64, seconds: f64) -> Measured {
    Measured {
        count,
        seconds,
        median_ns: seconds * 1e9 / count as f64,
    }
}
