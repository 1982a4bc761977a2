//! `ring`: Savina's thread ring: a token passes 100 actors, 1 M hops.

use std::time::Duration;

use super::relay::race;
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::Kind;
use crate::launch::{Needs, Plan, close};
use crate::pace::Goal;
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "ring",
    about: "Savina's thread ring: a token passes 100 actors, 1 M hops.",
    unit: "hops",
    floor: Some(Kind::QueueHop.name()),
    run: ring,
};

const ACTORS: usize = 100;
/// Hops between two readings of the clock.
const HOPS: u64 = 1_000_000;
const USUAL: Goal = Goal::Time(Duration::from_secs(1));

fn ring(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 1,
        idle: Idle::Spin,
    };
    let plan = Plan::new(WORKLOAD.name, setup, needs)?;
    let floor = plan.floor(Kind::QueueHop)?;
    let session = plan.launch()?;
    let measured = race(&session, &WORKLOAD, ACTORS, |_| 0, HOPS, USUAL)?;
    let ran = session.end();
    let hop = measured.median_ns();
    let report = ran.report(&WORKLOAD, &measured);
    let report = match close(floor)? {
        Some(floor) => report.against(floor, hop),
        None => report,
    };
    Ok(report
        .figure("hop_ns", hop)
        .figure("hop_mean_ns", measured.mean_ns()))
}
