//! The mesh's ring against the queues that it could have been: rtrb, and crossbeam's array queue
//! and channel.
//!
//! The same message for all: seven words in a slot of 64 bytes, written where it is sent and added
//! up where it is taken. The eighth word of ours says what to do with a message, for messages of
//! any type lie in it; in the baselines it is padding, but for a second rtrb that carries a
//! function there, as it would have to in the mesh. A batch is made visible at once and taken at
//! once by those that can (ours, rtrb by its chunks). A chunk needs all its messages at hand, which
//! turns do not have: so rtrb stands a third time, with each message pushed by itself. One queue of
//! 1,024 slots, in one thread and between two pinned ones; and a pair of them, for single messages
//! there and back, as a call and its answer go, beside what the cores need for a line with nothing
//! in it.
//!
//! How far a line has to go depends on which it is: so runs between threads take other memory each.
#![allow(missing_docs)]

use std::cell::Cell;
use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam::channel;
use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;
use quark_bench::floors::allowed_cores;
use quark_bench::floors::pinned::on_both;
use quark_shards::ring::{Consumer, Message, Producer, ring};

const SLOTS: usize = 1_024;
const BATCHES: [u64; 3] = [1, 16, 64];
/// Messages between the clock's readings, between threads.
const CROSSING: u64 = 200_000;
/// Round trips between them.
const TRIPS: u64 = 20_000;

/// What lies in a slot of the baselines.
trait Slot: Copy + Send + 'static {
    const RTRB: &'static str;

    fn new(word: u64) -> Self;
    fn act(&self, sum: &Sum);
}

/// A message of the one type that is known to both ends.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u64; 7]);

impl Slot for Line {
    const RTRB: &'static str = "rtrb";

    #[inline(always)]
    fn new(word: u64) -> Self {
        Line(words(word))
    }

    #[inline(always)]
    fn act(&self, sum: &Sum) {
        add(sum, &self.0);
    }
}

/// A message of any type: its receiver knows no more than that it acts.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Acting {
    act: fn(&Acting, &Sum),
    words: [u64; 7],
}

impl Slot for Acting {
    const RTRB: &'static str = "rtrb, any type";

    #[inline(always)]
    fn new(word: u64) -> Self {
        Acting {
            act: |acting, sum| add(sum, &acting.words),
            words: words(word),
        }
    }

    #[inline(always)]
    fn act(&self, sum: &Sum) {
        (self.act)(self, sum);
    }
}

/// The same in ours, which puts its header before it.
struct Words([u64; 7]);

const _: () = assert!(size_of::<Line>() == 64 && size_of::<Acting>() == 64);
const _: () = assert!(Producer::<Sum>::slots_of::<Words>() == 1);

type Sum = Cell<u64>;

impl Message<Sum> for Words {
    fn deliver(self, sum: &Sum, _from: u16) {
        add(sum, &self.0);
    }
}

#[inline(always)]
fn add(sum: &Sum, words: &[u64; 7]) {
    sum.set(
        words
            .iter()
            .fold(sum.get(), |sum, word| sum.wrapping_add(*word)),
    );
}

#[inline(always)]
fn words(word: u64) -> [u64; 7] {
    [word; 7]
}

/// What is sent, one word of it: hidden from the compiler.
#[inline(always)]
fn next() -> u64 {
    black_box(1)
}

/// A queue between one sender and one receiver, as its users would use it.
trait Queue {
    const NAME: &'static str;
    type In: Send;
    type Out: Send;

    fn new() -> (Self::In, Self::Out);

    /// Sends `batch` messages, visible together where the queue can; looks again while there is
    /// no room. Gives up, saying so, when the receiver has `gone`.
    fn send(into: &mut Self::In, batch: u64, gone: impl Fn() -> bool) -> bool;

    /// Takes at most `batch` messages and adds them to `sum`; how many there were.
    fn take(out: &mut Self::Out, batch: u64, sum: &Sum) -> u64;
}

struct Ours;

