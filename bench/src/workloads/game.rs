//! `game`: a world of players, 20 ticks a second, and how many of them a core can hold.
//!
//! The world is the one of the engine's example; here it is larger, and measured.

mod search;
#[path = "../../../engine/examples/game/world.rs"]
mod world;

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use quark::Time;

use super::{Setup, Workload};
use crate::busy::Busy;
use crate::cli::{Game, Idle};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::latency::Latency;
use crate::launch::{Needs, PATIENCE, Plan, Session};
use crate::output::Output;
use crate::pace::{Goal, Laps, Measured};
use crate::progress::Progress;
use crate::records::Records;
use crate::report::Report;
use world::master::{Master, MasterRef};
use world::{Stopwatch, World};

/// The workload, for its name and unit: it is not run by name but by [`command`].
pub const WORKLOAD: Workload = Workload {
    name: "game",
    about: "100 k players in a world of squares, 20 ticks a second.",
    unit: "ticks",
    floor: None,
    run: |setup| game(&Game::default(), setup),
};

const PLAYERS: u32 = 100_000;
const TICKS_PER_S: f64 = 20.0;
const USUAL: Goal = Goal::Time(Duration::from_secs(10));
/// Ticks before any is counted: memory is touched, and everybody has moved.
const WARM_UP: u64 = 20;
/// Between two looks whether a tick is done: it is not measured by them.
const LOOK: Duration = Duration::from_millis(2);
/// A world this late has too many players for its cores.
const LATEST: Duration = Duration::from_secs(10);

/// `quark-bench game`.
///
/// # Errors
///
/// When the engine will not launch as asked, the world falls too far behind, or a player or coin
/// is lost.
pub fn command(asked: &Game, interrupt: &Interrupt, out: &mut impl Write) -> Result<(), Error> {
    let setup = Setup {
        options: asked.options.clone(),
        interrupt: interrupt.clone(),
    };
    let mut records = Records::new(&asked.options)?;
    let report = game(asked, &setup)?;
    Output::new(asked.options.format, out).report(&report)?;
    records.take(&report)?;
    records.finish()
}

fn game(asked: &Game, setup: &Setup) -> Result<Report, Error> {
    if asked.search {
        return search::search(asked.players, setup);
    }
    let players = asked.players.unwrap_or(PLAYERS);
    let played = play(setup, players, USUAL, |_| true)?;
    match played.late {
        None => Ok(played.report),
        Some(late) => Err(Error::Workload {
            workload: WORKLOAD.name,
            reason: format!(
                "with {players} players a tick was {:.1} s late and not done: fewer players \
                 (--players), or more cores",
                late.as_secs_f64()
            ),
        }),
    }
}

/// A world's run.
struct Played {
    report: Report,
    times: Latency,
    /// How late it was when it was given up.
    late: Option<Duration>,
}

/// Plays with so many players, as long as asked for and `goes_on` says so of the times so far.
fn play(
    setup: &Setup,
    players: u32,
    usual: Goal,
    goes_on: impl Fn(&Latency) -> bool,
) -> Result<Played, Error> {
    let needs = Needs {
        shards: 1,
        idle: Idle::Adaptive,
    };
    let per_s = setup.options.rate.unwrap_or(TICKS_PER_S);
    let period = Duration::from_secs_f64(1.0 / per_s);
    let plan = Plan::on_all_cores(WORKLOAD.name, setup, needs)?;
    let world = World::new(players, plan.shards(), period);
    let session = plan.launch_with(|builder| world.on(builder).grace(Duration::from_secs(1)))?;
    let mut table = Table::open(&session, &world)?;
    let mut late = table.warm_up(&session);
    let busy = Busy::begin();
    let (measured, times) = if late.is_none() {
        let laps = session.pace(usual).start();
        let (measured, times, behind) = table.measure(&session, laps, goes_on);
        late = behind;
        (measured, times)
    } else {
        (session.pace(Goal::Units(0)).start().end(), Latency::new())
    };
    let busy = busy.shards();
    let tally = match late {
        None => Some(table.close(&session)?),
        Some(_) => None,
    };
    let ran = session.end();
    let seconds = measured.elapsed().as_secs_f64();
    let mut report = ran
        .report(&WORKLOAD, &measured)
        .latency(&times)
        .limit(
            &format!("the next tick is due, {per_s:.0} a second"),
            period,
        )
        .figure("players", u64::from(players))
        .figure("squares", u64::from(world.zones()))
        .figure(
            "updates_per_s",
            f64::from(players) * measured.count as f64 / seconds.max(1e-9),
        )
        .figure("shards_busy", busy);
    if let Some(tally) = tally {
        report = report
            .figure("crossings_per_s", tally.crossings)
            .figure("crossings_between_shards_per_s", tally.across)
            .figure("hits_per_s", tally.hits)
            .figure("words_too_late_per_s", tally.stale);
    }
    Ok(Played {
        report,
        times,
        late,
    })
}

