//! `ping-pong`: two actors on two cores tell each other in turn; and two on one core.

use std::time::Duration;

use super::relay::race;
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::launch::{Needs, Plan};
use crate::pace::Goal;
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "ping-pong",
    about: "Two actors on two cores tell each other in turn; and two on one core.",
    unit: "messages",
    floor: None,
    run: ping_pong,
};

/// Messages between two readings of the clock.
const LAP: u64 = 1_000;
const USUAL: Goal = Goal::Time(Duration::from_millis(500));

fn ping_pong(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 2,
        idle: Idle::Spin,
    };
    let session = Plan::new(WORKLOAD.name, setup, needs)?.launch()?;
    let across = race(&session, &WORKLOAD, 2, |n| n as u16, LAP, USUAL)?;
    let local = race(&session, &WORKLOAD, 2, |_| 0, LAP * 100, USUAL)?;
    let ran = session.end();
    Ok(ran
        .report(&WORKLOAD, &across)
        .figure("message_ns", across.median_ns())
        .figure("local_message_ns", local.median_ns()))
}
