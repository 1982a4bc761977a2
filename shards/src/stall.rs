//! The watch over shards whose loop stands still: a turn that computes too long, or a call that
//! blocks.
//!
//! A shard shows a sign of life each pass and the label of each turn, all by plain stores to a
//! line of its own. A thread beside the shards looks at them now and then.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::atomic::AtomicCell;
use crossbeam::utils::CachePadded;

use crate::time::Time;

mod watcher;

pub use watcher::StallWatcher;

/// How long a shard may stand still by default.
pub const DEFAULT_THRESHOLD: Duration = Duration::from_millis(25);

/// What a turn runs, for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TurnLabel {
    /// The actor type's name.
    pub actor: &'static str,
    /// The method's name.
    pub method: &'static str,
}

impl fmt::Display for TurnLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.actor, self.method)
    }
}

/// One shard's signs of life. Written by its thread alone, and asleep until its first pass.
#[derive(Debug, Default)]
pub struct Pulse {
    signs: CachePadded<Signs>,
}

#[derive(Debug, Default)]
struct Signs {
    passes: AtomicU64,
    awake: AtomicBool,
    running: AtomicCell<Option<&'static TurnLabel>>,
}

const _: () = assert!(AtomicCell::<Option<&'static TurnLabel>>::is_lock_free());

impl Pulse {
    /// A shard that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The loop begins a pass, after whatever sleep.
    #[inline]
    pub fn pass(&self) {
        // One writer: no read-modify-write needed.
        let passes = self.signs.passes.load(Ordering::Relaxed);
        self.signs
            .passes
            .store(passes.wrapping_add(1), Ordering::Relaxed);
        self.signs.awake.store(true, Ordering::Relaxed);
    }

    /// The loop goes to sleep, or ends.
    pub fn sleep(&self) {
        self.signs.awake.store(false, Ordering::Relaxed);
    }

    /// A turn begins, or, with `None`, none runs any more.
    #[inline]
    pub fn run(&self, turn: Option<&'static TurnLabel>) {
        self.signs.running.store(turn);
    }

    /// Whether the shard is neither asleep nor ended.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.signs.awake.load(Ordering::Relaxed)
    }

    /// Passes so far.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.signs.passes.load(Ordering::Relaxed)
    }
}

/// A shard whose loop stood or stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Which shard.
    pub shard: u16,
    /// The turn that ran when the stall was noticed; `None` if the loop stood between turns.
    pub label: Option<&'static TurnLabel>,
    /// How long so far, as far as looking now and then can tell.
    pub lasted: Duration,
    /// Whether the shard runs again, and `lasted` is the stall's whole length.
    pub over: bool,
}

/// What was last seen of each shard. Pure: who calls [`sample`](Self::sample) brings the time;
/// [`StallWatcher`] does so from a thread.
#[derive(Debug)]
pub struct StallWatch {
    threshold: Duration,
    shards: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    pulse: Arc<Pulse>,
    passes: u64,
    /// When it was last seen to have moved.
    moved: Time,
    /// The stall that was reported and lasts, by its label.
    stalled: Option<Option<&'static TurnLabel>>,
}

impl StallWatch {
    /// Watches the shards, numbered by their places, from `now` on. A stall is to stand still,
    /// awake, for `threshold`.
    #[must_use]
    pub fn new(threshold: Duration, pulses: Vec<Arc<Pulse>>, now: Time) -> Self {
        let watched = |pulse: Arc<Pulse>| Watched {
            passes: pulse.passes(),
            pulse,
            moved: now,
            stalled: None,
        };
        StallWatch {
            threshold,
            shards: pulses.into_iter().map(watched).collect(),
        }
    }

