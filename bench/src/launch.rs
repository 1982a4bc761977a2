//! From the command line to a running engine: how many shards, which idle policy, and the floor
//! that is measured on the very cores the shards run on, while they don't.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use quark::{Engine, EngineBuilder, Topology};
use quark_numa::Placement;

use crate::cli::{Idle, Options};
use crate::clock::Clock;
use crate::error::Error;
use crate::floors::{Bracket, Bracketed, Cores, Kind, allowed_cores};
use crate::pace::{Goal, Measured, Pace};
use crate::report::{Ground, Report};
use crate::workloads::{Setup, Workload};

/// Longer than any run may take (a week), and so that a lost answer ends it all the same.
pub const PATIENCE: Duration = Duration::from_secs(8 * 86_400);

/// What a workload needs of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Shards it takes part in; it can't do with fewer.
    pub shards: usize,
    /// What shards do without work, when nobody says.
    pub idle: Idle,
}

/// An engine that is not launched yet: where its shards will run is known.
#[derive(Debug)]
pub struct Plan<'a> {
    workload: &'static str,
    setup: &'a Setup,
    topology: Topology,
    placement: Placement,
    idle: Option<Idle>,
    clock: Clock,
}

/// A running engine and all it takes to measure it.
#[derive(Debug)]
pub struct Session<'a> {
    /// The engine.
    pub engine: Engine,
    workload: &'static str,
    setup: &'a Setup,
    clock: Clock,
}

/// Where a session ran, for its report.
#[derive(Clone, Debug)]
pub struct Ran {
    /// On what it ran.
    pub ground: Ground,
    interrupted: bool,
}

impl<'a> Plan<'a> {
    /// Decides how `workload` runs, as asked for and as the machine allows.
    ///
    /// # Errors
    ///
    /// [`Error::Launch`] when the machine lacks what is asked for; [`Error::Usage`] when the
    /// workload can't do with what is asked for.
    pub fn new(workload: &'static str, setup: &'a Setup, needs: Needs) -> Result<Self, Error> {
        let shards = setup.options.shards.unwrap_or(needs.shards);
        if shards < needs.shards {
            return Err(Error::Usage(format!(
                "{workload} takes {} shards or more, not {shards}",
                needs.shards
            )));
        }
        Self::on(
            workload,
            setup,
            needs,
            topology(&setup.options)?.shards(shards),
        )
    }

    /// The same with a shard on every core, unless so many are asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Launch`], as for [`new`](Self::new).
    pub fn on_all_cores(
        workload: &'static str,
        setup: &'a Setup,
        needs: Needs,
    ) -> Result<Self, Error> {
        let topology = topology(&setup.options)?;
        Self::on(
            workload,
            setup,
            needs,
            match setup.options.shards {
                Some(shards) => topology.shards(shards),
                None => topology,
            },
        )
    }

    fn on(
        workload: &'static str,
        setup: &'a Setup,
        needs: Needs,
        topology: Topology,
    ) -> Result<Self, Error> {
        let placement = topology.place().map_err(launch_error)?;
        // Shards that share a core and spin hold each other up: the engine's choice is better.
        let usual = (!placement.oversubscribed).then_some(needs.idle);
        Ok(Plan {
            workload,
            setup,
            topology,
            placement,
            idle: setup.options.idle.or(usual),
            clock: Clock::new(),
        })
    }

    /// The cores of the first two shards, or of the first and a plain thread. `None` where
    /// shards are not pinned or there is no second core.
    #[must_use]
    pub fn cores(&self) -> Option<Cores> {
        let cpu = |shard: usize| self.placement.shards.get(shard)?.cpu;
        let first = cpu(0)?;
        let second = cpu(1).or_else(|| allowed_cores().into_iter().find(|core| *core != first))?;
        Some(Cores { first, second })
    }

    /// What its shards do without work; the engine decides where nobody else does.
    #[must_use]
    pub fn idle(&self) -> Option<Idle> {
        self.idle
    }

