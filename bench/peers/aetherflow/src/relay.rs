//! `ring` and `ping-pong`: actors that pass one message on and on.

use std::sync::mpsc::{self, Sender};

use aetherflow::{Actor, ActorRef};
use peers_common::workload::RING;
use peers_common::{Answer, CALLEE_CORE, CALLER_CORE, Job, Laps, Measured};

use crate::set_up::{reported, system};

/// Messages between two readings of the clock, on one core.
const HOPS: u64 = 1_000;
/// The same where each crosses cores.
const HOPS_ACROSS: u64 = 256;

/// One of those who pass the message on.
#[derive(Default)]
struct Runner {
    next: Option<ActorRef<Runner>>,
    race: Option<Race>,
}

enum Message {
    Join(Box<ActorRef<Runner>>),
    Start(Box<Race>),
    /// So many times more.
    Pass(u64),
}

/// What the one that counts laps knows.
struct Race {
    laps: Laps,
    end: Sender<Measured>,
}

impl Actor for Runner {
    type Message = Message;

    fn handle(&mut self, message: Message) {
        match message {
            Message::Pass(0) => self.lap(),
            Message::Pass(left) => self.pass(left - 1),
            Message::Join(next) => self.next = Some(*next),
            Message::Start(race) => {
                self.race = Some(*race);
                self.lap();
            }
        }
    }
}

impl Runner {
    #[inline]
    fn pass(&mut self, left: u64) {
        let next = self.next.as_ref().expect("all have joined");
        let told = next.try_send(Message::Pass(left));
        assert!(told.is_ok(), "one message fits into a mailbox");
    }

    fn lap(&mut self) {
        let Some(race) = &mut self.race else { return };
        if race.laps.again() {
            // One hop is this runner's own.
            let hops = race.laps.batch();
            self.pass(hops - 1);
        } else if let Some(race) = self.race.take() {
            // Whoever waits for it may have given up.
            let _ = race.end.send(race.laps.end());
        }
    }
}

/// The runners are made in the order of the ring, so that one turn of the core's poll takes the
/// token all around: the best that the peer can do.
pub fn ring(job: &Job) -> Answer {
    let measured = race(job, RING, CALLER_CORE, HOPS);
    Answer::of(&measured).figure("hop_ns", measured.median_ns)
}

pub fn ping_pong(job: &Job) -> Answer {
    let across = race(job, 2, CALLEE_CORE, HOPS_ACROSS);
    let local = race(job, 2, CALLER_CORE, HOPS);
    Answer::of(&across)
        .figure("message_ns", across.median_ns)
        .figure("local_message_ns", local.median_ns)
}

/// Has `runners`, every second on `core`, pass a message on in laps of `hops`.
fn race(job: &Job, runners: usize, core: usize, hops: u64) -> Measured {
    let system = system(job, core + 1);
    let cores = [CALLER_CORE, core];
    let runners: Vec<_> = (0..runners)
        .map(|index| system.spawn_on(cores[index % 2], Runner::default()))
        .collect();
    let tell = |index: usize, message| assert!(runners[index].try_send(message).is_ok());
    for index in 0..runners.len() {
        let next = runners[(index + 1) % runners.len()].clone();
        tell(index, Message::Join(Box::new(next)));
    }
    let (end, ends) = mpsc::channel();
    let laps = Laps::start(job.lasts, hops);
    tell(0, Message::Start(Box::new(Race { laps, end })));
    reported(&ends)
}
