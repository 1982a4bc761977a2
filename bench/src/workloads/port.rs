//! `port`: a plain thread on its own core asks one shard through a port.

use std::hint::black_box;
use std::time::Duration;

use super::asks::counters;
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::{Cores, Kind};
use crate::latency::{Latency, Schedule};
use crate::launch::{Needs, Plan, Session, close};
use crate::pace::{Goal, Laps, Measured};
use crate::report::Report;
use crate::workloads::actors::CounterRef;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "port",
    about: "A plain thread on its own core asks one shard through a port.",
    unit: "asks",
    floor: Some(Kind::CacheLine.name()),
    run: port,
};

const USUAL: Goal = Goal::Time(Duration::from_millis(700));
const BATCH: u64 = 1_024;
const WARM_UP: u64 = 2_000;

fn port(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 1,
        idle: Idle::Spin,
    };
    let plan = Plan::new(WORKLOAD.name, setup, needs)?;
    let cores = plan.cores();
    let floor = plan.floor(Kind::CacheLine)?;
    let session = plan.launch()?;
    let target = counters(&session, 0, 1)[0].clone();
    // A thread of its own: what is pinned stays pinned, and the port goes with it.
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&session, &target, cores, setup.options.rate));
        asking
            .join()
            .unwrap_or_else(|_| Err(session.error("the asking thread panicked".to_owned())))
    });
    let Asked { mean, latency } = asked?;
    let ran = session.end();
    let report = ran.report(&WORKLOAD, &mean).latency(&latency);
    let p50 = latency.summary().map_or(0.0, |summary| summary.p50 as f64);
    let report = match close(floor)? {
        Some(floor) => report.against(floor, p50),
        None => report,
    };
    Ok(match setup.options.rate {
        Some(per_s) => report.figure("asked_rate_per_s", per_s),
        None => report
            .mean(mean.mean_ns())
            .figure("batch_median_ns", mean.median_ns()),
    })
}

struct Asked {
    mean: Measured,
    latency: Latency,
}

fn ask(
    session: &Session<'_>,
    target: &CounterRef,
    cores: Option<Cores>,
    rate: Option<f64>,
) -> Result<Asked, Error> {
    if let Some(Cores { second, .. }) = cores {
        session.answered(quark_numa::pin_current_thread(second))?;
    }
    let _port = session.answered(session.engine.port())?;
    for _ in 0..WARM_UP {
        session.answered(target.add(1).wait())?;
    }
    let pace = session.pace(USUAL);
    let mut latency = Latency::new();
    if let Some(per_s) = rate {
        let laps = pace.clone().start();
        let mean = pace.watched(WORKLOAD.name, || open(laps, target, per_s, &mut latency));
        return Ok(Asked {
            mean: session.sound(mean)?,
            latency,
        });
    }
    let mut laps = pace.clone().start();
    let mean = pace.watched(WORKLOAD.name, || {
        while let Some(lap) = laps.next(BATCH) {
            for _ in 0..lap {
                if let Err(error) = black_box(target.add(black_box(1)).wait()) {
                    laps.fail(&error);
                }
            }
        }
        laps.end()
    });
    let mean = session.sound(mean)?;
    let pace = session.pace(USUAL);
    let mut laps = pace.clone().start();
    let clock = laps.clock();
    let stamped = pace.watched(WORKLOAD.name, || {
        while let Some(lap) = laps.next(BATCH) {
            for _ in 0..lap {
                let begun = clock.now();
                let answer = black_box(target.add(black_box(1)).wait());
                latency.record(clock.now() - begun);
                if let Err(error) = answer {
                    laps.fail(&error);
                }
            }
        }
        laps.end()
    });
    session.sound(stamped)?;
    Ok(Asked { mean, latency })
}

/// Asks on a schedule that no late answer puts off.
fn open(mut laps: Laps, target: &CounterRef, per_s: f64, latency: &mut Latency) -> Measured {
    let clock = laps.clock();
    let schedule = Schedule::new(clock.now(), per_s);
    let mut index = 0;
    while laps.next(1).is_some() {
        while clock.now() < schedule.due(index) {
            std::hint::spin_loop();
        }
        let answer = black_box(target.add(black_box(1)).wait());
        latency.record(schedule.latency(index, clock.now()));
        index += 1;
        if let Err(error) = answer {
            laps.fail(&error);
        }
    }
    laps.end()
}
