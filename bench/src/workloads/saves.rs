//! 64 actors that save 100 bytes each, as fast as saves are acknowledged, and are called asleep:
//! what all `durable` workloads do, wherever states are kept.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quark::prelude::*;
use quark::{StateError, Store};
use quark_shards::sleep::yield_now;
use serde::{Deserialize, Serialize};

use super::{Setup, Workload};
use crate::cli::Idle;
use crate::clock::Clock;
use crate::error::Error;
use crate::floors::{Floor, Interleaved};
use crate::latency::Latency;
use crate::launch::{Needs, PATIENCE, Plan, Ran, Session, keys_on};
use crate::pace::{Goal, Measured, Pace};
use crate::report::Report;

/// Actors that save beside each other, on all shards together.
pub(crate) const SAVERS: usize = 64;
/// Bytes of a state's text.
pub(crate) const BYTES: usize = 100;
/// Runs that count, with the floor before, between and after them: disks and rented machines
/// change their minds within seconds.
const PARTS: usize = 5;
/// The run before those goes no further: it warms up, and shows a log's floor what to write.
const FIRST_SAVES: u64 = 20_000;
const FIRST_TIME: Duration = Duration::from_millis(500);
/// Loads of an actor's state that are timed.
const LOADS: u64 = 20_000;
const LOADS_TIME: Duration = Duration::from_secs(3);
/// Saves after which others get their turn, where none has to be waited for.
const TURN: u64 = 64;
const USUAL: Goal = Goal::Time(Duration::from_secs(3));
const NEEDS: Needs = Needs {
    shards: 1,
    idle: Idle::Adaptive,
};

/// What keeps states, and what it is held against.
pub(super) trait Keeper {
    /// A store for part `part` of the run; 0 is the one that does not count.
    fn store(&self, part: usize) -> Store;

    /// The floor, taken after part `part` and not much longer than `pace`.
    fn floor(&self, part: usize, pace: Pace) -> Result<Option<Floor>, Error> {
        let _ = (part, pace);
        Ok(None)
    }

    /// `report`, with what there is to tell after part `part`, the last.
    fn told(&self, part: usize, report: Report) -> Result<Report, Error> {
        let _ = part;
        Ok(report)
    }
}

/// Runs `workload` on `keeper`: part and floor by turns.
pub(super) fn measure(
    workload: &'static Workload,
    setup: &Setup,
    keeper: &dyn Keeper,
) -> Result<Report, Error> {
    let pace = || {
        let clock = Clock::new();
        Pace::new(&clock, &setup.interrupt, &setup.options, USUAL).in_parts(PARTS)
    };
    let first = |pace: Pace| pace.at_most(FIRST_SAVES).no_longer_than(FIRST_TIME);
    run(workload, setup, keeper.store(0), first, false)?;
    let mut sides = Interleaved::begin(keeper.floor(0, pace())?);
    let (mut count, mut elapsed, mut saves) = (0, Duration::ZERO, Latency::new());
    let mut last = None;
    for part in 1..=PARTS {
        let store = keeper.store(part);
        let outcome = run(workload, setup, store, |pace| pace, part == PARTS)?;
        count += outcome.saved.count;
        elapsed += outcome.saved.elapsed();
        saves.merge(&outcome.saves);
        sides.then(outcome.saved.per_s(), keeper.floor(part, pace())?);
        last = Some(outcome);
    }
    let Some(Outcome { ran, loads, .. }) = last else {
        unreachable!("there are parts");
    };
    let mut report = ran.report_of(workload, count, elapsed).latency(&saves);
    if let Some(sides) = sides.end().filter(|_| count > 0) {
        report = report.beside(sides);
    }
    if let Some(summary) = loads.summary() {
        report = report
            .part("load", loads)
            .figure("load_p50_us", summary.p50 as f64 / 1e3)
            .figure("load_p99_us", summary.p99 as f64 / 1e3);
    }
    keeper.told(PARTS, report)
}

/// How `workload` will run.
pub(super) fn plan<'a>(workload: &Workload, setup: &'a Setup) -> Result<Plan<'a>, Error> {
    Plan::new(workload.name, setup, NEEDS)
}

/// What a saver keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Text {
    text: String,
}

/// How long saves took on one shard. One for all its savers: each with a histogram of its own would
/// spend a tenth of the run in touching their memory for the first time.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Arc<Mutex<Latency>>);

