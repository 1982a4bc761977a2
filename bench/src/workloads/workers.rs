//! `workers`: calls that wait for something outside, served by a pool of stateless workers, and by
//! one actor alone.

use std::cell::RefCell;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use quark::prelude::*;
use quark::{ActorOptions, Placement};

use super::actors::until;
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::latency::{Latency, Schedule};
use crate::launch::{Needs, Plan, Session, keys_on};
use crate::pace::{Goal, Measured, Pace};
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "workers",
    about: "256 callers of a pool of workers, each call suspended for 200 µs.",
    unit: "calls",
    floor: None,
    run: workers,
};

/// How long a call waits for what is outside.
const SERVICE: Duration = Duration::from_micros(200);
/// Calls outstanding at any time, from all shards together.
const CALLERS: u64 = 256;
/// Workers on each shard, at most: as many as there can be calls.
const MOST: u16 = 256;
const USUAL: Goal = Goal::Time(Duration::from_millis(700));

/// One of many that are all alike.
#[derive(Debug, Default)]
pub(crate) struct Worker;

#[actor(name = "bench.worker")]
impl Worker {
    /// Serves a call. `&mut self`: one at a time, so that a call more takes a worker more.
    pub async fn serve(&mut self, service: Duration) {
        quark::sleep(service).await;
    }
}

/// The same, but the only one.
#[derive(Debug, Default)]
pub(crate) struct Alone;

#[actor(name = "bench.alone")]
impl Alone {
    /// Serves a call.
    pub async fn serve(&mut self, service: Duration) {
        quark::sleep(service).await;
    }
}

/// Who is called.
#[derive(Clone, Debug)]
pub(crate) enum Server {
    Pool(WorkerRef),
    Alone(AloneRef),
}

/// Calls from its own shard.
#[derive(Debug, Default)]
pub(crate) struct Client {
    latency: RefCell<Latency>,
}

#[actor(name = "bench.client")]
impl Client {
    /// Calls, one call at a time; many such turns keep as many calls outstanding. With a rate, on
    /// a schedule that no late answer puts off.
    pub async fn call(&self, server: Server, pace: Pace, rate: Option<f64>, end: Sender<Measured>) {
        let mut laps = pace.start();
        let clock = laps.clock();
        let schedule = rate.map(|per_s| Schedule::new(clock.now(), per_s));
        let mut index = 0;
        while laps.next(1).is_some() {
            let begun = match &schedule {
                None => clock.now(),
                Some(schedule) => {
                    until(&clock, schedule.due(index)).await;
                    schedule.due(index)
                }
            };
            index += 1;
            let served = match &server {
                Server::Pool(worker) => worker.serve(SERVICE).await,
                Server::Alone(alone) => alone.serve(SERVICE).await,
            };
            let ns = clock.now().saturating_sub(begun);
            self.latency.borrow_mut().record(ns);
            if let Err(error) = served {
                laps.fail(&error);
            }
        }
        // Whoever waits for it may have given up.
        let _ = end.send(laps.end());
    }

    /// What the calls took.
    pub fn latency(&mut self) -> Latency {
        self.latency.take()
    }
}

fn workers(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 1,
        idle: Idle::Spin,
    };
    let pooled = ActorOptions::new().placement(Placement::Workers { most: MOST });
    let session = Plan::on_all_cores(WORKLOAD.name, setup, needs)?
        .launch_with(|builder| builder.configure::<Worker>(pooled))?;
    let pool = Server::Pool(session.engine.actor::<Worker>(0));
    let (served, latency) = serve(&session, &pool, setup.options.rate)?;
    let alone = Server::Alone(session.engine.actor::<Alone>(0));
    let (single, waited) = serve(&session, &alone, setup.options.rate)?;
    let ran = session.end();
    let p99 = waited.summary().map_or(0, |summary| summary.p99);
    Ok(ran
        .report(&WORKLOAD, &served)
        .latency(&latency)
        .part("alone", waited)
        .figure("service_us", SERVICE.as_micros() as u64)
        .figure("alone_calls_per_s", single.per_s())
        .figure("alone_p99_ms", p99 as f64 / 1e6))
}

/// Has clients on all shards call `server`.
fn serve(
    session: &Session<'_>,
    server: &Server,
    rate: Option<f64>,
) -> Result<(Measured, Latency), Error> {
    let engine = &session.engine;
    let clients: Vec<ClientRef> = (0..engine.shards())
        .flat_map(|shard| keys_on(shard, 1, |key| engine.home_of::<Client>(key)))
        .map(|key| engine.actor::<Client>(key))
        .collect();
    let pace = session.pace(USUAL);
    let share = pace.shared(CALLERS);
    let rate = rate.map(|per_s| per_s / CALLERS as f64);
    let (end, ends) = mpsc::channel();
    for client in clients.iter().cycle().take(CALLERS as usize) {
        let call = client.call(server.clone(), share.clone(), rate, end.clone());
        session.answered(call.tell())?;
    }
    drop(end);
    let measured = pace.watched(WORKLOAD.name, || session.gathered(&ends, CALLERS as usize))?;
    let mut all = Latency::new();
    for client in clients {
        all.merge(&session.answered(client.latency().wait())?);
    }
    Ok((measured, all))
}
