//! `activate` and `idle`: many actors, most of them with nothing to do.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use aetherflow::{Actor, ActorRef, System};
use peers_common::workload::{CALLEES, OUTSTANDING};
use peers_common::{Answer, CALLER_CORE, Job, Measured, memory};

use crate::set_up::{reported, system};

/// The smallest mailbox that works: the default one is an array of 1,024 slots, 24 KiB, in each
/// actor. (In one of a single slot, the published queue can't tell full from empty.)
const MAILBOX: usize = 2;
/// Actors made and asked at a time while memory is measured.
const CHUNK: usize = 16_384;
/// A core polls all its actors for each round of asks, so a million take hours: no more are made
/// after this time, which shows the peer better than it would be with all of them.
const LONGEST: Duration = Duration::from_secs(3);

/// An actor of eight bytes.
#[derive(Default)]
struct Leaf {
    asked: u64,
}

/// Asks how often it was asked. The answer comes by a channel, so that several can be outstanding.
struct Touch(Sender<u64>);

impl Actor for Leaf {
    type Message = Touch;

    fn handle(&mut self, Touch(reply): Touch) {
        self.asked += 1;
        // Whoever waits for it may have given up.
        let _ = reply.send(self.asked);
    }
}

/// The figure `activated` says how many actors there was time for.
pub fn activate(job: &Job) -> Answer {
    let bytes = bytes_per_idle_actor(job);
    memory::touch();
    let system = system(job, 1);
    let mut leaves = Vec::new();
    let begun = Instant::now();
    while (leaves.len() as u64) < job.keys && begun.elapsed() < LONGEST {
        activate_some(&system, &mut leaves, OUTSTANDING);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let count = leaves.len() as u64;
    let measured = Measured {
        count,
        seconds,
        median_ns: seconds * 1e9 / count as f64,
    };
    Answer::of(&measured)
        .figure("activations_per_s", measured.per_s())
        .figure("bytes_per_idle_actor", bytes)
        .figure("activated", count as f64)
}

/// An actor lives as long as somebody has its address: that is part of what it takes.
fn bytes_per_idle_actor(job: &Job) -> f64 {
    let system = system(job, 1);
    let mut leaves = Vec::with_capacity(job.keys as usize + 2 * CHUNK);
    // What the first ones use up is no part of it.
    activate_some(&system, &mut leaves, CHUNK);
    let before = memory::resident_bytes();
    let first = leaves.len();
    while ((leaves.len() - first) as u64) < job.keys {
        activate_some(&system, &mut leaves, CHUNK);
    }
    let grown = memory::resident_bytes().saturating_sub(before);
    grown as f64 / (leaves.len() - first) as f64 - size_of::<Leaf>() as f64
}

/// Makes `many` actors and asks each once.
fn activate_some(system: &System, leaves: &mut Vec<ActorRef<Leaf>>, many: usize) {
    let (reply, answers) = mpsc::channel();
    for _ in 0..many {
        let leaf = system.spawn_on_with(CALLER_CORE, Leaf::default(), MAILBOX);
        assert!(leaf.try_send(Touch(reply.clone())).is_ok());
        leaves.push(leaf);
    }
    for _ in 0..many {
        assert_eq!(
            black_box(reported(&answers)),
            1,
            "it was never asked before"
        );
    }
}

/// On two cores.
pub fn idle(job: &Job) -> Answer {
    let system = system(job, 2);
    let (reply, answers) = mpsc::channel();
    let leaves: Vec<_> = (0..CALLEES)
        .map(|_| system.spawn(Leaf::default()))
        .collect();
    for leaf in &leaves {
        assert!(leaf.try_send(Touch(reply.clone())).is_ok());
        reported(&answers);
    }
    Answer::default().figure("cpu_percent", memory::idle_percent(Duration::from_secs(2)))
}