impl Latencies {
    fn new() -> Self {
        let mut latency = Latency::new();
        // Touches its memory.
        latency.clear();
        Latencies(Arc::new(Mutex::new(latency)))
    }

    fn record(&self, ns: u64) {
        self.lock().record(ns);
    }

    fn lock(&self) -> MutexGuard<'_, Latency> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a text.
#[derive(Debug, Default, Stateful)]
pub(crate) struct Saver {
    #[state]
    kept: State<Text>,
}

#[actor(name = "bench.saver")]
impl Saver {
    /// Saves another text each time, the next when the last is durable; the first does not count.
    pub async fn save(&mut self, pace: Pace, latencies: Latencies, end: Sender<Measured>) {
        // Awake, and known to the store: what comes first once costs more.
        self.write(0);
        let first = self.kept.save().await;
        let mut laps = pace.start();
        if let Err(error) = first {
            laps.fail(&error);
        }
        let clock = laps.clock();
        let mut number = 0;
        while laps.next(1).is_some() {
            number += 1;
            self.write(number);
            let begun = clock.now();
            let saved = self.kept.save().await;
            latencies.record(clock.now() - begun);
            if let Err(error) = saved {
                laps.fail(&error);
            }
            if number % TURN == 0 {
                yield_now().await;
            }
        }
        // Whoever waits for it may have given up.
        let _ = end.send(laps.end());
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
        // Cheaper than formatting, which is not what is measured.
        let mut digits = [b'0'; BYTES];
        let mut left = number;
        for digit in digits.iter_mut().rev() {
            if left == 0 {
                break;
            }
            *digit += (left % 10) as u8;
            left /= 10;
        }
        self.kept.text.clear();
        let digits = str::from_utf8(&digits).expect("digits are text");
        self.kept.text.push_str(digits);
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

/// What one part came to.
struct Outcome {
    ran: Ran,
    saved: Measured,
    saves: Latency,
    loads: Latency,
}

/// Saves, and loads if `loads`, on an engine of its own.
fn run(
    workload: &'static Workload,
    setup: &Setup,
    store: Store,
    pace: impl FnOnce(Pace) -> Pace,
    loads: bool,
) -> Result<Outcome, Error> {
    let session = plan(workload, setup)?.launch_with(|builder| builder.store(store))?;
    let engine = &session.engine;
    let share = SAVERS.div_ceil(usize::from(engine.shards()));
    let home = |key: u64| engine.home_of::<Saver>(key);
    let savers: Vec<(SaverRef, u16)> = (0..engine.shards())
        .flat_map(|shard| keys_on(shard, share, home))
        .take(SAVERS)
        .map(|key| (engine.actor::<Saver>(key), home(key)))
        .collect();
    let pace = pace(session.pace(USUAL).in_parts(PARTS));
    let (saved, saves) = save(workload, &session, &savers, &pace)?;
    let mut loaded = Latency::new();
    if loads && saved.count > 0 {
        let savers = savers.into_iter().map(|(saver, _)| saver).collect();
        loaded = load(&session, savers)?;
    }
    Ok(Outcome {
        ran: session.end(),
        saved,
        saves,
        loads: loaded,
    })
}

fn load(session: &Session<'_>, savers: Vec<SaverRef>) -> Result<Latency, Error> {
    let pace = session.pace(Goal::Units(LOADS)).at_most(LOADS);
    let loader = session.engine.actor::<Loader>(0_u64);
    let call = loader.load(savers, pace.no_longer_than(LOADS_TIME));
    let (loaded, latency) = session.answered(call.timeout(PATIENCE).wait())?;
    session.sound(loaded)?;
    Ok(latency)
}

fn save(
    workload: &Workload,
    session: &Session<'_>,
    savers: &[(SaverRef, u16)],
    pace: &Pace,
) -> Result<(Measured, Latency), Error> {
    let share = pace.shared(savers.len() as u64);
    let latencies: Vec<Latencies> = (0..session.engine.shards())
        .map(|_| Latencies::new())
        .collect();
    let (end, ends) = mpsc::channel();
    for (saver, home) in savers {
        let latencies = latencies[usize::from(*home)].clone();
        session.answered(saver.save(share.clone(), latencies, end.clone()).tell())?;
    }
    drop(end);
    pace.watched(workload.name, || {
        let measured = session.gathered(&ends, savers.len())?;
        let mut all = Latency::new();
        for one in &latencies {
            all.merge(&one.lock());
        }
        Ok((measured, all))
    })
}
