//! When ticks are due, and when they were done.
//!
//! A tick's time runs from the moment it is due until the last of all players is through with
//! what it was told of that tick. The moments are fixed beforehand: a late tick puts none off, and
//! those that it delays count from when they were due.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use quark::Time;

use super::World;

/// Ticks that may be under way at once.
const RING: u64 = 1_024;
/// Longer than it takes all cores to see that the world is to end.
const MARGIN: Duration = Duration::from_millis(250);

/// The ticks of one world.
pub(crate) struct Ticks {
    period: Duration,
    /// The last one, once that is known.
    last: AtomicU64,
    /// Updates that a player was given twice.
    doubled: AtomicU64,
    lanes: Box<[Lane]>,
}

/// What one shard has done of the ticks under way. It alone writes here.
#[repr(align(128))]
struct Lane([Slot; RING as usize]);

#[derive(Default)]
struct Slot {
    done: AtomicU32,
    /// When the last of them was.
    at: AtomicU64,
}

impl Ticks {
    pub(super) fn new(shards: u16, period: Duration) -> Self {
        let lane = || Lane(std::array::from_fn(|_| Slot::default()));
        Ticks {
            period,
            last: AtomicU64::new(u64::MAX),
            doubled: AtomicU64::new(0),
            lanes: (0..shards).map(|_| lane()).collect(),
        }
    }

    /// When `tick` is due in a world whose first one was due at `start`.
    pub(super) fn due(&self, start: Time, tick: u64) -> Time {
        let since = self.period.as_nanos() as u64 * tick;
        start + Duration::from_nanos(since)
    }

    /// The last tick.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// Ends the world with the tick that is due in [`MARGIN`], which none of its squares can have
    /// begun.
    pub(crate) fn end(&self, start: Time, now: Time) {
        let since = now.since(start) + MARGIN;
        let last = (since.as_nanos() / self.period.as_nanos()) as u64;
        self.last.fetch_min(last, Ordering::Relaxed);
    }

    /// A player on `shard` is through with `tick`.
    pub(super) fn done(&self, shard: u16, tick: u64, now: Time) {
        let slot = &self.lanes[usize::from(shard)].0[(tick % RING) as usize];
        slot.at.store(now.as_nanos(), Ordering::Relaxed);
        let done = slot.done.load(Ordering::Relaxed);
        slot.done.store(done + 1, Ordering::Release);
    }

    /// A player was told of a tick again.
    pub(super) fn again(&self) {
        self.doubled.fetch_add(1, Ordering::Relaxed);
    }

    /// Updates that came to a player twice.
    pub(crate) fn doubled(&self) -> u64 {
        self.doubled.load(Ordering::Relaxed)
    }

    /// When the last of `players` was through with `tick`; `None` while one is not.
    fn take(&self, tick: u64, players: u32) -> Option<Time> {
        let slots = || {
            let lanes = self.lanes.iter();
            lanes.map(|lane| &lane.0[(tick % RING) as usize])
        };
        let done: u32 = slots().map(|slot| slot.done.load(Ordering::Acquire)).sum();
        if done < players {
            return None;
        }
        let at = slots().map(|slot| slot.at.load(Ordering::Relaxed)).max()?;
        for slot in slots() {
            slot.done.store(0, Ordering::Relaxed);
        }
        Some(Time::from_nanos(at))
    }
}

impl fmt::Debug for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Ticks");
        shown
            .field("period", &self.period)
            .field("last", &self.last);
        shown.finish_non_exhaustive()
    }
}

/// Reads tick times off a world, from the side.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    world: Arc<World>,
    start: Time,
    next: u64,
}

impl Stopwatch {
    /// For a world whose first tick is due at `start`.
    pub(crate) fn new(world: Arc<World>, start: Time) -> Self {
        Stopwatch {
            world,
            start,
            next: 0,
        }
    }

    /// The time of the next tick, if all players are through with it. To be asked more often than
    /// a thousand ticks are due.
    pub(crate) fn lap(&mut self) -> Option<Duration> {
        let ticks = &self.world.ticks;
        let done = ticks.take(self.next, self.world.players)?;
        let due = ticks.due(self.start, self.next);
        self.next += 1;
        Some(done.since(due))
    }

    /// How long the next tick is overdue.
    pub(crate) fn overdue(&self, now: Time) -> Duration {
        now.since(self.world.ticks.due(self.start, self.next))
    }

    /// Ticks that all players are through with.
    pub(crate) fn done(&self) -> u64 {
        self.next
    }

    /// Whether there is none left.
    pub(crate) fn is_over(&self) -> bool {
        self.next > self.world.ticks.last()
    }
}
