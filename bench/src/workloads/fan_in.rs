//! `fan-in`: 100 senders tell 1 actor on another core, and one on their own.

use std::sync::mpsc;
use std::time::Duration;

use super::actors::{Caller, CounterRef};
use super::asks::counters;
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::Kind;
use crate::launch::{Needs, Plan, Session, close, keys_on};
use crate::pace::{Goal, Measured};
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "fan-in",
    about: "100 senders tell 1 actor.",
    unit: "messages",
    floor: Some(Kind::Ring.name()),
    run: fan_in,
};

const SENDERS: usize = 100;
const USUAL: Goal = Goal::Time(Duration::from_millis(700));

fn fan_in(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 2,
        idle: Idle::Spin,
    };
    let plan = Plan::new(WORKLOAD.name, setup, needs)?;
    let floor = plan.floor(Kind::Ring)?;
    let session = plan.launch()?;
    let across = pour(&session, &counters(&session, 1, 1)[0])?;
    let local = pour(&session, &counters(&session, 0, 1)[0])?;
    let ran = session.end();
    let report = ran.report(&WORKLOAD, &across);
    let report = match close(floor)? {
        Some(floor) => report.against(floor, across.per_s()),
        None => report,
    };
    Ok(report.figure("local_messages_per_s", local.per_s()))
}

/// Has the senders, all on shard 0, tell `target`.
fn pour(session: &Session<'_>, target: &CounterRef) -> Result<Measured, Error> {
    let engine = &session.engine;
    session.answered(target.taken().wait())?;
    let pace = session.pace(USUAL);
    let share = pace.shared(SENDERS as u64);
    let (end, ends) = mpsc::channel();
    for key in keys_on(0, SENDERS, |key| engine.home_of::<Caller>(key)) {
        let sender = engine.actor::<Caller>(key);
        let told = sender
            .pour(target.clone(), share.clone(), end.clone())
            .tell();
        session.answered(told)?;
    }
    drop(end);
    let poured = pace.watched(WORKLOAD.name, || session.gathered(&ends, SENDERS))?;
    let arrived = session.answered(target.taken().wait())?;
    session.expect("messages arrived", poured.count, arrived)?;
    Ok(poured)
}
