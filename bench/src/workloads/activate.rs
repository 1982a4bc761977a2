//! `activate`: first calls to 1 M distinct keys, and the memory an idle actor keeps.

use std::hint::black_box;

use quark::prelude::*;

use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::latency::Latency;
use crate::launch::{Needs, PATIENCE, Plan, Session};
use crate::memory;
use crate::pace::{Goal, Measured, Pace};
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "activate",
    about: "First calls to 1 M distinct keys, and the memory an idle actor keeps.",
    unit: "activations",
    floor: None,
    run: activate,
};

const KEYS: u64 = 1_000_000;
/// A run by time stops here, before it fills the machine.
const MOST_KEYS: u64 = 10_000_000;
/// Keys of the stamped loop.
const STAMPED_KEYS: u64 = 200_000;
/// Activations between two readings of the clock.
const BATCH: u64 = 1_000;
/// Touched before anything is timed: more than a million actors take.
const TOUCHED: usize = 1 << 30;
const TOUCHED_PER_KEY: usize = 1 << 10;
const NEEDS: Needs = Needs {
    shards: 1,
    idle: Idle::Spin,
};

/// An actor of eight bytes.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    asked: u64,
}

#[actor(name = "bench.leaf", pinned = 0)]
impl Leaf {
    /// Goes to sleep at once.
    pub fn leave(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }

    /// Counts the calls.
    pub fn touch(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }
}

/// Calls leaves, each for the first time.
#[derive(Debug, Default)]
pub(crate) struct Starter {
    /// The first key that nobody has called yet.
    fresh: u64,
}

#[actor(name = "bench.starter", pinned = 0)]
impl Starter {
    /// Calls one new leaf after the other.
    pub async fn start(&mut self, cx: &Cx<Self>, pace: Pace) -> Measured {
        let mut laps = pace.start();
        while let Some(lap) = laps.next(BATCH) {
            for _ in 0..lap {
                let leaf = cx.actor::<Leaf>(self.fresh);
                self.fresh += 1;
                match black_box(leaf.touch().await) {
                    Ok(1) => {}
                    Ok(_) => laps.fail(&"the key was not new"),
                    Err(error) => laps.fail(&error),
                }
            }
        }
        laps.end()
    }

    /// Puts all leaves called so far to sleep: their memory stays with the shard, touched.
    pub async fn clear(&self, cx: &Cx<Self>) -> Result<(), CallError> {
        for key in 0..self.fresh {
            cx.actor::<Leaf>(key).leave().await?;
        }
        Ok(())
    }

    /// The same with the clock read before and after each call.
    pub async fn start_stamped(&mut self, cx: &Cx<Self>, pace: Pace) -> (Measured, Latency) {
        let mut latency = Latency::new();
        let mut laps = pace.start();
        let clock = laps.clock();
        while let Some(lap) = laps.next(BATCH) {
            for _ in 0..lap {
                let begun = clock.now();
                let leaf = cx.actor::<Leaf>(self.fresh);
                let answer = black_box(leaf.touch().await);
                latency.record(clock.now() - begun);
                self.fresh += 1;
                if let Err(error) = answer {
                    laps.fail(&error);
                }
            }
        }
        (laps.end(), latency)
    }
}

fn activate(setup: &Setup) -> Result<Report, Error> {
    let session = Plan::new(WORKLOAD.name, setup, NEEDS)?.launch()?;
    let bytes = bytes_per_idle_actor(&session)?;
    let _ = session.end();
    let needed = setup.options.count.unwrap_or(KEYS);
    memory::touch(
        (needed as usize)
            .saturating_mul(TOUCHED_PER_KEY)
            .min(TOUCHED),
    );

    let session = Plan::new(WORKLOAD.name, setup, NEEDS)?.launch()?;
    let starter = session.engine.actor::<Starter>(0_u64);
    // The host is slow to give memory: as many actors live and leave first, so that the ones
    // that are timed find it touched.
    let pace = session.pace(Goal::Units(needed)).at_most(MOST_KEYS);
    session.sound(session.answered(starter.start(pace).timeout(PATIENCE).wait())?)?;
    session.answered(starter.clear().timeout(PATIENCE).wait())?;
    let pace = session.pace(Goal::Units(KEYS)).at_most(MOST_KEYS);
    let measured = pace.watched(WORKLOAD.name, || {
        let call = starter.start(pace.clone()).timeout(PATIENCE);
        session.answered(call.wait())
    })?;
    let measured = session.sound(measured)?;
    let pace = session
        .pace(Goal::Units(STAMPED_KEYS))
        .at_most(STAMPED_KEYS);
    let call = starter.start_stamped(pace).timeout(PATIENCE);
    let (stamped, latency) = session.answered(call.wait())?;
    session.sound(stamped)?;
    let ran = session.end();
    let p99 = latency.summary().map_or(0, |summary| summary.p99);
    let mut report = ran
        .report(&WORKLOAD, &measured)
        .latency(&latency)
        .mean(measured.mean_ns())
        .figure("batch_median_ns", measured.median_ns())
        .figure("first_ask_p99_us", p99 as f64 / 1e3);
    if let Some(bytes) = bytes {
        report = report.figure("bytes_per_idle_actor", bytes);
    }
    Ok(report)
}

/// Resident bytes of an idle actor beyond its own state; `None` when the run was interrupted.
///
/// Measured from the second so many actors on: the first use up what the process holds free.
fn bytes_per_idle_actor(session: &Session<'_>) -> Result<Option<f64>, Error> {
    let starter = session.engine.actor::<Starter>(0_u64);
    let grow = || {
        let pace = session.pace(Goal::Units(KEYS)).at_most(KEYS);
        let call = starter.start(pace).timeout(PATIENCE);
        session.sound(session.answered(call.wait())?)
    };
    grow()?;
    let before = memory::resident();
    let grown = grow()?.count;
    let bytes = memory::resident().saturating_sub(before);
    if session.is_interrupted() || grown == 0 {
        return Ok(None);
    }
    Ok(Some(bytes as f64 / grown as f64 - size_of::<Leaf>() as f64))
}
