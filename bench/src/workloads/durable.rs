//! `durable`: 64 actors save 100 bytes each, as fast as saves are acknowledged, to a log on disk.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use quark::StateError;
use quark::prelude::*;
use quark_storage::embedded::BatchSize;
use serde::{Deserialize, Serialize};

use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::{Bracketed, Floor, disk};
use crate::latency::Latency;
use crate::launch::{Needs, PATIENCE, Plan, Ran, Session, keys_on};
use crate::pace::{Goal, Measured, Pace};
use crate::report::Report;
use crate::scratch::Scratch;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "durable",
    about: "64 actors save 100 bytes each to a log on disk, as fast as it is durable.",
    unit: "saves",
    floor: Some(disk::NAME),
    run: durable,
};

/// Actors that save beside each other, on all shards together.
const SAVERS: usize = 64;
/// Loads of an actor's state that are timed.
const LOADS: u64 = 20_000;
/// Saves of the run before the one that counts: it shows which batches the floor is to write.
const FIRST_SAVES: u64 = 20_000;
/// Bytes of a state's text.
pub(super) const BYTES: usize = 100;
const USUAL: Goal = Goal::Time(Duration::from_secs(3));
const NEEDS: Needs = Needs {
    shards: 1,
    idle: Idle::Adaptive,
};

/// What a saver keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Text {
    text: String,
}

/// Keeps a text.
#[derive(Debug, Default, Stateful)]
pub(crate) struct Saver {
    #[state]
    kept: State<Text>,
}

#[actor(name = "bench.saver")]
impl Saver {
    /// Saves another text each time, the next when the last is durable.
    pub async fn save(&mut self, pace: Pace, end: Sender<(Measured, Latency)>) {
        let mut latency = Latency::new();
        let mut laps = pace.start();
        let clock = laps.clock();
        let mut number = 0;
        while laps.next(1).is_some() {
            number += 1;
            self.write(number);
            let begun = clock.now();
            let saved = self.kept.save().await;
            latency.record(clock.now() - begun);
            if let Err(error) = saved {
                laps.fail(&error);
            }
        }
        // Whoever waits for it may have given up.
        let _ = end.send((laps.end(), latency));
    }

    /// Saves a text, and goes to sleep.
    pub async fn keep(&mut self, cx: &Cx<Self>, number: u64) -> Result<(), StateError> {
        self.write(number);
        self.kept.save().await?;
        cx.deactivate();
        Ok(())
    }

    /// Goes to sleep.
    pub fn leave(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }

    /// How long the text is that it has.
    pub fn len(&self) -> usize {
        self.kept.text.len()
    }
}

impl Saver {
    fn write(&mut self, number: u64) {
        self.kept.text.clear();
        // Memory takes all that is written to it.
        let _ = write!(self.kept.text, "{number:0BYTES$}");
    }
}

/// Calls savers that sleep.
#[derive(Debug, Default)]
pub(crate) struct Loader;

#[actor(name = "bench.loader", pinned = 0)]
impl Loader {
    /// Puts one saver after the other to sleep and calls it: what the call takes, its state's load
    /// included.
    pub async fn load(&self, savers: Vec<SaverRef>, pace: Pace) -> (Measured, Latency) {
        let mut latency = Latency::new();
        let mut laps = pace.start();
        let clock = laps.clock();
        let mut all = savers.iter().cycle();
        while let (Some(_), Some(saver)) = (laps.next(1), all.next()) {
            if let Err(error) = saver.leave().await {
                laps.fail(&error);
            }
            let begun = clock.now();
            let found = black_box(saver.len().await);
            latency.record(clock.now() - begun);
            match found {
                Ok(BYTES) => {}
                Ok(_) => laps.fail(&"what was saved is not there"),
                Err(error) => laps.fail(&error),
            }
        }
        (laps.end(), latency)
    }
}

/// What one run came to.
struct Outcome {
    ran: Ran,
    saved: Measured,
    saves: Latency,
    loads: Latency,
    batches: Vec<BatchSize>,
}

fn durable(setup: &Setup) -> Result<Report, Error> {
    let scratch = Scratch::new(setup.options.dir.as_deref())?;
    let core = Plan::new(WORKLOAD.name, setup, NEEDS)?
        .cores()
        .map(|cores| cores.first);
    let floor = |batches: &[BatchSize]| disk::saves_per_s(core, scratch.path(), batches);
    let first = run(setup, &scratch, "first", Some(FIRST_SAVES))?;
    let before = floor(&first.batches)?;
    let outcome = run(setup, &scratch, "log", None)?;
    let after = floor(&outcome.batches)?;
    Ok(report(outcome, before, &after))
}

fn report(outcome: Outcome, before: Floor, after: &Floor) -> Report {
    let Outcome {
        ran,
        saved,
        saves,
        loads,
        batches,
    } = outcome;
    let records: u64 = batches.iter().map(|batch| u64::from(batch.records)).sum();
    let mut report = ran.report(&WORKLOAD, &saved).latency(&saves);
    if before.value > 0.0 && after.value > 0.0 {
        report = report.against(Bracketed::of(before, after), saved.per_s());
    }
    let p99 = loads.summary().map_or(0, |summary| summary.p99);
    report
        .part("load", loads)
        .figure("load_p99_us", p99 as f64 / 1e3)
        .figure(
            "saves_per_batch",
            records as f64 / batches.len().max(1) as f64,
        )
}

/// Saves and loads, with a log of its own in the folder `name`.
fn run(setup: &Setup, scratch: &Scratch, name: &str, most: Option<u64>) -> Result<Outcome, Error> {
    let session = Plan::new(WORKLOAD.name, setup, NEEDS)?
        .launch_with(|builder| builder.store(scratch.store(name)))?;
    let engine = &session.engine;
    let share = SAVERS.div_ceil(usize::from(engine.shards()));
    let savers: Vec<SaverRef> = (0..engine.shards())
        .flat_map(|shard| keys_on(shard, share, |key| engine.home_of::<Saver>(key)))
        .take(SAVERS)
        .map(|key| engine.actor::<Saver>(key))
        .collect();
    let pace = session.pace(USUAL).at_most(most.unwrap_or(u64::MAX));
    let (saved, saves) = save(&session, &savers, &pace)?;
    let mut loads = Latency::new();
    if most.is_none() && saved.count > 0 {
        let pace = session.pace(Goal::Units(LOADS)).at_most(LOADS);
        let loader = engine.actor::<Loader>(0_u64);
        let call = loader.load(savers, pace).timeout(PATIENCE);
        let (loaded, latency) = session.answered(call.wait())?;
        session.sound(loaded)?;
        loads = latency;
    }
    Ok(Outcome {
        ran: session.end(),
        saved,
        saves,
        loads,
        batches: scratch.batches(name)?,
    })
}

fn save(
    session: &Session<'_>,
    savers: &[SaverRef],
    pace: &Pace,
) -> Result<(Measured, Latency), Error> {
    let share = pace.shared(savers.len() as u64);
    let (end, ends) = mpsc::channel();
    for saver in savers {
        session.answered(saver.save(share.clone(), end.clone()).tell())?;
    }
    drop(end);
    pace.watched(WORKLOAD.name, || {
        let mut latency = Latency::new();
        let (part, parts) = mpsc::channel();
        for _ in savers {
            let Ok((measured, one)) = ends.recv_timeout(PATIENCE) else {
                break;
            };
            latency.merge(&one);
            let _ = part.send(measured);
        }
        drop(part);
        Ok((session.gathered(&parts, savers.len())?, latency))
    })
}
