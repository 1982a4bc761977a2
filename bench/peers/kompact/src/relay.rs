//! `ring` and `ping-pong`: components that pass one message on and on.

use std::sync::mpsc::{self, Sender};

use kompact::prelude::*;
use peers_common::workload::RING;
use peers_common::{Answer, Job, Laps, Measured};

use crate::set_up::{across, pooled, reported, strong, system};

/// Messages between two readings of the clock.
const HOPS: u64 = 1_000;

/// One of those who pass the message on.
#[derive(ComponentDefinition)]
struct Runner {
    ctx: ComponentContext<Self>,
    next: Option<ActorRefStrong<Message>>,
    race: Option<Race>,
}

ignore_lifecycle!(Runner);

enum Message {
    Start(Box<Race>),
    /// So many times more.
    Pass(u64),
}

/// What the one that counts laps knows.
struct Race {
    laps: Laps,
    end: Sender<Measured>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

impl Actor for Runner {
    type Message = Message;

    fn receive_local(&mut self, message: Message) -> HandlerResult {
        match message {
            Message::Pass(0) => self.lap(),
            Message::Pass(left) => self.pass(left - 1),
            Message::Start(race) => {
                self.race = Some(*race);
                self.lap();
            }
        }
        Handled::OK
    }
}

impl Runner {
    fn new() -> Self {
        Runner {
            ctx: ComponentContext::uninitialised(),
            next: None,
            race: None,
        }
    }

    #[inline]
    fn pass(&mut self, left: u64) {
        let next = self.next.as_ref().expect("it knows who comes next");
        next.tell(Message::Pass(left));
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

/// On one worker.
pub fn ring(job: &Job) -> Answer {
    let measured = race(job, &system(1), RING, false);
    Answer::of(&measured).figure("hop_ns", measured.median_ns)
}

/// On two workers, then on one.
pub fn ping_pong(job: &Job) -> Answer {
    let across = race(job, &system(2), 2, true);
    let local = race(job, &system(1), 2, false);
    Answer::of(&across)
        .figure("message_ns", across.median_ns)
        .figure("local_message_ns", local.median_ns)
}

/// Has `runners` pass a message on.
fn race(job: &Job, system: &KompactSystem, runners: usize, crosses: bool) -> Measured {
    let runners: Vec<_> = if crosses {
        let (one, other) = across(job, system, Runner::new(), Runner::new());
        vec![one, other]
    } else {
        (0..runners)
            .map(|_| pooled(system, Runner::new()))
            .collect()
    };
    for (index, runner) in runners.iter().enumerate() {
        let next = strong(&runners[(index + 1) % runners.len()]);
        runner.on_definition(|runner| runner.next = Some(next));
    }
    let (end, ends) = mpsc::channel();
    let laps = Laps::start(job.lasts, HOPS);
    strong(&runners[0]).tell(Message::Start(Box::new(Race { laps, end })));
    reported(&ends)
}
