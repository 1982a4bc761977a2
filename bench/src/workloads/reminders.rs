//! `reminders`: 100 k reminders due a second, over all shards, and how late each call is.

use std::sync::mpsc::{self, Sender};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quark::prelude::*;
use quark::{ActorOptions, CatchUp, Due, Remind, StateError, WallTime};

use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::latency::Latency;
use crate::launch::{Needs, PATIENCE, Plan, Session};
use crate::progress::Progress;
use crate::report::Report;
use crate::scratch::Scratch;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "reminders",
    about: "100 k reminders due a second, kept in logs on disk: how late each call is.",
    unit: "reminders",
    floor: None,
    run: reminders,
};

const DUE_PER_S: f64 = 100_000.0;
const USUAL: Duration = Duration::from_secs(3);
/// How often each actor is reminded: reminders are set to the millisecond.
const PERIOD: Duration = Duration::from_millis(10);
/// From the last reminder that is set to the first that is due.
const HEAD_START: Duration = Duration::from_millis(200);
/// How long all actors may take to set theirs.
const SETTING: Duration = Duration::from_secs(2);
/// Between two looks whether somebody wants the run to end.
const LOOK: Duration = Duration::from_millis(50);
/// How long the last reminder may be late.
const LATEST: Duration = Duration::from_secs(120);
const NEEDS: Needs = Needs {
    shards: 1,
    idle: Idle::Adaptive,
};

/// How an actor is to be reminded.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    first: WallTime,
    times: u64,
    end: Sender<Lateness>,
}

/// How late an actor's reminders were, in nanoseconds each.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    late: Vec<u64>,
    /// Times that were due, and that no call of their own came for.
    lost: u64,
    /// Calls for a time that there had been one for.
    again: u64,
    /// The last time there was a call for.
    last: Option<WallTime>,
}

/// Is reminded.
#[derive(Debug, Default)]
pub(crate) struct Sleeper {
    orders: Option<Orders>,
    lateness: Lateness,
}

#[actor(name = "bench.sleeper")]
impl Sleeper {
    /// Sets the reminder, and says so.
    pub async fn set(
        &mut self,
        cx: &Cx<Self>,
        orders: Orders,
        ready: Sender<Result<(), StateError>>,
    ) {
        self.lateness.late.reserve(orders.times as usize);
        let when = Remind::at(orders.first)
            .every(PERIOD)
            .catch_up(CatchUp::Each);
        self.orders = Some(orders);
        // Whoever waits for it may have given up.
        let _ = ready.send(cx.remind("due", when).await);
    }

    async fn on_reminder(&mut self, cx: &Cx<Self>, due: Due) {
        let Some(orders) = &self.orders else {
            return;
        };
        let known = &mut self.lateness;
        if known.last >= Some(due.at) {
            known.again += 1;
            return;
        }
        known.last = Some(due.at);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let late = now
            .unwrap_or_default()
            .saturating_sub(Duration::from_millis(due.at.0));
        self.lateness
            .late
            .push(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
        self.lateness.lost += due.times.saturating_sub(1);
        if self.lateness.late.len() as u64 + self.lateness.lost >= orders.times {
            let _ = cx.forget_reminder(&due.name).await;
            if let Some(orders) = self.orders.take() {
                // Whoever waits for it may have given up.
                let _ = orders.end.send(std::mem::take(&mut self.lateness));
            }
        }
    }
}

fn reminders(setup: &Setup) -> Result<Report, Error> {
    let scratch = Scratch::new(setup.options.dir.as_deref())?;
    let per_s = setup.options.rate.unwrap_or(DUE_PER_S);
    let sleepers = (per_s * PERIOD.as_secs_f64()).round().max(1.0) as u64;
    let time = setup.options.seconds.unwrap_or(USUAL);
    let count = setup.options.count;
    let count = count.unwrap_or((per_s * time.as_secs_f64()) as u64);
    let times = count.div_ceil(sleepers).max(1);
    // The type is named, or nobody would be called.
    let session = Plan::on_all_cores(WORKLOAD.name, setup, NEEDS)?.launch_with(|builder| {
        builder
            .store(scratch.store("log"))
            .configure::<Sleeper>(ActorOptions::new())
    })?;
    if session.is_interrupted() {
        let ran = session.end();
        return Ok(ran.report_of(&WORKLOAD, 0, Duration::ZERO));
    }
    let (end, ends) = mpsc::channel();
    let first = set(&session, sleepers, times, end)?;
    let mut late = Latency::new();
    let (mut lost, mut again) = (0, 0);
    Progress::beside(
        WORKLOAD.name,
        sleepers,
        || 0,
        || {
            let mut waited = Duration::ZERO;
            for _ in 0..sleepers {
                loop {
                    match ends.recv_timeout(LOOK) {
                        Ok(one) => {
                            one.late.iter().for_each(|ns| late.record(*ns));
                            lost += one.lost;
                            again += one.again;
                            break;
                        }
                        Err(_) if session.is_interrupted() => return Ok(()),
                        Err(_) => waited += LOOK,
                    }
                    if waited > time + SETTING + LATEST {
                        return Err(session.error("reminders are missing".to_owned()));
                    }
                }
            }
            Ok(())
        },
    )?;
    let elapsed = since(first);
    let ran = session.end();
    let kept = late.count() as f64 / elapsed.as_secs_f64().max(1e-9);
    Ok(ran
        .report_of(&WORKLOAD, late.count(), elapsed)
        .latency(&late)
        .figure("due_per_s", per_s)
        .figure("kept", kept / per_s)
        .figure("lost", lost)
        .figure("called_again", again))
}

/// Has all sleepers set their reminders, which begin to be due evenly over the first period.
fn set(
    session: &Session<'_>,
    sleepers: u64,
    times: u64,
    end: Sender<Lateness>,
) -> Result<WallTime, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let base = WallTime::new(now.unwrap_or_default()).after(SETTING + HEAD_START);
    let (ready, all_ready) = mpsc::channel();
    for key in 0..sleepers {
        let first = base.after(PERIOD.mul_f64(key as f64 / sleepers as f64));
        let orders = Orders {
            first,
            times,
            end: end.clone(),
        };
        let sleeper = session.engine.actor::<Sleeper>(key);
        session.answered(
            sleeper
                .set(orders, ready.clone())
                .send()
                .wait()
                .map_err(|error| error.reason),
        )?;
    }
    drop(ready);
    while let Ok(set) = all_ready.recv_timeout(PATIENCE) {
        session.answered(set)?;
    }
    if since(base) > Duration::ZERO {
        return Err(session.error("the first was due before the last was set".to_owned()));
    }
    Ok(base)
}

/// How long ago a time was; none if it is to come.
fn since(time: WallTime) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    now.saturating_sub(Duration::from_millis(time.0))
}
