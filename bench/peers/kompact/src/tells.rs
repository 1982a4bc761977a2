//! `tell-local`, `tell-cross` and `fan-in`.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};

use kompact::prelude::*;
use peers_common::workload::{SENDERS, WINDOW};
use peers_common::{Answer, Job, Laps, Measured};

use crate::set_up::{across, pooled, reported, strong, system};

/// Messages that a sender sends when it is its turn. Mailboxes have no bound, so the target gives
/// so many turns that no more than the usual window is on its way.
const TURN: u64 = 64;
/// Messages between two readings of the clock.
const BATCH: u64 = 1_024;

/// Adds up what it is told, and lets senders go on.
#[derive(ComponentDefinition)]
struct Target {
    ctx: ComponentContext<Self>,
    sum: u64,
    pour: Option<Pour>,
}

ignore_lifecycle!(Target);

enum Message {
    Note(u64),
    Start(Box<Pour>),
}

/// What a target is in the midst of.
struct Pour {
    senders: Vec<ActorRefStrong<Go>>,
    next: usize,
    turns: u64,
    laps: Laps,
    over: bool,
    end: Sender<Measured>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

impl Actor for Target {
    type Message = Message;

    fn receive_local(&mut self, message: Message) -> HandlerResult {
        match message {
            Message::Note(more) => {
                self.sum += black_box(more);
                // Each message carries a 1, so the sum counts them.
                if self.sum.is_multiple_of(TURN) {
                    self.turn();
                }
            }
            Message::Start(mut pour) => {
                pour.laps.again();
                for _ in 0..WINDOW / TURN {
                    pour.give_turn();
                }
                self.pour = Some(*pour);
            }
        }
        Handled::OK
    }
}

impl Target {
    fn new() -> Self {
        Target {
            ctx: ComponentContext::uninitialised(),
            sum: 0,
            pour: None,
        }
    }

    #[inline(never)]
    fn turn(&mut self) {
        let Some(pour) = &mut self.pour else { return };
        if self.sum.is_multiple_of(BATCH) && !pour.over && !pour.laps.again() {
            pour.over = true;
        }
        if !pour.over {
            pour.give_turn();
        } else if self.sum == pour.turns * TURN
            && let Some(pour) = self.pour.take()
        {
            // All has arrived. Whoever waits for it may have given up.
            let _ = pour.end.send(pour.laps.end());
        }
    }
}

impl Pour {
    fn give_turn(&mut self) {
        self.turns += 1;
        self.senders[self.next].tell(Go);
        self.next = (self.next + 1) % self.senders.len();
    }
}

/// Tells the target, a turn at a time.
#[derive(ComponentDefinition)]
struct Source {
    ctx: ComponentContext<Self>,
    target: Option<ActorRefStrong<Message>>,
}

ignore_lifecycle!(Source);

#[derive(Debug)]
struct Go;

impl Actor for Source {
    type Message = Go;

    fn receive_local(&mut self, Go: Go) -> HandlerResult {
        let target = self.target.as_ref().expect("it has met its target");
        for _ in 0..TURN {
            target.tell(Message::Note(black_box(1)));
        }
        Handled::OK
    }
}

impl Source {
    fn new() -> Self {
        Source {
            ctx: ComponentContext::uninitialised(),
            target: None,
        }
    }
}

/// On one worker.
pub fn tell_local(job: &Job) -> Answer {
    per_s(&pour(job, 1, 1))
}

/// On two.
pub fn tell_cross(job: &Job) -> Answer {
    per_s(&pour(job, 2, 1))
}

/// On two workers, then on one.
pub fn fan_in(job: &Job) -> Answer {
    let anywhere = pour(job, 2, SENDERS);
    let local = pour(job, 1, SENDERS);
    per_s(&anywhere).figure("local_messages_per_s", local.per_s())
}

fn per_s(measured: &Measured) -> Answer {
    Answer::of(measured).figure("messages_per_s", measured.per_s())
}

/// Has `senders` tell a target.
fn pour(job: &Job, workers: usize, senders: usize) -> Measured {
    let system = system(workers);
    let (first, target) = if workers > 1 {
        across(job, &system, Source::new(), Target::new())
    } else {
        (
            pooled(&system, Source::new()),
            pooled(&system, Target::new()),
        )
    };
    let mut sources = vec![first];
    sources.resize_with(senders, || pooled(&system, Source::new()));
    let target = strong(&target);
    for source in &sources {
        source.on_definition(|source| source.target = Some(target.clone()));
    }
    let (end, ends) = mpsc::channel();
    target.tell(Message::Start(Box::new(Pour {
        senders: sources.iter().map(strong).collect(),
        next: 0,
        turns: 0,
        laps: Laps::start(job.lasts, BATCH),
        over: false,
        end,
    })));
    reported(&ends)
}
