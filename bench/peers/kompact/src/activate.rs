//! `activate` and `idle`: many components, each asked once.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use kompact::prelude::*;
use peers_common::workload::{CALLEES, OUTSTANDING};
use peers_common::{Answer, Job, Laps, Measured, memory};

use crate::asks::Counter;
use crate::set_up::{Running, pooled, reported, strong, system};

/// Components made between two readings of the clock.
const BATCH: u64 = 1_000;

type Leaves = Vec<Arc<Component<Counter>>>;

/// Makes components from within the system, so that no other thread need wake its worker.
#[derive(ComponentDefinition)]
struct Starter {
    ctx: ComponentContext<Self>,
}

ignore_lifecycle!(Starter);

/// How many to make, where, and whom to hand them to.
struct Errand(u64, KompactSystem, Sender<(Measured, Leaves)>);

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Errand")
    }
}

impl Actor for Starter {
    type Message = Errand;

    fn receive_local(&mut self, Errand(count, system, end): Errand) -> HandlerResult {
        Handled::block_on(self, move |_| async move {
            // Whoever waits for it may have given up.
            let _ = end.send(start(count, &system).await);
            Handled::OK
        })
    }
}

/// Makes `count` components and asks each once; 64 asks are outstanding.
async fn start(count: u64, system: &KompactSystem) -> (Measured, Leaves) {
    let mut leaves = Vec::with_capacity(count as usize);
    let mut outstanding = VecDeque::with_capacity(OUTSTANDING);
    let mut laps = Laps::start(Duration::MAX, BATCH.min(count));
    while (leaves.len() as u64) < count && laps.again() {
        for _ in 0..laps.batch() {
            if outstanding.len() == OUTSTANDING {
                answered(outstanding.pop_front()).await;
            }
            let leaf = pooled(system, Counter::new());
            outstanding.push_back(strong(&leaf).ask(black_box(1)));
            leaves.push(leaf);
        }
    }
    while !outstanding.is_empty() {
        answered(outstanding.pop_front()).await;
    }
    laps.again();
    (laps.end(), leaves)
}

async fn answered(oldest: Option<KFuture<u64>>) {
    if let Some(oldest) = oldest {
        let sum = oldest.await.expect("the component lives");
        assert_eq!(black_box(sum), 1, "it was never asked before");
    }
}

/// On one worker.
pub fn activate(job: &Job) -> Answer {
    let bytes = bytes_per_idle_actor(job);
    memory::touch();
    let system = system(1);
    let (measured, leaves) = started(job.keys, &system);
    // The program ends here, and taking them apart would take longer than making them.
    std::mem::forget(leaves);
    Answer::of(&measured)
        .figure("activations_per_s", measured.per_s())
        .figure("bytes_per_idle_actor", bytes)
}

fn bytes_per_idle_actor(job: &Job) -> f64 {
    let system = system(1);
    // What the first ones use up is no part of it.
    let (_, _first) = started(BATCH, &system);
    let before = memory::resident_bytes();
    let (_, leaves) = started(job.keys, &system);
    let grown = memory::resident_bytes().saturating_sub(before);
    grown as f64 / leaves.len() as f64 - size_of::<u64>() as f64
}

fn started(count: u64, system: &Running) -> (Measured, Leaves) {
    let starter = pooled(
        system,
        Starter {
            ctx: ComponentContext::uninitialised(),
        },
    );
    let (end, ends) = mpsc::channel();
    strong(&starter).tell(Errand(count, (*system).clone(), end));
    reported(&ends)
}

/// On two workers.
pub fn idle(_job: &Job) -> Answer {
    let system = system(2);
    let (_, _leaves) = started(CALLEES as u64, &system);
    Answer::default().figure("cpu_percent", memory::idle_percent(Duration::from_secs(2)))
}
