//! `ring` and `ping-pong`: actors that pass one message on and on.

use std::hint::black_box;
use std::time::Duration;

use elfo::prelude::*;
use elfo::routers::{MapRouter, Outcome};
use elfo::{Addr, Local};
use peers_common::tokio_modes::Cores;
use peers_common::workload::RING;
use peers_common::{Answer, Job, Laps, Measured};

use crate::actors::Locate;
use crate::system::{Driver, run};

/// Messages between two readings of the clock: a multiple of all numbers of runners.
const LAP: u64 = 1_000;

/// Learn who comes next.
#[message(ret = ())]
struct Join {
    next: Local<Addr>,
}

/// Begin a race, which ends at this very runner.
#[message(ret = Local<Measured>)]
struct Start {
    lasts: Duration,
}

/// Pass this on so many times more.
#[message]
struct Pass {
    left: u64,
}

/// A group of those who pass the message on, made by key.
pub fn runners() -> Blueprint {
    ActorGroup::new()
        .router(MapRouter::new(|envelope| {
            msg!(match envelope {
                Locate { key } => Outcome::Unicast(*key),
                _ => Outcome::Default,
            })
        }))
        .exec(pass_on)
}

/// A token passes many actors on one core.
pub fn ring(job: Job) -> Answer {
    let measured = run(&job, Cores::One, async move |driver| {
        let runners = locate(&driver, driver.near_runners, RING).await;
        race(&driver, &job, &runners).await
    });
    Answer::of(&measured).figure("hop_ns", measured.median_ns)
}

/// Two actors tell each other in turn.
pub fn ping_pong(job: Job) -> Answer {
    let across = run(&job, Cores::Two, async move |driver| {
        let near = driver.locate(driver.near_runners, 0).await;
        let far = driver.locate(driver.far_runners, 0).await;
        race(&driver, &job, &[near, far]).await
    });
    let local = run(&job, Cores::One, async move |driver| {
        let runners = locate(&driver, driver.near_runners, 2).await;
        race(&driver, &job, &runners).await
    });
    Answer::of(&across)
        .figure("message_ns", across.median_ns)
        .figure("local_message_ns", local.median_ns)
}

async fn pass_on(mut ctx: Context<(), u64>) {
    let mut next = Addr::NULL;
    let mut race = None;
    while let Some(envelope) = ctx.recv().await {
        msg!(match envelope {
            Pass { left } if black_box(left) > 0 => on(&ctx, next, left - 1),
            Pass => {
                let Some((mut laps, token)) = race.take() else {
                    continue;
                };
                match Laps::again(&mut laps) {
                    true => {
                        race = Some((laps, token));
                        on(&ctx, next, LAP - 1);
                    }
                    false => ctx.respond(token, laps.end().into()),
                }
            }
            (Start { lasts }, token) => {
                let mut laps = Laps::start(lasts, LAP);
                laps.again();
                race = Some((laps, token));
                on(&ctx, next, LAP - 1);
            }
            (Join { next: addr }, token) => {
                next = *addr;
                ctx.respond(token, ());
            }
            (Locate, token) => ctx.respond(token, ctx.addr().into()),
        });
    }
}

#[inline]
fn on(ctx: &Context<(), u64>, next: Addr, left: u64) {
    // At most one message is under way, so there is room.
    let told = ctx.try_send_to(next, Pass { left });
    told.expect("the next one has room");
}

async fn locate(driver: &Driver, group: Addr, count: usize) -> Vec<Addr> {
    let mut runners = Vec::with_capacity(count);
    for key in 0..count {
        runners.push(driver.locate(group, key as u64).await);
    }
    runners
}

async fn race(driver: &Driver, job: &Job, runners: &[Addr]) -> Measured {
    for (n, &runner) in runners.iter().enumerate() {
        let next = runners[(n + 1) % runners.len()].into();
        let joined = driver.ctx.request_to(runner, Join { next }).resolve().await;
        joined.expect("the runner answers");
    }
    let start = Start { lasts: job.lasts };
    let raced = driver.ctx.request_to(runners[0], start).resolve().await;
    raced.expect("the race ends").into_inner()
}
