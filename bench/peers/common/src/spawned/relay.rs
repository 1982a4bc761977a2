//! `ring` and `ping-pong`: actors that pass one message on and on.

use std::sync::mpsc;
use std::time::Duration;

use super::Spawned;
use crate::answer::Answer;
use crate::cli::Job;
use crate::laps::{Laps, Measured};
use crate::tokio_modes::{Cores, Home, Stage};
use crate::workload::RING;

/// Messages between two readings of the clock: a multiple of all numbers of runners.
const HOPS: u64 = 1_000;
/// Nothing that a race waits for takes as long: the message was lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an actor that passes a message on keeps and does, whoever's actor it is. It sends on what
/// its functions give.
pub struct Runner<R> {
    next: Option<R>,
    race: Option<Race>,
}

/// What the one that counts laps knows.
pub struct Race {
    laps: Laps,
    end: mpsc::Sender<Measured>,
}

impl<R> Default for Runner<R> {
    fn default() -> Self {
        Runner {
            next: None,
            race: None,
        }
    }
}

impl<R> Runner<R> {
    /// Learns who comes next.
    pub fn join(&mut self, next: R) {
        self.next = Some(next);
    }

    /// Begins a race.
    #[must_use]
    pub fn start(&mut self, race: Race) -> Option<(&R, u64)> {
        self.race = Some(race);
        self.lap()
    }

    /// Takes the message that is to be passed on `left` times more.
    #[inline]
    #[must_use]
    pub fn pass(&mut self, left: u64) -> Option<(&R, u64)> {
        if left == 0 {
            return self.lap();
        }
        Some((self.next.as_ref()?, left - 1))
    }

    fn lap(&mut self) -> Option<(&R, u64)> {
        if self.race.as_mut()?.laps.again() {
            // One hop is this runner's own.
            return Some((self.next.as_ref()?, HOPS - 1));
        }
        let Race { laps, end } = self.race.take()?;
        end.send(laps.end()).expect("the workload waits for it");
        None
    }
}

pub(super) fn ring<S: Spawned>(job: &Job) -> Answer {
    let hops = race::<S>(&S::stage(job.mode, Cores::One), RING, job.lasts);
    Answer::of(&hops).figure("hop_ns", hops.median_ns)
}

pub(super) fn ping_pong<S: Spawned>(job: &Job) -> Answer {
    let local = race::<S>(&S::stage(job.mode, Cores::One), 2, job.lasts);
    let across = race::<S>(&S::stage(job.mode, Cores::Two), 2, job.lasts);
    Answer::of(&across)
        .figure("message_ns", across.median_ns)
        .figure("local_message_ns", local.median_ns)
}

/// Has `runners` runners pass a message on, every second one of them at the callee's home.
fn race<S: Spawned>(stage: &Stage<S::Home>, runners: usize, lasts: Duration) -> Measured {
    let runners: Vec<_> = (0..runners)
        .map(|n| match n % 2 {
            0 => stage.caller.drive(S::runner()),
            _ => stage.callee.drive(S::runner()),
        })
        .collect();
    let (end, ended) = mpsc::channel();
    stage.caller.drive(async move {
        for (n, runner) in runners.iter().enumerate() {
            let next = runners[(n + 1) % runners.len()].clone();
            S::join(runner, next).await;
        }
        let laps = Laps::start(lasts, HOPS);
        S::start(&runners[0], Race { laps, end }).await;
    });
    ended
        .recv_timeout(PATIENCE)
        .expect("the message comes round")
}