impl Queue for Ours {
    const NAME: &'static str = "quark";
    type In = Producer<Sum>;
    type Out = Consumer<Sum>;

    fn new() -> (Self::In, Self::Out) {
        ring(SLOTS, 0)
    }

    #[inline(always)]
    fn send(into: &mut Self::In, batch: u64, gone: impl Fn() -> bool) -> bool {
        // As the mesh does: what is alone is shown by the store that puts it there.
        let alone = batch == 1;
        for _ in 0..batch {
            let word = next();
            while !into.push_and_show_if(alone, || Words(words(word))) {
                into.publish();
                if gone() {
                    return false;
                }
            }
        }
        into.publish();
        true
    }

    #[inline(always)]
    fn take(out: &mut Self::Out, batch: u64, sum: &Sum) -> u64 {
        out.deliver_up_to(batch as usize, sum) as u64
    }
}

struct Rtrb<S>(PhantomData<S>);

impl<S: Slot> Queue for Rtrb<S> {
    const NAME: &'static str = S::RTRB;
    type In = rtrb::Producer<S>;
    type Out = rtrb::Consumer<S>;

    fn new() -> (Self::In, Self::Out) {
        rtrb::RingBuffer::new(SLOTS)
    }

    #[inline(always)]
    fn send(into: &mut Self::In, batch: u64, gone: impl Fn() -> bool) -> bool {
        if batch == 1 {
            let mut line = S::new(next());
            while let Err(rtrb::PushError::Full(back)) = into.push(line) {
                if gone() {
                    return false;
                }
                line = back;
            }
            return true;
        }
        loop {
            if let Ok(chunk) = into.write_chunk_uninit(batch as usize) {
                chunk.fill_from_iter((0..batch).map(|_| S::new(next())));
                return true;
            }
            if gone() {
                return false;
            }
        }
    }

    #[inline(always)]
    fn take(out: &mut Self::Out, batch: u64, sum: &Sum) -> u64 {
        if batch == 1 {
            return out.pop().map(|line| line.act(sum)).is_ok().into();
        }
        let there = out.slots().min(batch as usize);
        let Ok(chunk) = out.read_chunk(there) else {
            return 0;
        };
        let (first, second) = chunk.as_slices();
        first.iter().chain(second).for_each(|line| line.act(sum));
        chunk.commit_all();
        there as u64
    }
}

/// The same, sent as turns send: one after the other, none of which knows of the next. So each is
/// visible at once; they are still taken together.
struct OneByOne;

impl Queue for OneByOne {
    const NAME: &'static str = "rtrb, any type, one by one";
    type In = <Rtrb<Acting> as Queue>::In;
    type Out = <Rtrb<Acting> as Queue>::Out;

    fn new() -> (Self::In, Self::Out) {
        Rtrb::<Acting>::new()
    }

    #[inline(always)]
    fn send(into: &mut Self::In, batch: u64, gone: impl Fn() -> bool) -> bool {
        (0..batch).all(|_| Rtrb::<Acting>::send(into, 1, &gone))
    }

    #[inline(always)]
    fn take(out: &mut Self::Out, batch: u64, sum: &Sum) -> u64 {
        Rtrb::<Acting>::take(out, batch, sum)
    }
}

struct Array;

impl Queue for Array {
    const NAME: &'static str = "crossbeam ArrayQueue";
    type In = Arc<ArrayQueue<Line>>;
    type Out = Arc<ArrayQueue<Line>>;

    fn new() -> (Self::In, Self::Out) {
        let queue = Arc::new(ArrayQueue::new(SLOTS));
        (queue.clone(), queue)
    }

    #[inline(always)]
    fn send(into: &mut Self::In, batch: u64, gone: impl Fn() -> bool) -> bool {
        for _ in 0..batch {
            let mut line = Line::new(next());
            while let Err(back) = into.push(line) {
                if gone() {
                    return false;
                }
                line = back;
            }
        }
        true
    }

