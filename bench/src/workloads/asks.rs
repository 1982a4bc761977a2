//! What `ask-local` and `ask-cross` share: one actor that asks another, one call at a time.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::actors::{Caller, CallerRef, Counter, CounterRef};
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::Kind;
use crate::latency::Latency;
use crate::launch::{Needs, PATIENCE, Plan, Session, close, keys_on};
use crate::pace::{Goal, Measured};
use crate::report::Report;

/// How long each loop takes when nobody says.
const USUAL: Goal = Goal::Time(Duration::from_millis(700));
/// Calls outstanding in the loop that wants many.
const MANY: usize = 256;

/// Which figure is held against the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// What a call takes in the mean of a loop that reads no clock.
    Mean,
    /// The median of stamped calls.
    Median,
}

/// Runs the workload with its caller on shard 0 and its callee on the last of `shards`.
pub(super) fn run(
    workload: &Workload,
    setup: &Setup,
    shards: usize,
    kind: Kind,
    held: Held,
) -> Result<Report, Error> {
    let needs = Needs {
        shards,
        idle: Idle::Spin,
    };
    let plan = Plan::new(workload.name, setup, needs)?;
    let floor = plan.floor(kind)?;
    let session = plan.launch()?;
    let (caller, callee) = pair(&session, shards as u16 - 1);
    let pace = || session.pace(USUAL);

    if let Some(per_s) = setup.options.rate {
        let pace = pace();
        let open = pace.watched(workload.name, || {
            let call = caller.ask_on_schedule(callee, pace.clone(), per_s);
            session.answered(call.timeout(PATIENCE).wait())
        });
        let (measured, latency) = open?;
        let measured = session.sound(measured)?;
        let ran = session.end();
        let report = ran.report(workload, &measured).latency(&latency);
        return against(report, close(floor)?, &measured, &latency, Held::Median)
            .map(|report| report.figure("asked_rate_per_s", per_s));
    }

    let mean = pace();
    let measured = mean.watched(workload.name, || {
        let call = caller.ask(callee.clone(), mean.clone());
        session.answered(call.timeout(PATIENCE).wait())
    })?;
    let measured = session.sound(measured)?;
    let stamped = pace();
    let (times, latency) = stamped.watched(workload.name, || {
        let call = caller.ask_stamped(callee.clone(), stamped.clone());
        session.answered(call.timeout(PATIENCE).wait())
    })?;
    session.sound(times)?;
    let many = if held == Held::Median {
        Some(outstanding(&session, workload, &caller, &[callee], MANY)?)
    } else {
        None
    };
    let clock_ns = session.clock().cost();
    let ran = session.end();
    let mut report = ran
        .report(workload, &measured)
        .latency(&latency)
        .mean(measured.mean_ns());
    report = against(report, close(floor)?, &measured, &latency, held)?
        .figure("batch_median_ns", measured.median_ns())
        .figure("clock_ns", clock_ns);
    if let Some(many) = many {
        report = report.figure("asks_per_s_256", many.per_s());
    }
    Ok(report)
}

/// A caller on shard 0, and a callee on `shard`.
pub(super) fn pair(session: &Session<'_>, shard: u16) -> (CallerRef, CounterRef) {
    let engine = &session.engine;
    let caller = keys_on(0, 1, |key| engine.home_of::<Caller>(key))[0];
    (
        engine.actor::<Caller>(caller),
        counters(session, shard, 1)[0].clone(),
    )
}

/// So many callees on `shard`.
pub(super) fn counters(session: &Session<'_>, shard: u16, count: usize) -> Vec<CounterRef> {
    let engine = &session.engine;
    let keys = keys_on(shard, count, |key| engine.home_of::<Counter>(key));
    keys.into_iter()
        .map(|key| engine.actor::<Counter>(key))
        .collect()
}

/// `many` calls of one caller outstanding at any time, to `targets` in turn.
pub(super) fn outstanding(
    session: &Session<'_>,
    workload: &Workload,
    caller: &CallerRef,
    targets: &[CounterRef],
    many: usize,
) -> Result<Measured, Error> {
    let targets: Arc<[CounterRef]> = targets.into();
    let pace = session.pace(USUAL);
    let shared = pace.shared(many as u64);
    let (end, ends) = mpsc::channel();
    for _ in 0..many {
        // By the message, so that each turn begins a chain of its own: a turn that somebody
        // waits for would draw on the reserve of nested calls.
        let told = caller
            .walk(targets.clone(), shared.clone(), end.clone())
            .tell();
        session.answered(told)?;
    }
    drop(end);
    pace.watched(workload.name, || session.gathered(&ends, many))
}

fn against(
    report: Report,
    floor: Option<crate::floors::Bracketed>,
    measured: &Measured,
    latency: &Latency,
    held: Held,
) -> Result<Report, Error> {
    let Some(floor) = floor else {
        return Ok(report);
    };
    let figure = match held {
        Held::Mean => measured.median_ns(),
        Held::Median => latency.summary().map_or(0.0, |summary| summary.p50 as f64),
    };
    Ok(report.against(floor, figure))
}
