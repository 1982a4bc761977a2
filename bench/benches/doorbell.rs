//! The doorbell: what a sender pays when nobody sleeps, and how long a wake takes.
//!
//! A sender that has published asks whether the receiver sleeps, behind one fence a pass, and
//! rings only then. The baselines ring always, or sleep without io_uring: eventfd, futex, and the
//! standard library's parking. A wake is measured as a round trip of two pinned threads, each
//! asleep, or about to be, when its turn comes.
#![allow(missing_docs)]

use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use quark_bench::floors::allowed_cores;
use quark_bench::floors::pinned::on_both;
use quark_shards::driver::uring::{UringConfig, UringDriver, clock};
use quark_shards::driver::{Bell, Driver};
use quark_shards::park::Sleeper;
use rustix::event::{EventfdFlags, eventfd};
use rustix::thread::futex;

/// How one thread waits for another.
trait Bed: Sized {
    const NAME: &'static str;
    type Bell: Send + Sync;

    /// Made on the thread that will sleep in it.
    fn new() -> (Self, Self::Bell);

    /// Returns once `awaited` holds; whoever makes it hold rings afterwards.
    fn sleep_until(&mut self, awaited: impl Fn() -> bool);

    /// Wakes the thread that sleeps in it, and does no harm to one that does not.
    fn ring(bell: &Self::Bell);
}

/// As a shard parks: handshake, eventfd, io_uring.
struct Shard {
    sleeper: Arc<Sleeper>,
    driver: UringDriver,
}

impl Bed for Shard {
    const NAME: &'static str = "quark";
    type Bell = (Arc<Sleeper>, Arc<dyn Bell>);

    fn new() -> (Self, Self::Bell) {
        let config = UringConfig {
            entries: 64,
            seed: 1,
            start: clock(),
            worker_cpus: Vec::new(),
        };
        let driver = UringDriver::new(config).expect("a ring, where shards run");
        let sleeper = Arc::new(Sleeper::new());
        let bell = (sleeper.clone(), driver.bell());
        (Shard { sleeper, driver }, bell)
    }

    fn sleep_until(&mut self, awaited: impl Fn() -> bool) {
        while !awaited() {
            self.sleeper.prepare();
            if !awaited() {
                self.driver.park(None);
            }
            self.sleeper.awake();
        }
    }

    fn ring((sleeper, bell): &Self::Bell) {
        Sleeper::fence();
        if sleeper.must_ring() {
            bell.ring();
        }
    }
}

struct Futex(Arc<AtomicU32>);

impl Bed for Futex {
    const NAME: &'static str = "futex";
    type Bell = Arc<AtomicU32>;

    fn new() -> (Self, Self::Bell) {
        let word = Arc::new(AtomicU32::new(0));
        (Futex(word.clone()), word)
    }

    fn sleep_until(&mut self, awaited: impl Fn() -> bool) {
        loop {
            let seen = self.0.load(Ordering::Acquire);
            if awaited() {
                return;
            }
            // Refused when it was rung meanwhile.
            let _ = futex::wait(&self.0, futex::Flags::PRIVATE, seen, None);
        }
    }

    fn ring(bell: &Self::Bell) {
        bell.fetch_add(1, Ordering::Release);
        let _ = futex::wake(bell, futex::Flags::PRIVATE, 1);
    }
}

struct Event(Arc<OwnedFd>);

impl Bed for Event {
    const NAME: &'static str = "eventfd";
    type Bell = Arc<OwnedFd>;

    fn new() -> (Self, Self::Bell) {
        let event = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd"));
        (Event(event.clone()), event)
    }

    fn sleep_until(&mut self, awaited: impl Fn() -> bool) {
        while !awaited() {
            let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
        }
    }

    fn ring(bell: &Self::Bell) {
        let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
    }
}

struct Park;

impl Bed for Park {
    const NAME: &'static str = "std park";
    type Bell = Thread;

    fn new() -> (Self, Self::Bell) {
        (Park, thread::current())
    }

    fn sleep_until(&mut self, awaited: impl Fn() -> bool) {
        while !awaited() {
            thread::park();
        }
    }

    fn ring(bell: &Self::Bell) {
        bell.unpark();
    }
}

fn nobody_sleeps(c: &mut Criterion) {
    let mut group = c.benchmark_group("doorbell/nobody sleeps");
    let sleeper = Sleeper::new();
    group.bench_function("quark, never sleeps: no fence", |b| {
        b.iter(|| black_box(&sleeper).must_ring());
    });
    ring_of::<Shard>(&mut group);
    ring_of::<Park>(&mut group);
    ring_of::<Futex>(&mut group);
    ring_of::<Event>(&mut group);
    group.finish();
}

fn ring_of<B: Bed>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let (_bed, bell) = B::new();
    group.bench_function(B::NAME, |b| b.iter(|| B::ring(black_box(&bell))));
}

fn wake(c: &mut Criterion) {
    let [first, .., second] = allowed_cores()[..] else {
        // One core: nothing to measure.
        return;
    };
    let mut group = c.benchmark_group("doorbell/wake, round trip");
    group.sample_size(20);
    wake_of::<Shard>(&mut group, (first, second));
    wake_of::<Futex>(&mut group, (first, second));
    wake_of::<Event>(&mut group, (first, second));
    wake_of::<Park>(&mut group, (first, second));
    group.finish();
}

fn wake_of<B: Bed>(group: &mut BenchmarkGroup<'_, WallTime>, cores: (usize, usize)) {
    group.bench_function(B::NAME, |b| {
        b.iter_custom(|trips| round_trips::<B>(cores, trips));
    });
}

/// How long `trips` round trips take; even turns are the first thread's.
fn round_trips<B: Bed>(cores: (usize, usize), trips: u64) -> Duration {
    let turn = AtomicU64::new(0);
    let bells = (OnceLock::new(), OnceLock::new());
    let made = Barrier::new(2);
    let join = |mine: &OnceLock<B::Bell>| {
        let (bed, bell) = B::new();
        assert!(mine.set(bell).is_ok(), "one thread for each bell");
        made.wait();
        bed
    };
    let play = |bed: &mut B, other: &OnceLock<B::Bell>, turns: u64, begun: u64| {
        let other = other.get().expect("made before the barrier");
        for round in 0..turns {
            let mine = 2 * round + begun;
            bed.sleep_until(|| turn.load(Ordering::Acquire) == mine);
            turn.store(mine + 1, Ordering::Release);
            B::ring(other);
        }
    };
    on_both(
        cores,
        |_| {
            let mut bed = join(&bells.0);
            let begun = Instant::now();
            play(&mut bed, &bells.1, trips, 0);
            bed.sleep_until(|| turn.load(Ordering::Acquire) == 2 * trips);
            begun.elapsed()
        },
        || play(&mut join(&bells.1), &bells.0, trips, 1),
    )
    .expect("two cores that may be used")
}

criterion_group!(benches, nobody_sleeps, wake);
criterion_main!(benches);