    #[inline(always)]
    fn take(out: &mut Self::Out, batch: u64, sum: &Sum) -> u64 {
        let taken = (0..batch).map_while(|_| out.pop());
        taken.map(|line| line.act(sum)).count() as u64
    }
}

struct Channel;

impl Queue for Channel {
    const NAME: &'static str = "crossbeam channel";
    type In = channel::Sender<Line>;
    type Out = channel::Receiver<Line>;

    fn new() -> (Self::In, Self::Out) {
        channel::bounded(SLOTS)
    }

    #[inline(always)]
    fn send(into: &mut Self::In, batch: u64, gone: impl Fn() -> bool) -> bool {
        for _ in 0..batch {
            let mut line = Line::new(next());
            while let Err(refused) = into.try_send(line) {
                if gone() {
                    return false;
                }
                line = refused.into_inner();
            }
        }
        true
    }

    #[inline(always)]
    fn take(out: &mut Self::Out, batch: u64, sum: &Sum) -> u64 {
        let taken = (0..batch).map_while(|_| out.try_recv().ok());
        taken.map(|line| line.act(sum)).count() as u64
    }
}

/// No queue at all: a line with the count of messages.
struct Bare;

impl Queue for Bare {
    const NAME: &'static str = "a bare line";
    type In = (Arc<CachePadded<AtomicU64>>, u64);
    type Out = (Arc<CachePadded<AtomicU64>>, u64);

    fn new() -> (Self::In, Self::Out) {
        let line = Arc::new(CachePadded::new(AtomicU64::new(0)));
        ((line.clone(), 0), (line, 0))
    }

    #[inline(always)]
    fn send((line, sent): &mut Self::In, batch: u64, _gone: impl Fn() -> bool) -> bool {
        *sent += batch;
        line.store(*sent, Ordering::Release);
        true
    }

    #[inline(always)]
    fn take((line, taken): &mut Self::Out, _batch: u64, _sum: &Sum) -> u64 {
        let there = line.load(Ordering::Acquire) - *taken;
        *taken += there;
        there
    }
}

/// Both ends of a queue, elsewhere than in the runs before: by how many `runs` there were, up to seven
/// others are held while it is allocated.
fn new_elsewhere<Q: Queue>(runs: &mut usize) -> (Q::In, Q::Out) {
    *runs += 1;
    let _held: Vec<_> = (0..*runs % 8).map(|_| Q::new()).collect();
    Q::new()
}

fn one_thread(c: &mut Criterion) {
    for batch in BATCHES {
        let mut group = c.benchmark_group(format!("ring/one thread/{batch}"));
        group.throughput(Throughput::Elements(batch));
        one_thread_of::<Ours>(&mut group, batch);
        one_thread_of::<Rtrb<Line>>(&mut group, batch);
        one_thread_of::<Rtrb<Acting>>(&mut group, batch);
        one_thread_of::<OneByOne>(&mut group, batch);
        one_thread_of::<Array>(&mut group, batch);
        one_thread_of::<Channel>(&mut group, batch);
        group.finish();
    }
}

fn one_thread_of<Q: Queue>(group: &mut BenchmarkGroup<'_, WallTime>, batch: u64) {
    let (mut into, mut out) = Q::new();
    let sum = Sum::default();
    group.bench_function(Q::NAME, |b| {
        b.iter(|| {
            Q::send(&mut into, batch, || false);
            Q::take(&mut out, batch, &sum)
        });
    });
    black_box(sum.get());
}

fn two_threads(c: &mut Criterion) {
    let [first, .., second] = allowed_cores()[..] else {
        // One core: nothing to measure.
        return;
    };
    for batch in BATCHES {
        let mut group = c.benchmark_group(format!("ring/two threads/{batch}"));
        // A figure is of `CROSSING` messages.
        group.throughput(Throughput::Elements(CROSSING));
        group.sample_size(20);
        two_threads_of::<Ours>(&mut group, (first, second), batch);
        two_threads_of::<Rtrb<Line>>(&mut group, (first, second), batch);
        two_threads_of::<Rtrb<Acting>>(&mut group, (first, second), batch);
        two_threads_of::<OneByOne>(&mut group, (first, second), batch);
        two_threads_of::<Array>(&mut group, (first, second), batch);
        two_threads_of::<Channel>(&mut group, (first, second), batch);
        group.finish();
    }
}

