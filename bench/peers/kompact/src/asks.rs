//! `ask-local`, `ask-cross` and `fan-out`.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::mpsc::{self, Sender};

use kompact::prelude::*;
use peers_common::workload::{CALLEES, OUTSTANDING, OUTSTANDING_ACROSS};
use peers_common::{Answer, Job, Laps, Measured, Stamps};

use crate::set_up::{across, pooled, reported, strong, system};

/// Asks between two readings of the clock.
const BATCH: u64 = 512;
/// The same where each is stamped, or crosses cores.
const SMALL_BATCH: u64 = 256;
/// Asks before a loop is measured.
const WARM_UP: u64 = 2_000;

type Callee = ActorRefStrong<Ask<u64, u64>>;

/// Adds up what it is asked to.
#[derive(ComponentDefinition)]
pub struct Counter {
    ctx: ComponentContext<Self>,
    sum: u64,
}

ignore_lifecycle!(Counter);

impl Counter {
    pub fn new() -> Self {
        Counter {
            ctx: ComponentContext::uninitialised(),
            sum: 0,
        }
    }
}

impl Actor for Counter {
    type Message = Ask<u64, u64>;

    fn receive_local(&mut self, ask: Self::Message) -> HandlerResult {
        let (reply, more) = ask.take();
        self.sum += more;
        // Whoever asked may have given up.
        let _ = reply.fulfil(black_box(self.sum));
        Handled::OK
    }
}

/// Asks others.
#[derive(ComponentDefinition)]
struct Caller {
    ctx: ComponentContext<Self>,
}

ignore_lifecycle!(Caller);

impl Caller {
    fn new() -> Self {
        Caller {
            ctx: ComponentContext::uninitialised(),
        }
    }
}

/// What a caller is to do, and whom it tells of it.
enum Errand {
    Ask(Callee, Job, Sender<(Measured, Stamps)>),
    Walk(Vec<Callee>, usize, Job, Sender<Measured>),
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Errand")
    }
}

impl Actor for Caller {
    type Message = Errand;

    fn receive_local(&mut self, errand: Errand) -> HandlerResult {
        Handled::block_on(self, move |_| async move {
            // Whoever waits for it may have given up.
            match errand {
                Errand::Ask(callee, job, end) => {
                    let _ = end.send(ask(&callee, &job).await);
                }
                Errand::Walk(callees, many, job, end) => {
                    let _ = end.send(walk(&callees, many, &job).await);
                }
            }
            Handled::OK
        })
    }
}

/// One ask at a time: a loop that reads no clock, then one of stamped asks.
async fn ask(callee: &Callee, job: &Job) -> (Measured, Stamps) {
    let add = async || black_box(callee.ask(black_box(1)).await.expect("the callee lives"));
    for _ in 0..WARM_UP {
        add().await;
    }
    let mut laps = Laps::start(job.lasts, BATCH);
    while laps.again() {
        for _ in 0..laps.batch() {
            add().await;
        }
    }
    let measured = laps.end();
    let mut stamps = Stamps::new();
    let mut laps = Laps::start(job.lasts, SMALL_BATCH);
    while laps.again() {
        for _ in 0..laps.batch() {
            let begun = stamps.now();
            add().await;
            stamps.record(begun);
        }
    }
    (measured, stamps)
}

/// `many` asks outstanding, to the callees in turn. Answers are awaited in the order of the asks,
/// so that a caller that runs again finds many of them.
async fn walk(callees: &[Callee], many: usize, job: &Job) -> Measured {
    let mut next = 0;
    let mut ask = || {
        let callee = &callees[next];
        next = if next + 1 < callees.len() {
            next + 1
        } else {
            0
        };
        callee.ask(black_box(1))
    };
    let mut outstanding: VecDeque<_> = (0..many).map(|_| ask()).collect();
    let mut laps = Laps::start(job.lasts, SMALL_BATCH);
    while laps.again() {
        for _ in 0..laps.batch() {
            if let Some(oldest) = outstanding.pop_front() {
                black_box(oldest.await.expect("the callee lives"));
            }
            outstanding.push_back(ask());
        }
    }
    let measured = laps.end();
    for left in outstanding {
        left.await.expect("the callee lives");
    }
    measured
}

/// On one worker.
pub fn ask_local(job: &Job) -> Answer {
    let system = system(1);
    let caller = pooled(&system, Caller::new());
    let callee = strong(&pooled(&system, Counter::new()));
    let (end, ends) = mpsc::channel();
    strong(&caller).tell(Errand::Ask(callee, *job, end));
    let (measured, stamps) = reported(&ends);
    Answer::of(&measured)
        .latency(&stamps)
        .figure("ask_ns", measured.median_ns)
}

/// On two.
pub fn ask_cross(job: &Job) -> Answer {
    let system = system(2);
    let (caller, callee) = across(job, &system, Caller::new(), Counter::new());
    let (caller, callee) = (strong(&caller), strong(&callee));
    let (end, ends) = mpsc::channel();
    caller.tell(Errand::Ask(callee.clone(), *job, end));
    let (measured, stamps) = reported(&ends);
    let (end, ends) = mpsc::channel();
    caller.tell(Errand::Walk(vec![callee], OUTSTANDING_ACROSS, *job, end));
    Answer::of(&measured)
        .latency(&stamps)
        .figure("ask_ns", stamps.median_ns())
        .figure("asks_per_s_256", reported(&ends).per_s())
}

/// On one worker, then on two.
pub fn fan_out(job: &Job) -> Answer {
    let local = fan(job, 1, OUTSTANDING);
    let across = fan(job, 2, OUTSTANDING_ACROSS);
    Answer::of(&local)
        .figure("asks_per_s", local.per_s())
        .figure("cross_asks_per_s", across.per_s())
}

fn fan(job: &Job, workers: usize, many: usize) -> Measured {
    let system = system(workers);
    let caller = pooled(&system, Caller::new());
    let callees = (0..CALLEES)
        .map(|_| strong(&pooled(&system, Counter::new())))
        .collect();
    let (end, ends) = mpsc::channel();
    strong(&caller).tell(Errand::Walk(callees, many, *job, end));
    reported(&ends)
}