    /// Measures a floor on [those cores](Self::cores), where there are any. Nothing may run yet.
    ///
    /// # Errors
    ///
    /// [`Error::Floor`].
    pub fn floor(&self, kind: Kind) -> Result<Option<Bracket>, Error> {
        let bracket = self.cores().map(|cores| Bracket::open(kind, cores));
        Ok(bracket.transpose()?)
    }

    /// Launches the engine.
    ///
    /// # Errors
    ///
    /// [`Error::Launch`].
    pub fn launch(self) -> Result<Session<'a>, Error> {
        self.launch_with(|builder| builder)
    }

    /// How many shards it will have.
    #[must_use]
    pub fn shards(&self) -> u16 {
        u16::try_from(self.placement.shards.len()).unwrap_or(u16::MAX)
    }

    /// Launches the engine with what `set` sets besides.
    ///
    /// # Errors
    ///
    /// [`Error::Launch`].
    pub fn launch_with(
        self,
        set: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Result<Session<'a>, Error> {
        let builder = set(builder(self.topology, self.idle, &self.setup.options));
        Ok(Session {
            engine: builder.launch().map_err(launch_error)?,
            workload: self.workload,
            setup: self.setup,
            clock: self.clock,
        })
    }
}

impl Session<'_> {
    /// How far a loop goes: as asked for, or as is usual.
    #[must_use]
    pub fn pace(&self, usual: Goal) -> Pace {
        Pace::new(
            &self.clock,
            &self.setup.interrupt,
            &self.setup.options,
            usual,
        )
    }

    /// How long a loop goes that counts nothing: as asked for, or as is usual.
    #[must_use]
    pub fn time(&self, usual: Duration) -> Pace {
        let options = Options {
            count: None,
            ..self.setup.options.clone()
        };
        let usual = Goal::Time(usual);
        Pace::new(&self.clock, &self.setup.interrupt, &options, usual)
    }

    /// The bench's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether somebody wants the run to end.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.setup.interrupt.is_set()
    }

    /// A call's answer.
    ///
    /// # Errors
    ///
    /// [`Error::Workload`] when there is none.
    pub fn answered<T, E: std::fmt::Display>(&self, answer: Result<T, E>) -> Result<T, Error> {
        answer.map_err(|error| self.error(error.to_string()))
    }

    /// What `parts` loops beside each other measured together, as they report it to `ends`.
    ///
    /// # Errors
    ///
    /// [`Error::Workload`] when one of them gets lost.
    pub fn gathered(&self, ends: &Receiver<Measured>, parts: usize) -> Result<Measured, Error> {
        let mut all: Option<Measured> = None;
        for _ in 0..parts {
            let part = ends.recv_timeout(PATIENCE).map_err(|lost| {
                self.error(match lost {
                    RecvTimeoutError::Timeout => "a turn never ended".to_owned(),
                    RecvTimeoutError::Disconnected => "a turn ended without a result".to_owned(),
                })
            })?;
            all = Some(match all {
                None => part,
                Some(all) => all.and(part),
            });
        }
        let all = all.ok_or_else(|| self.error("nothing was measured".to_owned()))?;
        self.sound(all)
    }

    /// `measured`, if nothing in it failed.
    ///
    /// # Errors
    ///
    /// [`Error::Workload`] if something did.
    pub fn sound(&self, measured: Measured) -> Result<Measured, Error> {
        match &measured.error {
            None => Ok(measured),
            Some(first) => Err(self.error(format!(
                "{} of {} failed, the first because: {first}",
                measured.failed, measured.count
            ))),
        }
    }

    /// Refuses a run in which not all that was sent has arrived.
    ///
    /// # Errors
    ///
    /// [`Error::Workload`].
    pub fn expect(&self, what: &str, expected: u64, found: u64) -> Result<(), Error> {
        if expected == found {
            return Ok(());
        }
        Err(self.error(format!("{found} {what} instead of {expected}")))
    }

    /// Something that must hold does not.
    #[must_use]
    pub fn error(&self, reason: String) -> Error {
        Error::Workload {
            workload: self.workload,
            reason,
        }
    }

    /// Shuts the engine down, so that a floor can be measured on its cores.
    #[must_use]
    pub fn end(self) -> Ran {
        let ran = Ran {
            ground: Ground::of(&self.engine),
            interrupted: self.setup.interrupt.is_set(),
        };
        self.engine.shutdown();
        ran
    }
}