fn two_threads_of<Q: Queue>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    cores: (usize, usize),
    batch: u64,
) {
    let mut runs = 0;
    group.bench_function(Q::NAME, |b| {
        b.iter_custom(|times| {
            let run = |_| crossing::<Q>(cores, batch, new_elsewhere::<Q>(&mut runs));
            (0..times).map(run).sum()
        });
    });
}

/// How long `CROSSING` messages take to get from one core to the other, once both are warm.
fn crossing<Q: Queue>(
    cores: (usize, usize),
    batch: u64,
    (mut into, mut out): (Q::In, Q::Out),
) -> Duration {
    let gone = AtomicBool::new(false);
    let gone = &gone;
    on_both(
        cores,
        move |_| {
            let sum = Sum::default();
            let mut receive = |messages| {
                let mut taken = 0;
                while taken < messages {
                    taken += Q::take(&mut out, batch, &sum);
                }
            };
            receive(CROSSING / 4);
            let begun = Instant::now();
            receive(CROSSING);
            let took = begun.elapsed();
            gone.store(true, Ordering::Relaxed);
            black_box(sum.get());
            took
        },
        move || while Q::send(&mut into, batch, || gone.load(Ordering::Relaxed)) {},
    )
    .expect("two cores that may be used")
}

fn there_and_back(c: &mut Criterion) {
    let [first, .., second] = allowed_cores()[..] else {
        return;
    };
    let mut group = c.benchmark_group("ring/there and back");
    // A figure is of `TRIPS` round trips.
    group.throughput(Throughput::Elements(TRIPS));
    group.sample_size(20);
    there_and_back_of::<Bare>(&mut group, (first, second));
    there_and_back_of::<Ours>(&mut group, (first, second));
    there_and_back_of::<Rtrb<Line>>(&mut group, (first, second));
    there_and_back_of::<Rtrb<Acting>>(&mut group, (first, second));
    there_and_back_of::<Array>(&mut group, (first, second));
    there_and_back_of::<Channel>(&mut group, (first, second));
    group.finish();
}

fn there_and_back_of<Q: Queue>(group: &mut BenchmarkGroup<'_, WallTime>, cores: (usize, usize)) {
    let mut runs = 0;
    group.bench_function(Q::NAME, |b| {
        b.iter_custom(|times| {
            let run = |_| {
                let there = new_elsewhere::<Q>(&mut runs);
                trips::<Q>(cores, there, new_elsewhere::<Q>(&mut runs))
            };
            (0..times).map(run).sum()
        });
    });
}

/// How long `TRIPS` messages take to get to the other core and be answered, one at a time.
fn trips<Q: Queue>(
    cores: (usize, usize),
    (mut there, mut arrived): (Q::In, Q::Out),
    (mut back, mut answered): (Q::In, Q::Out),
) -> Duration {
    let gone = AtomicBool::new(false);
    let gone = &gone;
    on_both(
        cores,
        move |_| {
            let sum = Sum::default();
            let mut go = |trips| {
                for _ in 0..trips {
                    Q::send(&mut there, 1, || false);
                    while Q::take(&mut answered, 1, &sum) == 0 {}
                }
            };
            go(TRIPS / 4);
            let begun = Instant::now();
            go(TRIPS);
            let took = begun.elapsed();
            gone.store(true, Ordering::Relaxed);
            black_box(sum.get());
            took
        },
        move || {
            let sum = Sum::default();
            while !gone.load(Ordering::Relaxed) {
                if Q::take(&mut arrived, 1, &sum) == 1 {
                    Q::send(&mut back, 1, || false);
                }
            }
        },
    )
    .expect("two cores that may be used")
}

criterion_group!(benches, one_thread, two_threads, there_and_back);
criterion_main!(benches);
