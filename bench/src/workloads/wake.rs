//! `wake`: the first ask after 1 ms asleep, across shards.

use std::time::Duration;

use super::asks::pair;
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::Kind;
use crate::launch::{Needs, PATIENCE, Plan, close};
use crate::pace::Goal;
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "wake",
    about: "The first ask after 1 ms asleep, across shards.",
    unit: "asks",
    floor: Some(Kind::Wake.name()),
    run: wake,
};

const PAUSE: Duration = Duration::from_millis(1);
const USUAL: Goal = Goal::Units(1_000);

fn wake(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 2,
        idle: Idle::Adaptive,
    };
    let plan = Plan::new(WORKLOAD.name, setup, needs)?;
    let floor = plan.floor(Kind::Wake)?;
    let session = plan.launch()?;
    let (caller, callee) = pair(&session, 1);
    let pace = session.pace(USUAL);
    let (measured, latency) = pace.watched(WORKLOAD.name, || {
        let call = caller.ask_after_sleep(callee, PAUSE, pace.clone());
        session.answered(call.timeout(PATIENCE).wait())
    })?;
    let measured = session.sound(measured)?;
    let ran = session.end();
    let report = ran.report(&WORKLOAD, &measured).latency(&latency);
    let p50 = latency.summary().map_or(0.0, |summary| summary.p50 as f64);
    Ok(match close(floor)? {
        Some(floor) => report.against(floor, p50),
        None => report,
    })
}
