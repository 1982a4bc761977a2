//! How far a loop goes, and what it measured: batches between two readings of the clock, so that
//! nothing but the workload lies inside a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::cli::Options;
use crate::clock::Clock;
use crate::interrupt::Interrupt;
use crate::latency::Latency;
use crate::progress::Progress;

/// How far a loop goes: so many units or so long, and no further than the first Ctrl-C.
#[derive(Clone, Debug)]
pub struct Pace {
    clock: Clock,
    interrupt: Interrupt,
    /// Units at most.
    most: u64,
    /// Nanoseconds at most.
    longest: u64,
    /// Units behind us, for those who watch.
    done: Arc<AtomicU64>,
    /// Whether no other loop runs beside this one.
    alone: bool,
}

/// Where a loop stands; see [`Pace::start`].
#[derive(Debug)]
pub struct Laps {
    pace: Pace,
    begun: u64,
    lap_begun: u64,
    lap: u64,
    count: u64,
    failed: u64,
    error: Option<String>,
    /// Nanoseconds of each whole batch, if they tell something of one unit.
    whole: Option<Latency>,
    batch: u64,
}

/// What a loop measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Units done.
    pub count: u64,
    /// When it began, on the bench's clock.
    pub begun: u64,
    /// When it ended.
    pub ended: u64,
    /// Units that failed.
    pub failed: u64,
    /// Why the first of them did.
    pub error: Option<String>,
    /// Nanoseconds a unit in the middle one of all batches.
    median: Option<f64>,
}

impl Pace {
    /// What the command line asks for; else `usual` units or seconds.
    #[must_use]
    pub fn new(clock: &Clock, interrupt: &Interrupt, options: &Options, usual: Goal) -> Self {
        let (most, longest) = match (options.count, options.seconds, usual) {
            (Some(count), ..) | (None, None, Goal::Units(count)) => (count, u64::MAX),
            (None, Some(longest), _) | (None, None, Goal::Time(longest)) => {
                (u64::MAX, nanoseconds(longest))
            }
        };
        Pace {
            clock: clock.clone(),
            interrupt: interrupt.clone(),
            most,
            longest,
            done: Arc::default(),
            alone: true,
        }
    }

    /// No further than `units` in any case.
    #[must_use]
    pub fn at_most(self, units: u64) -> Self {
        Pace {
            most: self.most.min(units),
            ..self
        }
    }

    /// No longer than `time` in any case.
    #[must_use]
    pub fn no_longer_than(self, time: Duration) -> Self {
        Pace {
            longest: self.longest.min(nanoseconds(time)),
            ..self
        }
    }

    /// One of `parts` that come one after the other.
    #[must_use]
    pub fn in_parts(self, parts: usize) -> Self {
        let share = |all: u64| match all {
            u64::MAX => u64::MAX,
            all => all.div_ceil(parts as u64),
        };
        Pace {
            most: share(self.most),
            longest: share(self.longest),
            ..self
        }
    }

    /// As far, but in whole multiples of `units`: what is begun is ended.
    #[must_use]
    pub fn in_multiples_of(self, units: u64) -> Self {
        Pace {
            most: self
                .most
                .checked_next_multiple_of(units)
                .unwrap_or(self.most),
            ..self
        }
    }

    /// Begins a loop.
    #[must_use]
    pub fn start(self) -> Laps {
        let now = self.clock.now();
        let whole = self.alone.then(Latency::new);
        Laps {
            pace: self,
            begun: now,
            lap_begun: now,
            lap: 0,
            count: 0,
            failed: 0,
            error: None,
            whole,
            batch: 0,
        }
    }

    /// The part of this pace that falls to each of `parts` loops that run beside each other.
    #[must_use]
    pub fn shared(&self, parts: u64) -> Self {
        let most = if self.most == u64::MAX {
            u64::MAX
        } else {
            self.most.div_ceil(parts).max(1)
        };
        Pace {
            most,
            alone: false,
            ..self.clone()
        }
    }

    /// The bench's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether somebody wants the run to end.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// Draws progress, where somebody can see it, while `run` runs.
    pub fn watched<R>(&self, name: &str, run: impl FnOnce() -> R) -> R {
        Progress::beside(
            name,
            self.most.min(self.longest),
            {
                let (pace, begun) = (self.clone(), self.clock.now());
                move || match pace.longest {
                    u64::MAX => pace.done.load(Ordering::Relaxed),
                    _ => pace.clock.now() - begun,
                }
            },
            run,
        )
    }
}

/// How far a workload goes when nobody says.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// So many units.
    Units(u64),
    /// So long.
    Time(Duration),
}

