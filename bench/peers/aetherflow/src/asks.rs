//! `ask-cross` by the peer's own ask, from a plain thread and from an actor.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};
use std::thread;

use aetherflow::{Actor, ActorRef, Responder};
use peers_common::{Answer, CALLEE_CORE, CALLER_CORE, Job, Laps, Measured, Stamps, pin};

use crate::requests;
use crate::set_up::{reported, system};

/// Asks between two readings of the clock.
const BATCH: u64 = 256;
/// Asks before a loop is measured.
const WARM_UP: u64 = 2_000;

/// Adds up what it is asked to.
#[derive(Default)]
struct Counter {
    sum: u64,
}

/// A number to be added, and where the sum is awaited.
struct Add(u64, Responder<u64>);

impl Actor for Counter {
    type Message = Add;

    fn handle(&mut self, Add(more, reply): Add) {
        self.sum += more;
        reply.reply(black_box(self.sum));
    }
}

/// An actor that asks, and blocks its core meanwhile.
struct Asker;

struct Ask {
    job: Job,
    target: ActorRef<Counter>,
    end: Sender<(Measured, Stamps)>,
}

impl Actor for Asker {
    type Message = Ask;

    fn handle(&mut self, Ask { job, target, end }: Ask) {
        // Whoever waits for it may have given up.
        let _ = end.send(ask(&job, &target));
    }
}

/// Two ways to ask, of which the quicker gives `ask_ns`: a plain thread on a core of its own, as
/// in the peer's own benchmark, and an actor on one of the system's cores.
pub fn ask_cross(job: &Job) -> Answer {
    let (measured, from_thread) = from_thread(job);
    let (by_actor, from_actor) = from_actor(job);
    let (thread_ns, actor_ns) = (from_thread.median_ns(), from_actor.median_ns());
    let answer = if thread_ns <= actor_ns {
        Answer::of(&measured).latency(&from_thread)
    } else {
        Answer::of(&by_actor).latency(&from_actor)
    };
    answer
        .figure("ask_ns", thread_ns.min(actor_ns))
        .figure("thread_ask_ns", thread_ns)
        .figure("actor_ask_ns", actor_ns)
        .figure("asks_per_s_256", requests::asks_per_s_across(job, 1))
}

/// The system has the first core and the thread the second: a system's cores are the first ones.
fn from_thread(job: &Job) -> (Measured, Stamps) {
    let system = system(job, 1);
    let target = system.spawn_on(0, Counter::default());
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            pin(1);
            ask(job, &target)
        });
        asking.join().expect("the asks are answered")
    })
}

fn from_actor(job: &Job) -> (Measured, Stamps) {
    let system = system(job, 2);
    let target = system.spawn_on(CALLEE_CORE, Counter::default());
    let asker = system.spawn_on(CALLER_CORE, Asker);
    let (end, ends) = mpsc::channel();
    let job = *job;
    assert!(asker.try_send(Ask { job, target, end }).is_ok());
    reported(&ends)
}

/// A loop that reads no clock, then one of stamped asks.
fn ask(job: &Job, target: &ActorRef<Counter>) -> (Measured, Stamps) {
    let add = || {
        let answer = target.ask(|reply| Add(black_box(1), reply));
        black_box(answer.expect("the callee lives"))
    };
    for _ in 0..WARM_UP {
        add();
    }
    let mut laps = Laps::start(job.lasts, BATCH);
    while laps.again() {
        for _ in 0..laps.batch() {
            add();
        }
    }
    let measured = laps.end();
    let mut stamps = Stamps::new();
    let mut laps = Laps::start(job.lasts, BATCH);
    while laps.again() {
        for _ in 0..laps.batch() {
            let begun = stamps.now();
            add();
            stamps.record(begun);
        }
    }
    (measured, stamps)
}