impl Ran {
    /// The beginning of a report on what `measured` tells.
    #[must_use]
    pub fn report(&self, workload: &Workload, measured: &Measured) -> Report {
        self.report_of(workload, measured.count, measured.elapsed())
    }

    /// The same of `count` units in `elapsed`.
    #[must_use]
    pub fn report_of(&self, workload: &Workload, count: u64, elapsed: Duration) -> Report {
        let report = Report::new(workload, self.ground, count, elapsed);
        if self.interrupted {
            report.figure("interrupted", true)
        } else {
            report
        }
    }
}

/// Ends a floor, if one was begun.
///
/// # Errors
///
/// [`Error::Floor`].
pub fn close(floor: Option<Bracket>) -> Result<Option<Bracketed>, Error> {
    Ok(floor.map(Bracket::close).transpose()?)
}

/// The first `count` integer keys whose home, as `home` says, is `shard`.
#[must_use]
pub fn keys_on(shard: u16, count: usize, home: impl Fn(u64) -> u16) -> Vec<u64> {
    (0..)
        .filter(|key| home(*key) == shard)
        .take(count)
        .collect()
}

/// The machine, as far as `options` allow to use it.
///
/// # Errors
///
/// [`Error::Launch`] when it can't be read.
pub fn topology(options: &Options) -> Result<Topology, Error> {
    let topology = Topology::detect().map_err(launch_error)?;
    let topology = topology.oversubscribe(options.oversubscribe);
    Ok(match &options.cpus {
        Some(cpus) => topology.cpus(cpus.iter()),
        None => topology,
    })
}

/// A builder of what `options` ask for, on `topology`.
#[must_use = "nothing runs until it is launched"]
pub fn builder(topology: Topology, idle: Option<Idle>, options: &Options) -> EngineBuilder {
    let builder = Engine::builder().topology(topology).seed(options.seed);
    let builder = match options.driver {
        Some(kind) => builder.driver(kind),
        None => builder,
    };
    match idle {
        None => builder,
        Some(idle) => builder.idle(idle.policy()),
    }
}

/// The engine's or the machine's refusal, as this program's.
pub fn launch_error(error: impl std::fmt::Display) -> Error {
    Error::Launch(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(options: Options) -> Setup {
        Setup {
            options,
            interrupt: crate::interrupt::Interrupt::default(),
        }
    }

    const ONE: Needs = Needs {
        shards: 1,
        idle: Idle::Park,
    };

    #[test]
    fn what_is_asked_for_is_what_runs() {
        let setup = setup(Options {
            shards: Some(3),
            oversubscribe: true,
            idle: Some(Idle::Adaptive),
            ..Options::default()
        });
        let session = Plan::new("ring", &setup, ONE).unwrap().launch().unwrap();
        let ran = session.end();
        assert_eq!((ran.ground.shards, ran.ground.idle), (3, Idle::Adaptive));
    }

    #[test]
    fn too_much_and_too_little_are_one_line() {
        let many = setup(Options {
            shards: Some(4_096),
            ..Options::default()
        });
        let error = Plan::new("ring", &many, ONE).unwrap_err();
        assert!(matches!(error, Error::Launch(_)) && !error.to_string().contains('\n'));
        let few = setup(Options {
            shards: Some(1),
            ..Options::default()
        });
        let two = Needs { shards: 2, ..ONE };
        let error = Plan::new("ask-cross", &few, two).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(error.to_string(), "ask-cross takes 2 shards or more, not 1");
    }

    #[test]
    fn keys_are_found_where_they_are_wanted() {
        assert_eq!(keys_on(1, 3, |key| (key % 2) as u16), [1, 3, 5]);
    }
}