/// A world that runs.
struct Table {
    world: Arc<World>,
    master: MasterRef,
    stopwatch: Stopwatch,
    progress: Progress,
    start: Time,
    /// The bench's clock when the world's showed `zero`.
    begun: u64,
    zero: Time,
}

/// What happened, in a second of the world.
struct PerSecond {
    crossings: f64,
    across: f64,
    hits: f64,
    stale: f64,
}

impl Table {
    fn open(session: &Session<'_>, world: &Arc<World>) -> Result<Self, Error> {
        let master = session.engine.actor::<Master>(0);
        let start = session.answered(master.open().timeout(PATIENCE).wait())?;
        let zero = session.answered(master.time().wait())?;
        Ok(Table {
            stopwatch: Stopwatch::new(world.clone(), start),
            progress: Progress::begin(&format!("{} players", world.players), u64::MAX),
            world: world.clone(),
            master,
            start,
            begun: session.clock().now(),
            zero,
        })
    }

    /// Lets the first ticks pass; how late the world was if it is given up.
    fn warm_up(&mut self, session: &Session<'_>) -> Option<Duration> {
        while self.stopwatch.done() < WARM_UP && !session.is_interrupted() {
            if self.stopwatch.lap().is_none() {
                if let Some(late) = self.late(session) {
                    return Some(late);
                }
                thread::sleep(LOOK);
            }
        }
        None
    }

    fn measure(
        &mut self,
        session: &Session<'_>,
        mut laps: Laps,
        goes_on: impl Fn(&Latency) -> bool,
    ) -> (Measured, Latency, Option<Duration>) {
        let mut times = Latency::new();
        let mut late = None;
        while laps.next(1).is_some() {
            match self.stopwatch.lap() {
                Some(time) => {
                    times.record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
                    self.progress.reach(self.stopwatch.done());
                }
                None => {
                    laps.nothing_done();
                    late = self.late(session);
                    thread::sleep(LOOK);
                }
            }
            if late.is_some() || !goes_on(&times) {
                break;
            }
        }
        (laps.end(), times, late)
    }

    /// Ends the world, and makes sure that nothing got lost in it.
    fn close(mut self, session: &Session<'_>) -> Result<PerSecond, Error> {
        self.world.ticks.end(self.start, self.now(session));
        while !self.stopwatch.is_over() {
            if self.stopwatch.lap().is_none() {
                if let Some(late) = self.late(session) {
                    return Err(session.error(format!(
                        "tick {} is not done after {:.1} s: fewer players, or one is missing",
                        self.stopwatch.done(),
                        late.as_secs_f64()
                    )));
                }
                thread::sleep(LOOK);
            }
        }
        let seconds = self.now(session).since(self.start).as_secs_f64();
        let census = session.answered(self.master.count().timeout(PATIENCE).wait())?;
        census
            .check(&self.world)
            .map_err(|wrong| session.error(wrong))?;
        session.expect("dead letters", 0, session.engine.dead_letters().total)?;
        let per_second = |count: u64| count as f64 / seconds;
        Ok(PerSecond {
            crossings: per_second(census.tally.crossings),
            across: per_second(census.tally.across),
            hits: per_second(census.tally.hits),
            stale: per_second(census.tally.stale),
        })
    }

    /// How late the world is, if that is too late.
    fn late(&self, session: &Session<'_>) -> Option<Duration> {
        let late = self.stopwatch.overdue(self.now(session));
        (late > LATEST).then_some(late)
    }

    /// The world's time.
    fn now(&self, session: &Session<'_>) -> Time {
        self.zero + Duration::from_nanos(session.clock().now() - self.begun)
    }
}
