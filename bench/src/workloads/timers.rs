//! `timers`: 1 M armed timers: what arm and cancel cost, and jitter at 100 k firings/s.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::mpsc::{self, Sender};
use std::task::Waker;
use std::time::Duration;

use quark::Time;
use quark::prelude::*;
use quark_shards::current::with_current;
use quark_shards::shard::Shard;
use quark_shards::sleep::yield_now;

use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::latency::Latency;
use crate::launch::{Needs, PATIENCE, Plan};
use crate::pace::{Goal, Measured, Pace};
use crate::report::Report;
use crate::rng::Rng;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "timers",
    about: "1 M armed timers: what arm and cancel cost, and jitter at 100 k firings/s.",
    unit: "firings",
    floor: None,
    run: timers,
};

const ARMED: u64 = 1_000_000;
const FIRINGS_PER_S: f64 = 100_000.0;
/// Turns that sleep and wake; each fires at its share of the rate.
const SLEEPERS: u64 = 1_000;
/// From the last preparation to the first firing.
const HEAD_START: Duration = Duration::from_millis(20);
const ARM_AND_CANCEL: Goal = Goal::Time(Duration::from_millis(500));
const FIRE: Goal = Goal::Time(Duration::from_secs(2));
/// Timers armed and cancelled between two readings of the clock.
const BATCH: u64 = 1_024;
/// Between two looks whether a sleeper has done enough.
const FEW: u64 = 16;

/// Works the wheel of its shard.
#[derive(Debug, Default)]
pub(crate) struct Clockwork {
    late: RefCell<Latency>,
}

#[actor(name = "bench.clockwork", pinned = 0)]
impl Clockwork {
    /// Arms `count` timers, due in one to two hours.
    pub async fn arm(&mut self, cx: &Cx<Self>, count: u64, seed: u64) -> u64 {
        let mut rng = Rng::new(seed);
        let base = cx.now() + Duration::from_secs(3_600);
        let mut armed = 0;
        while armed < count {
            for _ in 0..BATCH.min(count - armed) {
                let due = base + Duration::from_nanos(rng.below(3_600_000_000_000));
                here(|shard| shard.timers().arm(due, Waker::noop().clone()));
                armed += 1;
            }
            yield_now().await;
        }
        here(|shard| shard.timers().armed() as u64)
    }

    /// Arms one timer more, and cancels it, again and again.
    pub async fn arm_and_cancel(&mut self, cx: &Cx<Self>, pace: Pace, seed: u64) -> Measured {
        let mut rng = Rng::new(seed);
        let base = cx.now() + Duration::from_secs(60);
        let dues: Vec<Time> = (0..BATCH)
            .map(|_| base + Duration::from_nanos(rng.below(60_000_000_000)))
            .collect();
        let mut laps = pace.start();
        while let Some(lap) = laps.next(BATCH) {
            for due in &dues[..lap as usize] {
                here(|shard| {
                    let timer = shard.timers().arm(*due, Waker::noop().clone());
                    black_box(shard.timers().cancel(black_box(timer)));
                });
            }
        }
        laps.end()
    }

    /// The time on this shard's clock.
    pub fn time(&self, cx: &Cx<Self>) -> Time {
        cx.now()
    }

    /// Wakes at `first` and every `period` from there, and records how late.
    pub async fn fire(&self, first: Time, period: Duration, pace: Pace, end: Sender<Measured>) {
        let mut due = first;
        here(|shard| shard.sleep_until(due)).await;
        let mut laps = pace.start();
        while let Some(lap) = laps.next(FEW) {
            for _ in 0..lap {
                due = due + period;
                here(|shard| shard.sleep_until(due)).await;
                let late = here(Shard::read_clock) - due;
                let late = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
                self.late.borrow_mut().record(late);
            }
        }
        // Whoever waits for it may have given up.
        let _ = end.send(laps.end());
    }

    /// How late the firings were.
    pub fn lateness(&mut self) -> Latency {
        self.late.take()
    }
}

fn timers(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 1,
        idle: Idle::Spin,
    };
    let session = Plan::new(WORKLOAD.name, setup, needs)?.launch()?;
    let seed = setup.options.seed;
    let clockwork = session.engine.actor::<Clockwork>(0_u64);
    let armed = session.answered(clockwork.arm(ARMED, seed).timeout(PATIENCE).wait())?;
    let pace = session.pace(ARM_AND_CANCEL);
    let cost = pace.watched(WORKLOAD.name, || {
        let call = clockwork.arm_and_cancel(pace.clone(), seed);
        session.answered(call.timeout(PATIENCE).wait())
    })?;
    let cost = session.sound(cost)?;

    let per_s = setup.options.rate.unwrap_or(FIRINGS_PER_S);
    let gap = Duration::from_secs_f64(1.0 / per_s);
    let period = Duration::from_secs_f64(SLEEPERS as f64 / per_s);
    let first = session.answered(clockwork.time().wait())? + HEAD_START;
    let pace = session.pace(FIRE);
    let share = pace.shared(SLEEPERS);
    let (end, ends) = mpsc::channel();
    for sleeper in 0..SLEEPERS {
        let first = first + gap * sleeper as u32;
        let told = clockwork
            .fire(first, period, share.clone(), end.clone())
            .tell();
        session.answered(told)?;
    }
    drop(end);
    let fired = pace.watched(WORKLOAD.name, || session.gathered(&ends, SLEEPERS as usize))?;
    let late = session.answered(clockwork.lateness().wait())?;
    let ran = session.end();
    let us = |ns: u64| ns as f64 / 1e3;
    let (p50, p99) = late
        .summary()
        .map_or((0, 0), |summary| (summary.p50, summary.p99));
    Ok(ran
        .report(&WORKLOAD, &fired)
        .latency(&late)
        .figure("armed", armed)
        .figure("arm_cancel_ns", cost.median_ns())
        .figure("arm_cancel_mean_ns", cost.mean_ns())
        .figure("jitter_p50_us", us(p50))
        .figure("jitter_p99_us", us(p99)))
}

/// Runs `f` on the shard of the turn that is being polled.
#[inline]
fn here<R>(f: impl FnOnce(&Shard) -> R) -> R {
    with_current(|shard| f(shard.expect("turns are polled on a shard")))
}
