//! The timer wheel against the wheel that kompact stands on, and against an ordered map.
//!
//! Others are armed beside those measured, for the next hour. Of a thousand timers the clock moves
//! on by a millisecond, for all alike: the other wheel lets cancelled timers go only as it turns.
#![allow(missing_docs)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use hierarchical_hash_wheel_timer::IdOnlyTimerEntry;
use hierarchical_hash_wheel_timer::wheels::cancellable::QuadWheelWithOverflow;
use quark_bench::rng::Rng;
use quark_shards::time::Time;
use quark_shards::timer::{TimerKey, TimerWheel};

const OTHERS: [u64; 2] = [1_000, 1_000_000];
const HOUR_MS: u64 = 3_600_000;
/// Timers measured come due within this.
const SOON_MS: u64 = 100;
/// Timers to one step of the clock.
const STEP: u64 = 1_000;

/// Timers that carry a number, in milliseconds from the beginning.
trait Timers {
    const NAME: &'static str;
    type Key;

    fn new() -> Self;
    fn arm(&mut self, due_ms: u64, value: u64) -> Self::Key;
    fn cancel(&mut self, key: Self::Key) -> bool;

    /// Fires all that is due at `now_ms`, one step after the last; how many.
    fn advance(&mut self, now_ms: u64) -> u64;
}

struct Ours(TimerWheel<u64>);

fn time(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

impl Timers for Ours {
    const NAME: &'static str = "quark";
    type Key = TimerKey;

    fn new() -> Self {
        Ours(TimerWheel::new())
    }

    fn arm(&mut self, due_ms: u64, value: u64) -> TimerKey {
        self.0.insert(time(due_ms), value)
    }

    fn cancel(&mut self, key: TimerKey) -> bool {
        self.0.cancel(key).is_some()
    }

    fn advance(&mut self, now_ms: u64) -> u64 {
        // A tick more: those due in this millisecond's last tick count as due.
        let now = time(now_ms) + Duration::from_nanos(1 << 14);
        let fired = Cell::new(0);
        self.0.advance(now, |value| {
            black_box(value);
            fired.set(fired.get() + 1);
        });
        fired.get()
    }
}

struct HashWheel {
    wheel: QuadWheelWithOverflow<IdOnlyTimerEntry<u64>>,
    now_ms: u64,
}

impl Timers for HashWheel {
    const NAME: &'static str = "hierarchical_hash_wheel_timer";
    type Key = u64;

    fn new() -> Self {
        HashWheel {
            wheel: QuadWheelWithOverflow::new(),
            now_ms: 0,
        }
    }

    fn arm(&mut self, due_ms: u64, value: u64) -> u64 {
        // One that is due at once is refused.
        let delay = Duration::from_millis(due_ms.saturating_sub(self.now_ms).max(1));
        let armed = self.wheel.insert(IdOnlyTimerEntry::new(value, delay));
        assert!(armed.is_ok(), "a timer ahead of the wheel");
        value
    }

    fn cancel(&mut self, key: u64) -> bool {
        self.wheel.cancel(&key).is_ok()
    }

    fn advance(&mut self, now_ms: u64) -> u64 {
        let mut fired = 0;
        while self.now_ms < now_ms {
            self.now_ms += 1;
            fired += black_box(self.wheel.tick()).len() as u64;
        }
        fired
    }
}

struct Map(BTreeMap<(u64, u64), u64>);

impl Timers for Map {
    const NAME: &'static str = "BTreeMap";
    type Key = (u64, u64);

    fn new() -> Self {
        Map(BTreeMap::new())
    }

    fn arm(&mut self, due_ms: u64, value: u64) -> (u64, u64) {
        self.0.insert((due_ms, value), value);
        (due_ms, value)
    }

    fn cancel(&mut self, key: (u64, u64)) -> bool {
        self.0.remove(&key).is_some()
    }

    fn advance(&mut self, now_ms: u64) -> u64 {
        let mut fired = 0;
        while let Some(first) = self.0.first_entry()
            && first.key().0 <= now_ms
        {
            black_box(first.remove());
            fired += 1;
        }
        fired
    }
}

/// Timers with their clock, numbers never used twice, and others armed for the next hour.
struct Bench<T> {
    timers: T,
    rng: Rng,
    now_ms: u64,
    used: u64,
}

impl<T: Timers> Bench<T> {
    fn new(others: u64) -> Self {
        let mut bench = Bench {
            timers: T::new(),
            rng: Rng::new(1),
            now_ms: 0,
            used: 0,
        };
        for _ in 0..others {
            // Beyond what the clock comes to while it is measured.
            bench.arm(HOUR_MS, HOUR_MS);
        }
        bench
    }

    fn arm(&mut self, least_ms: u64, spread_ms: u64) -> T::Key {
        self.used += 1;
        let due = self.now_ms + least_ms + self.rng.below(spread_ms);
        self.timers.arm(due, self.used)
    }

    fn arm_and_cancel(&mut self) {
        let key = self.arm(1, SOON_MS);
        let found = self.timers.cancel(black_box(key));
        debug_assert!(found, "armed just now");
        if self.used.is_multiple_of(STEP) {
            self.now_ms += 1;
            self.timers.advance(self.now_ms);
        }
    }

    fn arm_and_fire(&mut self) {
        for _ in 0..STEP {
            self.arm(1, SOON_MS);
        }
        let mut fired = 0;
        for _ in 0..=SOON_MS {
            self.now_ms += 1;
            fired += self.timers.advance(self.now_ms);
        }
        assert_eq!(fired, STEP, "all that was armed, and none of the others");
    }
}

fn arm_and_cancel(c: &mut Criterion) {
    for others in OTHERS {
        let mut group = c.benchmark_group(format!("timer/arm and cancel beside {others}"));
        arm_and_cancel_of::<Ours>(&mut group, others);
        arm_and_cancel_of::<HashWheel>(&mut group, others);
        arm_and_cancel_of::<Map>(&mut group, others);
        group.finish();
    }
}

fn arm_and_cancel_of<T: Timers>(group: &mut BenchmarkGroup<'_, WallTime>, others: u64) {
    let mut bench = Bench::<T>::new(others);
    group.bench_function(T::NAME, |b| b.iter(|| bench.arm_and_cancel()));
}

/// A thousand timers, due over the next 100 ms, and the clock's 101 steps that fire them.
fn arm_and_fire(c: &mut Criterion) {
    let mut group = c.benchmark_group("timer/arm and fire 1000 in 100 ms");
    group.throughput(Throughput::Elements(STEP));
    arm_and_fire_of::<Ours>(&mut group);
    arm_and_fire_of::<HashWheel>(&mut group);
    arm_and_fire_of::<Map>(&mut group);
    group.finish();
}

fn arm_and_fire_of<T: Timers>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let mut bench = Bench::<T>::new(0);
    group.bench_function(T::NAME, |b| b.iter(|| bench.arm_and_fire()));
}

criterion_group!(benches, arm_and_cancel, arm_and_fire);
criterion_main!(benches);