    /// Looks at every shard; reports each stall once while it lasts, and once more when it is
    /// over. True if any shard is awake.
    pub fn sample(&mut self, now: Time, mut report: impl FnMut(Stall)) -> bool {
        let mut any_awake = false;
        for (shard, watched) in (0..).zip(&mut self.shards) {
            any_awake |= watched.pulse.is_awake();
            if let Some(stall) = watched.sample(shard, now, self.threshold) {
                report(stall);
            }
        }
        any_awake
    }
}

impl Watched {
    fn sample(&mut self, shard: u16, now: Time, threshold: Duration) -> Option<Stall> {
        let lasted = now.since(self.moved);
        let label = self.pulse.signs.running.load();
        // After the label: one pass may not be blamed for the turn of the next.
        let passes = self.pulse.passes();
        if passes != self.passes || !self.pulse.is_awake() {
            (self.passes, self.moved) = (passes, now);
            let label = self.stalled.take()?;
            return Some(Stall {
                shard,
                label,
                lasted,
                over: true,
            });
        }
        if self.stalled.is_some() || lasted < threshold {
            return None;
        }
        self.stalled = Some(label);
        Some(Stall {
            shard,
            label,
            lasted,
            over: false,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    static TURN: TurnLabel = TurnLabel {
        actor: "Account",
        method: "deposit",
    };

    /// A watch with a threshold of 25 ms over two shards that have begun, and its samples by ms.
    struct Bench {
        pulses: [Arc<Pulse>; 2],
        watch: StallWatch,
    }

    impl Bench {
        fn new() -> Self {
            let pulses: [Arc<Pulse>; 2] = Default::default();
            pulses.iter().for_each(|pulse| pulse.pass());
            let watch = StallWatch::new(DEFAULT_THRESHOLD, pulses.to_vec(), Time::ZERO);
            Bench { pulses, watch }
        }

        fn at(&mut self, millis: u64) -> Vec<Stall> {
            let mut stalls = vec![];
            let now = Time::ZERO + Duration::from_millis(millis);
            self.watch.sample(now, |stall| stalls.push(stall));
            stalls
        }
    }

    #[test]
    fn reports_a_stall_once_and_its_length_when_over() {
        let mut bench = Bench::new();
        bench.pulses[0].sleep();
        bench.pulses[1].run(Some(&TURN));
        assert_eq!(bench.at(24), []);
        let stall = |lasted, over| Stall {
            shard: 1,
            label: Some(&TURN),
            lasted: Duration::from_millis(lasted),
            over,
        };
        assert_eq!(bench.at(34), [stall(34, false)]);
        assert_eq!(bench.at(44), []);
        bench.pulses[1].run(None);
        bench.pulses[1].pass();
        assert_eq!(bench.at(54), [stall(54, true)]);
        assert_eq!(bench.at(64), []);
        assert_eq!(bench.at(79)[0].label, None);
    }

    #[test]
    fn says_nothing_of_who_moves_or_sleeps() {
        let mut bench = Bench::new();
        bench.pulses[0].sleep();
        for sample in 1..100 {
            bench.pulses[1].pass();
            assert_eq!(bench.at(sample * 20), []);
        }
        bench.pulses[1].sleep();
        assert_eq!(bench.at(3000), []);
        assert_eq!(bench.at(9000), []);
        bench.pulses[1].pass();
        assert_eq!(bench.at(9010), []);
    }

    #[test]
    fn tells_whether_any_shard_is_awake() {
        let mut bench = Bench::new();
        assert!(bench.watch.sample(Time::ZERO, drop));
        bench.pulses.iter().for_each(|pulse| pulse.sleep());
        assert!(!bench.watch.sample(Time::ZERO, drop));
    }

    #[test]
    fn a_stall_that_ends_in_sleep_is_over() {
        let mut bench = Bench::new();
        bench.pulses[1].sleep();
        assert_eq!(bench.at(30).len(), 1);
        bench.pulses[0].sleep();
        let over = bench.at(40);
        assert!(over[0].over && over[0].shard == 0);
        assert_eq!(bench.at(500), []);
    }
}
