//! `idle`: the CPU an idle engine uses in 2 s.

use std::thread;
use std::time::Duration;

use super::asks::counters;
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::cpu_time;
use crate::error::Error;
use crate::launch::{Needs, Plan};
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "idle",
    about: "The CPU an idle engine uses in 2 s.",
    unit: "asks",
    floor: None,
    run: idle,
};

const USUAL: Duration = Duration::from_secs(2);
/// Time for the shards to fall asleep after the last ask.
const SETTLE: Duration = Duration::from_millis(100);
/// Between two looks whether the time is over: rare enough to cost nothing.
const LOOK: Duration = Duration::from_millis(50);

fn idle(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 1,
        idle: Idle::Adaptive,
    };
    // An engine as users have it: a shard on every core, and actors that sleep on each.
    let session = Plan::on_all_cores(WORKLOAD.name, setup, needs)?.launch()?;
    for shard in 0..session.engine.shards() {
        session.answered(counters(&session, shard, 1)[0].add(1).wait())?;
    }
    thread::sleep(SETTLE);
    let pace = session.time(USUAL);
    let used = cpu_time::process();
    let measured = pace.watched(WORKLOAD.name, || {
        let mut laps = pace.clone().start();
        while laps.next(u64::MAX).is_some() {
            laps.nothing_done();
            thread::sleep(LOOK);
        }
        laps.end()
    });
    let used = cpu_time::process() - used;
    let percent = cpu_time::percent(used, measured.elapsed());
    let ran = session.end();
    Ok(ran
        .report(&WORKLOAD, &measured)
        .figure("cpu_percent", percent))
}
