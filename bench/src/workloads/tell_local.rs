//! `tell-local`: one-way messages to an actor on the sender's core.

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
    name: "tell-local",
    about: "One-way messages to an actor on the sender's core.",
    unit: "messages",
    floor: None,
    run: tell_local,
};

fn tell_local(setup: &Setup) -> Result<Report, Error> {
    run(&WORKLOAD, setup, 1)
}

/// Tells from shard 0 to the last of `shards`, counting at the receiver.
pub(super) fn run(workload: &Workload, setup: &Setup, shards: usize) -> Result<Report, Error> {
    let needs = Needs {
        shards,
        idle: Idle::Spin,
    };
    let plan = Plan::new(workload.name, setup, needs)?;
    let floor = match shards {
        1 => None,
        _ => plan.floor(Kind::Ring)?,
    };
    let session = plan.launch()?;
    let (caller, target) = pair(&session, shards as u16 - 1);
    let pace = session.pace(Goal::Time(Duration::from_secs(1)));
    let (measured, arrived) = pace.watched(workload.name, || {
        let call = caller.tell(target, pace.clone());
        session.answered(call.timeout(PATIENCE).wait())
    })?;
    let measured = session.sound(measured)?;
    session.expect("messages arrived", measured.count, arrived)?;
    let ran = session.end();
    let report = ran.report(workload, &measured);
    let report = match close(floor)? {
        Some(floor) => report.against(floor, 1e9 / measured.median_ns()),
        None => report,
    };
    Ok(report
        .figure("message_ns", measured.mean_ns())
        .figure("batch_median_ns", measured.median_ns()))
}
