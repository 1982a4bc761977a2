//! `fan-out`: 1 caller asks 1,000 actors, 64 calls outstanding; and 256 across cores.

use super::asks::{counters, outstanding, pair};
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::launch::{Needs, Plan};
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "fan-out",
    about: "1 caller asks 1,000 actors, 64 calls outstanding; and 256 across cores.",
    unit: "asks",
    floor: None,
    run: fan_out,
};

const ACTORS: usize = 1_000;

fn fan_out(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 2,
        idle: Idle::Spin,
    };
    let session = Plan::new(WORKLOAD.name, setup, needs)?.launch()?;
    let (caller, _) = pair(&session, 0);
    let to = |shard, many| {
        let targets = counters(&session, shard, ACTORS);
        outstanding(&session, &WORKLOAD, &caller, &targets, many)
    };
    let local = to(0, 64)?;
    let across = to(1, 256)?;
    let ran = session.end();
    Ok(ran
        .report(&WORKLOAD, &local)
        .figure("ask_ns", local.mean_ns())
        .figure("cross_asks_per_s_256", across.per_s()))
}
