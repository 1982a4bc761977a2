//! Asks made of two messages: `fan-out`, and asks one at a time in the mode `spin-messages`.
//!
//! Callees know their caller from the start, so that no message need carry its address.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};

use aetherflow::{Actor, ActorRef};
use peers_common::workload::{CALLEES, OUTSTANDING, OUTSTANDING_ACROSS};
use peers_common::{Answer, CALLEE_CORE, CALLER_CORE, Job, Laps, Measured, Stamps};

use crate::set_up::{reported, system};

/// Answers between two readings of the clock.
const BATCH: u64 = 256;

/// The peer's default mailbox.
const MANY: usize = 1_024;
/// The smallest that works, where no callee is asked twice at once: a core that polls a thousand
/// mailboxes walks through less memory, which doubles the rate.
const FEW: usize = 2;

/// Adds up what it is asked to, and tells its caller the sum.
struct Callee {
    sum: u64,
    caller: ActorRef<Caller>,
}

impl Actor for Callee {
    type Message = u64;

    fn handle(&mut self, more: u64) {
        self.sum += more;
        let told = self.caller.try_send(Message::Answer(black_box(self.sum)));
        assert!(told.is_ok(), "answers fit into the caller's mailbox");
    }
}

/// Asks its callees in turn.
#[derive(Default)]
struct Caller {
    round: Option<Round>,
}

enum Message {
    Start(Box<Round>),
    Answer(u64),
}

/// What a caller is doing.
struct Round {
    callees: Vec<ActorRef<Callee>>,
    next: usize,
    outstanding: u64,
    answered: u64,
    over: bool,
    laps: Laps,
    /// Latencies of single asks, where one is outstanding at a time.
    stamps: Option<Stamps>,
    begun: u64,
    end: Sender<(Measured, Option<Stamps>)>,
}

impl Actor for Caller {
    type Message = Message;

    fn handle(&mut self, message: Message) {
        match (message, &mut self.round) {
            (Message::Answer(sum), Some(round)) => {
                black_box(sum);
                if round.answer() {
                    self.end();
                }
            }
            (Message::Answer(_), None) => {}
            (Message::Start(mut round), none) => {
                round.laps.again();
                for _ in 0..round.outstanding {
                    round.ask();
                }
                *none = Some(*round);
            }
        }
    }
}

impl Caller {
    fn end(&mut self) {
        if let Some(round) = self.round.take() {
            // Whoever waits for it may have given up.
            let _ = round.end.send((round.laps.end(), round.stamps));
        }
    }
}

impl Round {
    /// Takes an answer and asks the next callee; whether it was the last answer.
    #[inline]
    fn answer(&mut self) -> bool {
        if self.over {
            self.outstanding -= 1;
            return self.outstanding == 0;
        }
        if let Some(stamps) = &mut self.stamps {
            stamps.record(self.begun);
        }
        self.answered += 1;
        if self.answered.is_multiple_of(BATCH) && !self.laps.again() {
            self.over = true;
        }
        // Once more when it is over, so that it ends with what is outstanding.
        self.ask();
        false
    }

    #[inline]
    fn ask(&mut self) {
        let at = self.next;
        self.next = if at + 1 < self.callees.len() {
            at + 1
        } else {
            0
        };
        if let Some(stamps) = &self.stamps {
            self.begun = stamps.now();
        }
        let asked = self.callees[at].try_send(black_box(1));
        assert!(asked.is_ok(), "requests fit into a callee's mailbox");
    }
}

/// One ask at a time to a callee on the caller's core.
pub fn ask_local(job: &Job) -> Answer {
    let (measured, _) = round(job, CALLER_CORE, 1, 1, None);
    let (_, stamps) = round(job, CALLER_CORE, 1, 1, Some(Stamps::new()));
    Answer::of(&measured)
        .latency(&stamps.expect("it was stamped"))
        .figure("ask_ns", measured.median_ns)
}

/// One ask at a time to a callee on the other core.
pub fn ask_cross(job: &Job) -> Answer {
    let (measured, _) = round(job, CALLEE_CORE, 1, 1, None);
    let (_, stamps) = round(job, CALLEE_CORE, 1, 1, Some(Stamps::new()));
    let stamps = stamps.expect("it was stamped");
    Answer::of(&measured)
        .latency(&stamps)
        .figure("ask_ns", stamps.median_ns())
        .figure("asks_per_s_256", asks_per_s_across(job, 1))
}

/// One caller takes one answer in each turn of its core, in which all callees there are polled:
/// on one core that is what the peer's way to schedule costs.
pub fn fan_out(job: &Job) -> Answer {
    let (local, _) = round(job, CALLER_CORE, CALLEES, OUTSTANDING, None);
    Answer::of(&local)
        .figure("asks_per_s", local.per_s())
        .figure("cross_asks_per_s", asks_per_s_across(job, CALLEES))
}

/// With 256 asks outstanding to `callees` on the other core.
pub fn asks_per_s_across(job: &Job, callees: usize) -> f64 {
    let (measured, _) = round(job, CALLEE_CORE, callees, OUTSTANDING_ACROSS, None);
    measured.per_s()
}

/// A caller keeps `many` asks outstanding to `callees` on `core`.
fn round(
    job: &Job,
    core: usize,
    callees: usize,
    many: usize,
    stamps: Option<Stamps>,
) -> (Measured, Option<Stamps>) {
    let system = system(job, core + 1);
    let caller = system.spawn_on(CALLER_CORE, Caller::default());
    let mailbox = if callees > many { FEW } else { MANY };
    let callee = |_| {
        let caller = caller.clone();
        system.spawn_on_with(core, Callee { sum: 0, caller }, mailbox)
    };
    let (end, ends) = mpsc::channel();
    let round = Round {
        callees: (0..callees).map(callee).collect(),
        next: 0,
        outstanding: many as u64,
        answered: 0,
        over: false,
        laps: Laps::start(job.lasts, BATCH),
        stamps,
        begun: 0,
        end,
    };
    assert!(caller.try_send(Message::Start(Box::new(round))).is_ok());
    reported(&ends)
}
