//! `moves`: actors that move between two cores, 10,000 a second, while both cores call them.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use quark::{MigrateError, prelude::*};
use quark_shards::sleep::yield_now;

use super::actors::until;
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::latency::{Latency, Schedule};
use crate::launch::{Needs, PATIENCE, Plan, keys_on};
use crate::pace::{Goal, Measured, Pace};
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "moves",
    about: "Both cores call 100 actors that move from one to the other, 10,000 a second.",
    unit: "calls",
    floor: None,
    run: moves,
};

/// Actors that move.
const NOMADS: u64 = 100;
/// Moves a second when nobody says.
const MOVES_PER_S: f64 = 10_000.0;
const USUAL: Goal = Goal::Time(Duration::from_secs(2));

/// Moves when it is told to, and sees that each visitor's messages come in their order.
#[derive(Debug, Default)]
pub(crate) struct Nomad {
    last: [u64; 2],
    entries: u64,
    disordered: u64,
}

#[actor(name = "bench.nomad")]
impl Nomad {
    /// Notes message `number` of a visitor.
    pub fn note(&mut self, visitor: usize, number: u64) {
        let last = &mut self.last[visitor % 2];
        self.disordered += u64::from(number != *last + 1);
        *last = number;
        self.entries += 1;
    }

    /// The same, answered.
    pub fn ask(&mut self, visitor: usize, number: u64) {
        self.note(visitor, number);
    }

    /// Moves.
    pub fn go(&mut self, cx: &Cx<Self>, to: u16) -> Result<(), MigrateError> {
        cx.migrate(to)
    }

    /// How many messages it had, and how many of them not in their order.
    pub fn account(&self) -> (u64, u64) {
        (self.entries, self.disordered)
    }
}

/// Calls nomads from its own core.
#[derive(Debug, Default)]
pub(crate) struct Visitor;

#[actor(name = "bench.visitor")]
impl Visitor {
    /// Tells each nomad something, then asks it, in turn: what the asks take, and how many
    /// messages went out.
    pub async fn visit(
        &mut self,
        nomads: Arc<[NomadRef]>,
        visitor: usize,
        pace: Pace,
    ) -> (Measured, Latency, u64) {
        let mut latency = Latency::new();
        let mut sent = 0;
        let mut laps = pace.start();
        let clock = laps.clock();
        while laps.next(nomads.len() as u64).is_some() {
            let round = sent / nomads.len() as u64;
            for nomad in &*nomads {
                if let Err(error) = nomad.note(visitor, round + 1).send().await {
                    laps.fail(&error);
                }
                let begun = clock.now();
                let answer = nomad.ask(visitor, round + 2).await;
                latency.record(clock.now() - begun);
                if let Err(error) = answer {
                    laps.fail(&error);
                }
                sent += 2;
            }
            yield_now().await;
        }
        (laps.end(), latency, sent)
    }

    /// Has the nomads move, each in turn to the other core, on a schedule.
    pub async fn drive(
        &mut self,
        nomads: Arc<[NomadRef]>,
        per_s: f64,
        pace: Pace,
    ) -> (Measured, u64) {
        let mut laps = pace.start();
        let clock = laps.clock();
        let schedule = Schedule::new(clock.now(), per_s);
        let mut moved = 0;
        while laps.next(1).is_some() {
            until(&clock, schedule.due(moved)).await;
            let round = moved / nomads.len() as u64;
            let nomad = &nomads[(moved % nomads.len() as u64) as usize];
            if let Err(error) = nomad.go((round % 2) as u16).await {
                laps.fail(&error);
            }
            moved += 1;
        }
        (laps.end(), moved)
    }
}

fn moves(setup: &Setup) -> Result<Report, Error> {
    let needs = Needs {
        shards: 2,
        idle: Idle::Spin,
    };
    let plan = Plan::new(WORKLOAD.name, setup, needs)?;
    let session = plan.launch()?;
    let engine = &session.engine;
    let nomads: Arc<[NomadRef]> = (0..NOMADS).map(|key| engine.actor::<Nomad>(key)).collect();
    let visitor = |shard: u16, index: usize| {
        let keys = keys_on(shard, index + 1, |key| engine.home_of::<Visitor>(key));
        engine.actor::<Visitor>(keys[index])
    };
    let (here, there, driver) = (visitor(0, 0), visitor(1, 0), visitor(0, 1));
    let pace = session.pace(USUAL);
    let per_s = setup.options.rate.unwrap_or(MOVES_PER_S);

    let ((measured, mut latency, mut sent), (other, beside, also_sent), (drove, moved)) = pace
        .watched(WORKLOAD.name, || {
            thread::scope(|scope| {
                let drive = scope.spawn(|| {
                    let call = driver.drive(nomads.clone(), per_s, pace.clone());
                    call.timeout(PATIENCE).wait()
                });
                let visit = scope.spawn(|| {
                    let call = there.visit(nomads.clone(), 1, pace.clone());
                    call.timeout(PATIENCE).wait()
                });
                let call = here.visit(nomads.clone(), 0, pace.clone());
                let first = session.answered(call.timeout(PATIENCE).wait())?;
                let second = session.answered(visit.join().expect("it does not panic"))?;
                let drove = session.answered(drive.join().expect("it does not panic"))?;
                Ok::<_, Error>((first, second, drove))
            })
        })?;
    latency.merge(&beside);
    sent += also_sent;
    let measured = session.sound(measured)?;
    let other = session.sound(other)?;
    let drove = session.sound(drove)?;
    let (mut entries, mut disordered) = (0, 0);
    for nomad in &*nomads {
        let (had, not_in_order) = session.answered(nomad.account().wait())?;
        entries += had;
        disordered += not_in_order;
    }
    session.expect("messages arrived", sent, entries)?;
    session.expect("messages overtaken", 0, disordered)?;
    let ran = session.end();
    Ok(ran
        .report(&WORKLOAD, &measured)
        .latency(&latency)
        .figure("calls_per_s", measured.per_s() + other.per_s())
        .figure("moves_per_s", drove.per_s())
        .figure("moves", moved as f64))
}
