//! The actors that several workloads share: one that counts, and one that calls it.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use quark::prelude::*;
use quark_shards::sleep::yield_now;

use crate::clock::Clock;
use crate::latency::{Latency, Schedule};
use crate::pace::{Measured, Pace};

/// Units between two readings of the clock.
const BATCH: u64 = 4_096;
/// The same where a unit crosses cores, or many loops run beside each other.
const SMALL_BATCH: u64 = 256;
/// Asks before a loop is measured: actors are activated, caches warm, slabs grown.
const WARM_UP: u64 = 2_000;
/// A loop that is due in less than this looks at the clock instead of sleeping.
const CLOSE: Duration = Duration::from_micros(50);

/// Counts what it is told.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    count: u64,
}

#[actor(name = "bench.counter")]
impl Counter {
    /// Counts, and says how far it has come.
    pub fn add(&mut self, more: u64) -> u64 {
        self.count += more;
        self.count
    }

    /// Counts.
    pub fn note(&mut self, more: u64) {
        self.count += more;
    }

    /// How far it has come since it was last asked.
    pub fn taken(&mut self) -> u64 {
        std::mem::take(&mut self.count)
    }
}

/// Calls others from its own shard.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    next: Cell<usize>,
}

#[actor(name = "bench.caller")]
impl Caller {
    /// Asks `target`, one call at a time: what a call takes in the mean.
    pub async fn ask(&mut self, target: CounterRef, pace: Pace) -> Measured {
        for _ in 0..WARM_UP {
            let _ = black_box(target.add(1).await);
        }
        let mut laps = pace.start();
        while let Some(lap) = laps.next(SMALL_BATCH * 2) {
            for _ in 0..lap {
                if let Err(error) = black_box(target.add(black_box(1)).await) {
                    laps.fail(&error);
                }
            }
        }
        laps.end()
    }

    /// The same with the clock read before and after each call.
    pub async fn ask_stamped(&mut self, target: CounterRef, pace: Pace) -> (Measured, Latency) {
        let mut latency = Latency::new();
        for _ in 0..WARM_UP {
            let _ = black_box(target.add(1).await);
        }
        let mut laps = pace.start();
        let clock = laps.clock();
        while let Some(lap) = laps.next(SMALL_BATCH) {
            for _ in 0..lap {
                let begun = clock.now();
                let answer = black_box(target.add(black_box(1)).await);
                latency.record(clock.now() - begun);
                if let Err(error) = answer {
                    laps.fail(&error);
                }
            }
        }
        (laps.end(), latency)
    }

    /// Asks on a schedule of `per_s` calls a second that no late answer puts off.
    pub async fn ask_on_schedule(
        &mut self,
        target: CounterRef,
        pace: Pace,
        per_s: f64,
    ) -> (Measured, Latency) {
        let mut latency = Latency::new();
        for _ in 0..WARM_UP {
            let _ = black_box(target.add(1).await);
        }
        let mut laps = pace.start();
        let clock = laps.clock();
        let schedule = Schedule::new(clock.now(), per_s);
        let mut index = 0;
        while laps.next(1).is_some() {
            until(&clock, schedule.due(index)).await;
            let answer = black_box(target.add(black_box(1)).await);
            latency.record(schedule.latency(index, clock.now()));
            index += 1;
            if let Err(error) = answer {
                laps.fail(&error);
            }
        }
        (laps.end(), latency)
    }

    /// Asks the `targets` in turn, one call at a time; many such turns of one caller keep as many
    /// calls outstanding.
    pub async fn walk(&self, targets: Arc<[CounterRef]>, pace: Pace, end: Sender<Measured>) {
        // An earlier walk may have had more of them.
        self.next.set(0);
        let mut laps = pace.start();
        while let Some(lap) = laps.next(SMALL_BATCH) {
            for _ in 0..lap {
                let at = self.next.get();
                self.next
                    .set(if at + 1 < targets.len() { at + 1 } else { 0 });
                let target = &targets[at];
                if let Err(error) = black_box(target.add(black_box(1)).await) {
                    laps.fail(&error);
                }
            }
        }
        // Whoever waits for it may have given up.
        let _ = end.send(laps.end());
    }

    /// Sleeps for `pause`, then asks, again and again: what the first call after a sleep takes.
    pub async fn ask_after_sleep(
        &mut self,
        target: CounterRef,
        pause: Duration,
        pace: Pace,
    ) -> (Measured, Latency) {
        let mut latency = Latency::new();
        let _ = target.add(1).await;
        let mut laps = pace.start();
        let clock = laps.clock();
        while laps.next(1).is_some() {
            quark::sleep(pause).await;
            let begun = clock.now();
            let answer = black_box(target.add(black_box(1)).await);
            latency.record(clock.now() - begun);
            if let Err(error) = answer {
                laps.fail(&error);
            }
        }
        (laps.end(), latency)
    }

    /// Tells `target` beside other senders, as fast as there is room, then waits until its own
    /// messages have arrived.
    pub async fn pour(&mut self, target: CounterRef, pace: Pace, end: Sender<Measured>) {
        let mut laps = pace.start();
        while let Some(lap) = laps.next(SMALL_BATCH) {
            for _ in 0..lap {
                if let Err(error) = target.note(black_box(1)).send().await {
                    laps.fail(&error);
                }
            }
        }
        // An actor's messages arrive in order, so this comes last.
        if let Err(error) = target.add(0).timeout(crate::launch::PATIENCE).await {
            laps.fail(&error);
        }
        // Whoever waits for it may have given up.
        let _ = end.send(laps.end());
    }

    /// Tells `target`, as fast as there is room, then waits until all has arrived. Gives what was
    /// sent and how much of it arrived.
    pub async fn tell(&mut self, target: CounterRef, pace: Pace) -> (Measured, u64) {
        let _ = target.taken().await;
        let mut laps = pace.start();
        while let Some(lap) = laps.next(BATCH) {
            for _ in 0..lap {
                if let Err(error) = target.note(black_box(1)).send().await {
                    laps.fail(&error);
                }
            }
        }
        let arrived = target.taken().timeout(crate::launch::PATIENCE).await;
        (laps.end(), arrived.unwrap_or(0))
    }
}

/// Waits on a shard until `due` on the bench's clock: asleep while it is far, then looking, and
/// letting others run meanwhile.
pub(super) async fn until(clock: &Clock, due: u64) {
    loop {
        let left = Duration::from_nanos(due.saturating_sub(clock.now()));
        if left.is_zero() {
            return;
        } else if left > CLOSE * 2 {
            quark::sleep(left - CLOSE).await;
        } else {
            yield_now().await;
        }
    }
}
