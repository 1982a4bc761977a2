//! `tell-local`, `tell-cross` and `fan-in`.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};

use aetherflow::{Actor, ActorRef};
use peers_common::workload::{SENDERS, WINDOW};
use peers_common::{Answer, CALLEE_CORE, CALLER_CORE, Job, Laps, Measured};

use crate::set_up::{reported, system};

/// Messages that a sender sends when it is its turn. As many turns are given as messages fit into
/// the target's mailbox, so that no sender finds it full and polls it in vain.
const TURN: u64 = 64;
/// Messages between two readings of the clock.
const BATCH: u64 = 1_024;

/// Adds up what it is told, and lets senders go on.
#[derive(Default)]
struct Target {
    sum: u64,
    pour: Option<Pour>,
}

enum Message {
    Note(u64),
    Start(Box<Pour>),
}

/// What a target is in the midst of.
struct Pour {
    senders: Vec<ActorRef<Source>>,
    next: usize,
    turns: u64,
    laps: Laps,
    over: bool,
    end: Sender<Measured>,
}

impl Actor for Target {
    type Message = Message;

    fn handle(&mut self, message: Message) {
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
    }
}

impl Target {
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
        let told = self.senders[self.next].try_send(());
        assert!(told.is_ok(), "turns fit into a sender's mailbox");
        self.next = (self.next + 1) % self.senders.len();
    }
}

/// Tells the target, a turn at a time.
struct Source {
    target: ActorRef<Target>,
}

impl Actor for Source {
    type Message = ();

    fn handle(&mut self, (): ()) {
        for _ in 0..TURN {
            let told = self.target.try_send(Message::Note(black_box(1)));
            assert!(told.is_ok(), "a turn's messages fit into the mailbox");
        }
    }
}

/// One sender on the target's core.
pub fn tell_local(job: &Job) -> Answer {
    per_s(&pour(job, CALLER_CORE, 1))
}

/// One sender on the other core.
pub fn tell_cross(job: &Job) -> Answer {
    per_s(&pour(job, CALLEE_CORE, 1))
}

/// 100 senders on another core, then on the target's own: there the core polls all of them for
/// each message that the target takes.
pub fn fan_in(job: &Job) -> Answer {
    let across = pour(job, CALLEE_CORE, SENDERS);
    let local = pour(job, CALLER_CORE, SENDERS);
    per_s(&across).figure("local_messages_per_s", local.per_s())
}

fn per_s(measured: &Measured) -> Answer {
    Answer::of(measured).figure("messages_per_s", measured.per_s())
}

/// Has `senders` tell a target on `core`.
fn pour(job: &Job, core: usize, senders: usize) -> Measured {
    let system = system(job, core + 1);
    let target = system.spawn_on(core, Target::default());
    let sender = |_| {
        let target = target.clone();
        system.spawn_on(CALLER_CORE, Source { target })
    };
    let (end, ends) = mpsc::channel();
    let pour = Pour {
        senders: (0..senders).map(sender).collect(),
        next: 0,
        turns: 0,
        laps: Laps::start(job.lasts, BATCH),
        over: false,
        end,
    };
    assert!(target.try_send(Message::Start(Box::new(pour))).is_ok());
    reported(&ends)
}