impl Laps {
    /// How many units come next, `batch` of them or what is left; `None` at the end.
    #[inline]
    pub fn next(&mut self, batch: u64) -> Option<u64> {
        let now = self.pace.clock.now();
        if self.lap > 0 {
            self.count += self.lap;
            if let Some(whole) = &mut self.whole
                && self.lap == self.batch
            {
                whole.record(now - self.lap_begun);
            }
            self.pace.done.fetch_add(self.lap, Ordering::Relaxed);
        }
        let left = self.pace.most - self.count.min(self.pace.most);
        self.lap = if now - self.begun >= self.pace.longest || self.pace.interrupt.is_set() {
            0
        } else {
            left.min(batch)
        };
        self.batch = batch;
        self.lap_begun = now;
        (self.lap > 0).then_some(self.lap)
    }

    /// The batch holds no units: time is all that passes.
    pub fn nothing_done(&mut self) {
        self.lap = 0;
    }

    /// A unit of the batch came to nothing.
    #[cold]
    pub fn fail(&mut self, error: &dyn std::fmt::Display) {
        self.failed += 1;
        self.error.get_or_insert_with(|| error.to_string());
    }

    /// The bench's clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.pace.clock.clone()
    }

    /// Ends the loop here and now.
    #[must_use]
    pub fn end(self) -> Measured {
        let whole = self.whole.as_ref().and_then(Latency::summary);
        Measured {
            count: self.count,
            begun: self.begun,
            ended: self.pace.clock.now(),
            failed: self.failed,
            error: self.error,
            median: whole.map(|ns| ns.p50 as f64 / self.batch as f64),
        }
    }
}

impl Measured {
    /// How long it took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.ended - self.begun)
    }

    /// Nanoseconds a unit, over all.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        (self.ended - self.begun) as f64 / self.count.max(1) as f64
    }

    /// Nanoseconds a unit in the middle one of all batches: what a floor, which is a median too,
    /// is fairly held against.
    #[must_use]
    pub fn median_ns(&self) -> f64 {
        self.median.unwrap_or_else(|| self.mean_ns())
    }

    /// Units per second.
    #[must_use]
    pub fn per_s(&self) -> f64 {
        self.count as f64 * 1e9 / (self.ended - self.begun).max(1) as f64
    }

    /// This loop and one that ran beside it.
    #[must_use]
    pub fn and(self, other: Measured) -> Self {
        Measured {
            count: self.count + other.count,
            begun: self.begun.min(other.begun),
            ended: self.ended.max(other.ended),
            failed: self.failed + other.failed,
            error: self.error.or(other.error),
            median: None,
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(options: &Options, usual: Goal) -> Pace {
        Pace::new(&Clock::new(), &Interrupt::default(), options, usual)
    }

    #[test]
    fn a_count_is_done_exactly() {
        let mut laps = pace(&Options::default(), Goal::Units(25)).start();
        let mut given = Vec::new();
        while let Some(lap) = laps.next(10) {
            given.push(lap);
        }
        let measured = laps.end();
        assert_eq!(given, [10, 10, 5]);
        assert_eq!((measured.count, measured.failed), (25, 0));
        assert!(measured.median_ns() >= 0.0 && measured.per_s() > 0.0);
    }

    #[test]
    fn time_and_interrupt_end_a_loop() {
        let options = Options {
            seconds: Some(Duration::from_millis(5)),
            ..Options::default()
        };
        let timed = pace(&options, Goal::Units(1));
        let mut laps = timed.clone().start();
        while laps.next(1_000).is_some() {}
        let measured = laps.end();
        assert!(measured.elapsed() >= Duration::from_millis(5));
        assert!(measured.count > 1);
        timed.interrupt.set();
        assert_eq!(timed.start().next(1), None);
    }

    #[test]
    fn parts_make_up_the_whole() {
        let counted = pace(&Options::default(), Goal::Units(100)).in_parts(5);
        assert_eq!((counted.most, counted.longest), (20, u64::MAX));
        let second = Goal::Time(Duration::from_secs(1));
        let timed = pace(&Options::default(), second).in_parts(4);
        assert_eq!((timed.most, timed.longest), (u64::MAX, 250_000_000));
        let shorter = timed.no_longer_than(Duration::from_millis(1));
        assert_eq!(shorter.longest, 1_000_000);
    }

    #[test]
    fn loops_beside_each_other_add_up() {
        let pace = pace(&Options::default(), Goal::Units(100)).shared(3);
        let run = || {
            let mut laps = pace.clone().start();
            while laps.next(8).is_some() {}
            laps.fail(&"lost");
            laps.end()
        };
        let both = run().and(run());
        assert_eq!((both.count, both.failed), (68, 2));
        assert_eq!(both.error.as_deref(), Some("lost"));
        assert_eq!(both.median_ns(), both.mean_ns());
    }
}
