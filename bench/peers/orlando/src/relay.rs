//! `ring` and `ping-pong`: grains that pass one message on and on.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orlando_core::{Grain, GrainContext, GrainHandler, GrainRef, Message};
use orlando_runtime::Silo;
use peers_common::tokio_modes::{Cores, Home, Stage};
use peers_common::workload::RING;
use peers_common::{Answer, Job, Laps, Measured};
use tokio::sync::oneshot;

use crate::grains::one_way;

/// Messages between two readings of the clock: a multiple of all numbers of runners.
const LAP: u64 = 1_000;

/// A token passes many grains on one core.
pub fn ring(job: Job) -> Answer {
    let measured = race(job, Cores::One, RING);
    Answer::of(&measured).figure("hop_ns", measured.median_ns)
}

/// Two grains tell each other in turn.
pub fn ping_pong(job: Job) -> Answer {
    let across = race(job, Cores::Two, 2);
    let local = race(job, Cores::One, 2);
    Answer::of(&across)
        .figure("message_ns", across.median_ns)
        .figure("local_message_ns", local.median_ns)
}

/// Passes the message on.
struct Runner;

#[derive(Default)]
struct Running {
    next: Option<GrainRef<Runner>>,
    race: Option<(Laps, oneshot::Sender<Measured>)>,
}

/// Learn who comes next.
struct Join(GrainRef<Runner>);

/// Begin a race, which ends at this very runner.
struct Start {
    lasts: Duration,
    end: oneshot::Sender<Measured>,
}

/// Pass this on so many times more.
struct Pass {
    left: u64,
}

impl Grain for Runner {
    type State = Running;
}

impl Message for Join {
    type Result = ();
}

impl Message for Start {
    type Result = ();
}

impl Message for Pass {
    type Result = ();
}

#[async_trait]
impl GrainHandler<Join> for Runner {
    async fn handle(running: &mut Running, join: Join, _: &GrainContext) {
        running.next = Some(join.0);
    }
}

#[async_trait]
impl GrainHandler<Start> for Runner {
    async fn handle(running: &mut Running, start: Start, _: &GrainContext) {
        running.race = Some((Laps::start(start.lasts, LAP), start.end));
        running.lap();
    }
}

#[async_trait]
impl GrainHandler<Pass> for Runner {
    async fn handle(running: &mut Running, pass: Pass, _: &GrainContext) {
        match black_box(pass.left) {
            0 => running.lap(),
            left => running.on(left - 1),
        }
    }
}

impl Running {
    fn lap(&mut self) {
        let Some((mut laps, end)) = self.race.take() else {
            return;
        };
        if laps.again() {
            self.race = Some((laps, end));
            // One hop is this runner's own.
            self.on(LAP - 1);
        } else {
            // Whoever waits for it may have given up.
            let _ = end.send(laps.end());
        }
    }

    #[inline]
    fn on(&self, left: u64) {
        let next = self.next.as_ref().expect("somebody comes next");
        // At most one message is under way, so there is room.
        let told = next.sender().try_send(one_way::<Runner, _>(Pass { left }));
        told.expect("the next one has room");
    }
}

/// The runners live in turn with the caller and with the callee.
fn race(job: Job, cores: Cores, count: usize) -> Measured {
    let stage = Stage::tokio(job.mode, cores);
    let homes = [stage.caller.clone(), stage.callee.clone()];
    stage.caller.drive(async move {
        let silo = Arc::new(Silo::new());
        let mut runners = Vec::with_capacity(count);
        for n in 0..count {
            let silo = silo.clone();
            let activate = async move { silo.get_ref::<Runner>(n.to_string()) };
            runners.push(homes[n % 2].run(activate).await);
        }
        for (n, runner) in runners.iter().enumerate() {
            let next = runners[(n + 1) % count].clone();
            runner.ask(Join(next)).await.expect("the runner answers");
        }
        let (end, ended) = oneshot::channel();
        let start = Start {
            lasts: job.lasts,
            end,
        };
        runners[0].ask(start).await.expect("the runner answers");
        ended.await.expect("the race ends")
    })
}
