//! `recover`: how long a launch takes that finds a million states of 100 bytes in the logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use quark::Store;
use quark::prelude::*;

use super::saves::{BYTES, Saver};
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::median;
use crate::interrupt::Interrupt;
use crate::launch::{Needs, PATIENCE, Plan, Session, keys_on};
use crate::progress::Progress;
use crate::report::Report;
use crate::scratch::Scratch;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "recover",
    about: "A launch that finds 1 M states of 100 bytes, less one that finds none.",
    unit: "keys",
    floor: None,
    run: recover,
};

const KEYS: u64 = 1_000_000;
/// Saves under way from each shard while the states are written.
const WRITERS: u64 = 512;
/// Launches of either kind, of which the middle one counts.
const LAUNCHES: usize = 3;
/// States that are looked at, at the end.
const LOOKS: u64 = 100;
const NEEDS: Needs = Needs {
    shards: 1,
    idle: Idle::Adaptive,
};

/// Keys that are still to be written.
#[derive(Debug)]
pub(crate) struct Left {
    next: AtomicU64,
    end: u64,
    interrupt: Interrupt,
}

impl Left {
    fn take(&self) -> Option<u64> {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        (key < self.end && !self.interrupt.is_set()).then_some(key)
    }
}

/// Has states written.
#[derive(Debug, Default)]
pub(crate) struct Writer;

#[actor(name = "bench.writer")]
impl Writer {
    /// Writes one state after the other, beside other such turns; says at the end how many.
    pub async fn write(&self, cx: &Cx<Self>, left: Arc<Left>, end: Sender<Result<u64, String>>) {
        let mut written = Ok(0);
        while let (Ok(count), Some(key)) = (&mut written, left.take()) {
            match cx.actor::<Saver>(key).keep(key).timeout(PATIENCE).await {
                Ok(()) => *count += 1,
                Err(error) => written = Err(error.to_string()),
            }
        }
        // Whoever waits for it may have given up.
        let _ = end.send(written);
    }
}

fn recover(setup: &Setup) -> Result<Report, Error> {
    let scratch = Scratch::new(setup.options.dir.as_deref())?;
    let session = launch(setup, scratch.store("log"))?.0;
    let keys = write_all(setup, &session)?;
    let _ = session.end();

    let mut empty = Vec::new();
    for name in ["one", "two", "three"].into_iter().take(LAUNCHES) {
        let (session, took) = launch(setup, scratch.store(name))?;
        let _ = session.end();
        empty.push(took.as_secs_f64());
    }
    let mut whole = Vec::new();
    let mut ran = None;
    for _ in 0..LAUNCHES {
        let (session, took) = launch(setup, scratch.store("log"))?;
        whole.push(took.as_secs_f64());
        look(&session, keys)?;
        ran = Some(session.end());
    }
    let Some(ran) = ran else {
        unreachable!("it was launched more than once");
    };
    let (whole, empty) = (median(whole), median(empty));
    let seconds = (whole - empty).max(0.0);
    let elapsed = Duration::from_secs_f64(seconds);
    Ok(ran
        .report_of(&WORKLOAD, keys, elapsed)
        .figure("key_ns", seconds * 1e9 / keys.max(1) as f64)
        .figure("launch_ms", whole * 1e3)
        .figure("empty_launch_ms", empty * 1e3))
}

/// Launches with `store`; says how long that took.
fn launch(setup: &Setup, store: Store) -> Result<(Session<'_>, Duration), Error> {
    let plan = Plan::new(WORKLOAD.name, setup, NEEDS)?;
    let clock = crate::clock::Clock::new();
    let begun = clock.now();
    let session = plan.launch_with(|builder| builder.store(store))?;
    let took = Duration::from_nanos(clock.now() - begun);
    Ok((session, took))
}

/// Writes the states; says how many.
fn write_all(setup: &Setup, session: &Session<'_>) -> Result<u64, Error> {
    let engine = &session.engine;
    let left = Arc::new(Left {
        next: AtomicU64::new(0),
        end: setup.options.count.unwrap_or(KEYS),
        interrupt: setup.interrupt.clone(),
    });
    let (end, ends) = mpsc::channel();
    for shard in 0..engine.shards() {
        let key = keys_on(shard, 1, |key| engine.home_of::<Writer>(key))[0];
        let writer = engine.actor::<Writer>(key);
        for _ in 0..WRITERS {
            session.answered(writer.write(left.clone(), end.clone()).tell())?;
        }
    }
    drop(end);
    let reached = || left.next.load(Ordering::Relaxed).min(left.end);
    Progress::beside(WORKLOAD.name, left.end, reached, || {
        let mut all = 0;
        while let Ok(written) = ends.recv_timeout(PATIENCE) {
            all += session.answered(written)?;
        }
        if !session.is_interrupted() {
            session.expect("states were written", left.end, all)?;
        }
        Ok(all)
    })
}

/// Looks at some of the states.
fn look(session: &Session<'_>, keys: u64) -> Result<(), Error> {
    for number in 0..LOOKS.min(keys) {
        let saver = session
            .engine
            .actor::<Saver>(number * keys / LOOKS.min(keys));
        let len = session.answered(saver.len().wait())?;
        session.expect("bytes were found", BYTES as u64, len as u64)?;
    }
    Ok(())
}
