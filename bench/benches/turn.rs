//! A turn: what it takes to ask an actor on one's own shard, and to be answered.
//!
//! In a real engine of one shard, from an actor's turn. The baselines: a call through a box, which
//! knows no actors, and the way that tokio's users build an actor of a task, with a channel to it
//! and one back for each answer.
#![allow(missing_docs)]

use std::fmt::Display;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use quark::prelude::*;
use quark_bench::launch::PATIENCE;
use tokio::sync::{mpsc, oneshot};

#[derive(Default)]
pub struct Callee {
    sum: u64,
}

#[actor(name = "turn.callee")]
impl Callee {
    pub fn sync(&mut self, more: u64) -> u64 {
        self.sum += more;
        self.sum
    }

    pub async fn ready(&mut self, more: u64) -> u64 {
        self.sum += more;
        self.sum
    }

    pub async fn suspended(&mut self, more: u64) -> u64 {
        Once(false).await;
        self.sum += more;
        self.sum
    }
}

/// Ready when it is polled again, which it sees to itself.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[derive(Clone, Copy)]
pub enum What {
    Sync,
    Ready,
    Suspended,
    Tell,
}

#[derive(Default)]
pub struct Caller;

/// One-way messages between two asks that let them be taken, within the credit for them.
const TOLD: u64 = 64;

#[actor(name = "turn.caller")]
impl Caller {
    /// How long `calls` calls take, one after the other.
    pub async fn call(&mut self, what: What, callee: CalleeRef, calls: u64) -> Duration {
        let begun = Instant::now();
        for call in 0..calls {
            let more = black_box(1);
            match what {
                What::Sync => seen(callee.sync(more).await),
                What::Ready => seen(callee.ready(more).await),
                What::Suspended => seen(callee.suspended(more).await),
                What::Tell => {
                    seen(callee.sync(more).tell());
                    if call % TOLD == TOLD - 1 {
                        seen(callee.sync(0).await);
                    }
                }
            }
        }
        begun.elapsed()
    }
}

fn seen<T, E: Display>(answer: Result<T, E>) {
    match answer {
        Ok(answer) => drop(black_box(answer)),
        Err(error) => panic!("a call failed: {error}"),
    }
}

fn turns(c: &mut Criterion) {
    let mut group = c.benchmark_group("turn");

    let topology = Topology::detect().expect("a machine that can be read");
    let engine = Engine::launch(topology.shards(1)).expect("a shard");
    let (caller, callee) = (engine.actor::<Caller>(0_u64), engine.actor::<Callee>(0_u64));
    for (name, what) in [
        ("quark, ask a sync method", What::Sync),
        ("quark, ask an async one that is ready", What::Ready),
        ("quark, ask one that suspends once", What::Suspended),
        ("quark, tell (an ask every 64)", What::Tell),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|calls| {
                let call = caller.call(what, callee.clone(), calls);
                call.timeout(PATIENCE).wait().expect("an answer")
            });
        });
    }
    engine.shutdown();

    group.bench_function("Box<dyn FnMut>", |b| {
        let mut sum = 0;
        let mut boxed: Box<dyn FnMut(u64) -> u64> = black_box(Box::new(move |more| {
            sum += more;
            sum
        }));
        // Hidden each time, or the compiler would look inside it once.
        b.iter(|| black_box(&mut boxed)(black_box(1)));
    });

    group.bench_function("tokio task, mpsc and oneshot", |b| {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime without drivers");
        b.iter_custom(|calls| runtime.block_on(ask_a_task(calls)));
    });
    group.finish();
}

/// How long `calls` calls to a task take, one after the other.
async fn ask_a_task(calls: u64) -> Duration {
    let (sender, mut receiver) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(TOLD as usize);
    let task = tokio::spawn(async move {
        let mut sum = 0;
        while let Some((more, answer)) = receiver.recv().await {
            sum += more;
            // Whoever has asked may have given up.
            let _ = answer.send(sum);
        }
    });
    let begun = Instant::now();
    for _ in 0..calls {
        let (answer, answered) = oneshot::channel();
        seen(sender.send((black_box(1), answer)).await);
        seen(answered.await);
    }
    let took = begun.elapsed();
    drop(sender);
    seen(task.await);
    took
}

criterion_group!(benches, turns);
criterion_main!(benches);
