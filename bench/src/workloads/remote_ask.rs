//! `remote-ask`: a client on one core asks an actor of a server on another over loopback TCP, one
//! call at a time; and then with many under way.

use std::future::Future;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use quark::{ActorOptions, Client, Listen};

use super::actors::{Counter, CounterRef};
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::Kind;
use crate::latency::Latency;
use crate::launch::{Needs, Plan, Session, close, topology};
use crate::pace::{Goal, Measured, Pace};
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "remote-ask",
    about: "A client asks an actor of a server over loopback TCP, one at a time.",
    unit: "asks",
    floor: Some(Kind::Echo.name()),
    run: remote_ask,
};

const USUAL: Goal = Goal::Time(Duration::from_millis(700));
/// Calls between two readings of the clock.
const BATCH: u64 = 64;
const WARM_UP: u64 = 2_000;
/// Calls outstanding in the loop that wants many.
const MANY: usize = 64;

fn remote_ask(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 1,
        idle: Idle::Spin,
    };
    let plan = Plan::new(WORKLOAD.name, setup, needs)?;
    let (cores, idle) = (plan.cores(), plan.idle());
    let (floor, many_floor) = (plan.floor(Kind::Echo)?, plan.floor(Kind::EchoMany)?);
    let halves = plan.floor(Kind::EchoHalves)?;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let session = plan.launch_with(|builder| {
        builder
            .configure::<Counter>(ActorOptions::new())
            .listen(Listen::at(anywhere))
    })?;
    let mut client = Client::builder();
    if let Some(cores) = cores {
        client = client.cpu(topology(&setup.options)?.cpus([cores.second]));
    }
    if let Some(idle) = idle {
        client = client.idle(idle.policy());
    }
    let client = session.answered(client.connect(session.engine.addresses()[0]))?;
    let target = client.actor::<Counter>(7_u64);

    let pace = session.pace(USUAL);
    let (mean, latency) = run(&session, &client, &pace, ask(target.clone(), pace.clone()))?;
    let mean = session.sound(mean)?;
    let many = {
        let pace = session.pace(USUAL);
        let shared = pace.shared(MANY as u64);
        let (end, ends) = mpsc::channel();
        for _ in 0..MANY {
            let (target, pace, end) = (target.clone(), shared.clone(), end.clone());
            client.spawn(move || async move {
                // Whoever waits for it may have given up.
                let _ = end.send(walk(target, pace).await);
            });
        }
        drop(end);
        pace.watched(WORKLOAD.name, || session.gathered(&ends, MANY))?
    };
    client.shutdown();
    let ran = session.end();
    let p50 = latency.summary().map_or(0.0, |summary| summary.p50 as f64);
    let mut report = ran
        .report(&WORKLOAD, &mean)
        .latency(&latency)
        .mean(mean.mean_ns())
        .figure("asks_per_s_64", many.per_s());
    if let Some(floor) = close(many_floor)? {
        report = report
            .figure("echo_64_ns", floor.best.value)
            .figure("ratio_64", 1e9 / many.per_s() / floor.best.value);
    }
    if let Some(floor) = close(halves)? {
        report = report.figure("echo_halves_ns", floor.best.value);
    }
    Ok(match close(floor)? {
        Some(floor) => report.against(floor, p50),
        None => report,
    })
}

/// Runs `work` on the client's shard to its end.
fn run<T: Send + 'static, F: Future<Output = T> + 'static>(
    session: &Session<'_>,
    client: &Client,
    pace: &Pace,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, Error> {
    let (end, ends) = mpsc::channel();
    client.spawn(move || async move {
        let _ = end.send(work().await);
    });
    pace.watched(WORKLOAD.name, || session.answered(ends.recv()))
}

/// Asks one call at a time, the clock read before and after each.
fn ask(
    target: CounterRef,
    pace: Pace,
) -> impl FnOnce() -> std::pin::Pin<Box<dyn Future<Output = (Measured, Latency)>>> {
    move || {
        Box::pin(async move {
            let mut latency = Latency::new();
            for _ in 0..WARM_UP {
                let _ = black_box(target.add(1).await);
            }
            let mut laps = pace.start();
            let clock = laps.clock();
            while let Some(lap) = laps.next(BATCH) {
                for _ in 0..lap {
                    let begun = clock.now();
                    let answer = black_box(target.add(black_box(1)).await);
                    latency.record(clock.now() - begun);
                    if let Err(error) = answer {
                        laps.fail(&error);
                    }
                }
            }
            (laps.end(), latency)
        })
    }
}

/// Asks one call at a time; many of these keep as many outstanding.
async fn walk(target: CounterRef, pace: Pace) -> Measured {
    let mut laps = pace.start();
    while let Some(lap) = laps.next(BATCH) {
        for _ in 0..lap {
            if let Err(error) = black_box(target.add(black_box(1)).await) {
                laps.fail(&error);
            }
        }
    }
    laps.end()
}
