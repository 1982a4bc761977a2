//! Launch and shutdown: the threads of an engine.
//!
//! Runs on the user's thread and on shards' threads before and after their loops: the clock and
//! the sleeps here are never a shard's.
#![allow(clippy::disallowed_methods)]

use std::io;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quark_numa::{Placement, ShardPlace, Topology, TopologyError, pin_current_thread};
use quark_shards::driver::uring::{self, UringConfig, UringDriver};
use quark_shards::driver::{Driver, DriverError, DriverReport};
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::{MeshEnd, mesh};
use quark_shards::shard::{Shard, ShardConfig};
use quark_shards::stall::{Pulse, StallWatcher};

use crate::builder::{EngineBuilder, OnStall};
use crate::density::MemoryWatcher;
use crate::driver_kind::{DriverKind, DriverKindError};
use crate::engine::{Engine, Stage};
use crate::error::RegisterError;
use crate::neighbourhood::Neighbourhoods;
use crate::report::LaunchReport;
use crate::runtime::{Closing, RUNTIME, Runtime, try_with_runtime};
use crate::shutdown::Survey;
use crate::testing::Hooks;

/// Why an engine could not be launched; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The machine lacks what was asked for, or can't be read.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A shard has no driver.
    #[error("shard {shard}: {source}")]
    Driver {
        /// Which shard.
        shard: u16,
        /// Why.
        source: DriverError,
    },
    /// The driver asked for is unknown, or was not built in.
    #[error(transparent)]
    DriverKind(#[from] DriverKindError),
    /// An actor type can't be used.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// No thread could be started.
    #[error("no thread for shard {shard}: {source}; raise the limit of processes (ulimit -u)")]
    Thread {
        /// Which shard.
        shard: u16,
        /// What the system says.
        source: io::Error,
    },
    /// A shard's thread ended before it was up.
    #[error("shard {shard} ended while it was launched; its thread's panic says why")]
    Died {
        /// Which shard.
        shard: u16,
    },
}

/// A running engine's threads, until it is shut down.
pub(crate) struct Running {
    /// Held while they are ended: who comes second waits for the first.
    threads: Mutex<Option<Threads>>,
    engine: Engine,
}

struct Threads {
    shards: Vec<Ending>,
    /// Ends when dropped.
    _watcher: Option<StallWatcher>,
    _memory: Option<MemoryWatcher>,
}

/// How the end of a shard is waited for.
pub(crate) enum Ending {
    /// It has a thread of its own.
    Thread(JoinHandle<()>),
    /// It runs in somebody else's thread, and lets go of the other end.
    #[cfg(feature = "glommio")]
    Hosted(Receiver<()>),
}

/// What a shard's thread says when it is up.
pub(crate) struct Up {
    pub(crate) driver: DriverReport,
    pub(crate) pulse: Arc<Pulse>,
}

/// Whether a shard is up, from its thread.
pub(crate) type UpResult = Result<Up, LaunchError>;

/// Entries of a shard's submission queue.
const URING_ENTRIES: u32 = 256;

pub(crate) fn launch(builder: EngineBuilder) -> Result<Engine, LaunchError> {
    let kind = DriverKind::choose(builder.driver)?;
    let (launching, plans) = Launching::new(builder)?;
    kind.prepare();
    let mut endings = Vec::new();
    let mut ups = Vec::new();
    let mut goes = Vec::new();
    for plan in plans {
        let (up_sender, up) = mpsc::channel();
        let (go, go_receiver) = mpsc::channel();
        let shard = plan.place.shard;
        let thread = thread::Builder::new()
            .name(format!("quark-{shard}"))
            .spawn(move || run_shard(plan, kind, &up_sender, &go_receiver))
            .map_err(|source| LaunchError::Thread { shard, source })?;
        endings.push(Ending::Thread(thread));
        ups.push((shard, up));
        goes.push(go);
    }
    launching.finish(ups, goes, endings)
}

/// An engine whose shards are yet to come up.
pub(crate) struct Launching {
    engine: Engine,
    placement: Placement,
    idle: IdlePolicy,
    idle_because: String,
    on_stall: Option<OnStall>,
}

impl Launching {
    /// Decides everything, and makes a plan for each shard.
    pub(crate) fn new(builder: EngineBuilder) -> Result<(Self, Vec<Plan>), LaunchError> {
        if let Some(refused) = builder.refused {
            return Err(refused.into());
        }
        let topology = match builder.topology {
            Some(topology) => topology,
            None => Topology::detect()?,
        };
        let placement = topology.place()?;
        let (idle, idle_because) = choose_idle(builder.idle, &placement);
        let mut settings = builder.settings;
        settings.idle = idle;
        settings.neighbourhoods = Neighbourhoods::of(&topology, &placement.shards);
        let shards = u16::try_from(placement.shards.len()).expect("shards are numbered by u16");
        let ends = mesh(shards, builder.credits, idle.sleeps());
        let config = ShardConfig {
            idle,
            quota: builder.quota,
            ..ShardConfig::default()
        };
        let engine = Engine::new(settings, ends[0].shared().clone(), builder.registry);
        let start = uring::clock();
        let plans = ends.into_iter().zip(&placement.shards);
        let plans = plans.map(|(end, place)| Plan {
            end,
            place: *place,
            config,
            engine: engine.clone(),
            start,
        });
        let plans = plans.collect();
        let launching = Launching {
            engine,
            placement,
            idle,
            idle_because,
            on_stall: builder.on_stall,
        };
        Ok((launching, plans))
    }

    /// Waits until every shard is up, and sets them going.
    pub(crate) fn finish(
        self,
        ups: Vec<(u16, Receiver<UpResult>)>,
        goes: Vec<Sender<()>>,
        endings: Vec<Ending>,
    ) -> Result<Engine, LaunchError> {
        let mut driver = DriverReport::default();
        let mut pulses = Vec::new();
        for (shard, up) in ups {
            // Dropping the other ends of `goes` on the way out ends the shards that are up.
            let up = up.recv().map_err(|_| LaunchError::Died { shard })??;
            driver = up.driver;
            pulses.push(up.pulse);
        }
        for go in goes {
            // A shard that has died since is found when it is joined.
            let _ = go.send(());
        }
        let Launching {
            engine,
            placement,
            idle,
            idle_because,
            on_stall,
        } = self;
        engine.set_report(report(placement, idle, idle_because, driver));
        let watcher = StallWatcher::start(engine.settings().stall, pulses, move |stall| {
            if let Some(report) = &on_stall {
                report(stall);
            }
        });
        let watcher =
            watcher.inspect_err(|error| tracing::warn!(%error, "nobody watches for stalls"));
        let memory = match engine.settings().memory_limit {
            u64::MAX => None,
            limit => MemoryWatcher::start(engine.clone(), limit)
                .inspect_err(|error| tracing::warn!(%error, "nobody watches over memory"))
                .ok(),
        };
        let running = Running {
            threads: Mutex::new(Some(Threads {
                shards: endings,
                _watcher: watcher.ok(),
                _memory: memory,
            })),
            engine: engine.clone(),
        };
        Ok(engine.owned_by(Arc::new(running)))
    }
}

fn choose_idle(asked: Option<IdlePolicy>, placement: &Placement) -> (IdlePolicy, String) {
    match asked {
        Some(policy) => (policy, "as asked for".to_owned()),
        None if placement.oversubscribed => (
            IdlePolicy::Park,
            "more shards than cores: a shard that spins holds up another".to_owned(),
        ),
        None => (IdlePolicy::ADAPTIVE, "the default".to_owned()),
    }
}

fn report(
    placement: Placement,
    idle: IdlePolicy,
    idle_because: String,
    driver: DriverReport,
) -> LaunchReport {
    LaunchReport {
        shards: placement.shards,
        housekeeping: placement.housekeeping,
        idle,
        idle_because,
        driver,
        notes: placement.notes,
    }
}

/// All that one shard is made from.
pub(crate) struct Plan {
    pub(crate) end: MeshEnd,
    pub(crate) place: ShardPlace,
    config: ShardConfig,
    engine: Engine,
    pub(crate) start: Instant,
}

impl Plan {
    /// The seed of the shard's randomness.
    pub(crate) fn seed(&self) -> u64 {
        self.engine.settings().seed
            ^ u64::from(self.place.shard).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Makes the shard, on the thread where it will live.
    pub(crate) fn shard(self, driver: Box<dyn Driver>) -> Rc<Shard> {
        let shard = Shard::new(self.end, self.config, driver);
        shard.attach(
            &RUNTIME,
            Runtime::new(self.engine, Hooks::default(), shard.pulse().clone()),
        );
        shard
    }
}

fn run_shard(plan: Plan, kind: DriverKind, up: &Sender<UpResult>, go: &Receiver<()>) {
    if let Some(cpu) = plan.place.cpu
        && let Err(error) = pin_current_thread(cpu)
    {
        let _ = up.send(Err(error.into()));
        return;
    }
    match kind {
        DriverKind::Uring => run_on_uring(plan, up, go),
        #[cfg(feature = "glommio")]
        DriverKind::Glommio => crate::hosted::run_shard(plan, up, go),
        #[cfg(not(feature = "glommio"))]
        DriverKind::Glommio => unreachable!("it is not chosen when it is not built"),
    }
}

fn run_on_uring(plan: Plan, up: &Sender<UpResult>, go: &Receiver<()>) {
    let number = plan.place.shard;
    let config = UringConfig {
        entries: URING_ENTRIES,
        seed: plan.seed(),
        start: plan.start,
        worker_cpus: plan.place.cpu.into_iter().collect(),
    };
    let driver = match UringDriver::new(config) {
        Ok(driver) => driver,
        Err(source) => {
            let shard = number;
            let _ = up.send(Err(LaunchError::Driver { shard, source }));
            return;
        }
    };
    let report = driver.report();
    let shard = plan.shard(Box::new(driver));
    let _ = up.send(Ok(Up {
        driver: report,
        pulse: shard.pulse().clone(),
    }));
    if go.recv().is_ok() {
        shard.run();
    }
    close(&shard);
}

/// Ends a shard that runs no more: everyone who still waits is answered.
pub(crate) fn close(shard: &Shard) {
    shard.close_inbox();
    shard.enter(|shard| {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            runtime.set_closing(Closing::All);
            for types in runtime.types.iter() {
                types.refuse_all(shard, runtime);
            }
        }
    });
    // Turns that never end must not keep the shard.
    shard.clear_tasks();
    // Messages that lie in the rings yet find every actor closed.
    for _ in 0..CLOSING_PASSES {
        if !shard.guarded_pass() {
            break;
        }
    }
    shard.clear_tasks();
    shard.enter(|shard| {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            runtime.types.iter().for_each(|types| types.drop_all());
            // What the messages among them hold may be what somebody outside waits for.
            runtime.clear_dead_letters();
        }
    });
    shard.clear();
}

/// Passes of a closing shard at most, in case somebody sends without end.
const CLOSING_PASSES: usize = 100_000;

impl Running {
    /// Shuts the engine down, once; later callers wait for the first. On a shard, which must not
    /// wait, it is only begun: a thread of its own goes on with it.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        self.engine.advance(Stage::Draining);
        if on_shard() {
            let running = self.clone();
            self.elsewhere(move || running.end());
        } else {
            self.end();
        }
    }

    fn end(&self) {
        let mut threads = lock(&self.threads);
        if let Some(threads) = threads.take() {
            threads.end(&self.engine);
        }
    }

    fn elsewhere(&self, end: impl FnOnce() + std::marker::Send + 'static) {
        let thread = thread::Builder::new().name("quark-end".into()).spawn(end);
        if let Err(error) = thread {
            tracing::error!(%error, "no thread for the shutdown: its engine stays, and takes no calls");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.advance(Stage::Draining);
        let Some(threads) = lock(&self.threads).take() else {
            return;
        };
        // A hosted shard may be a task of this very thread.
        if on_shard() || threads.are_hosted() {
            let engine = self.engine.clone();
            self.elsewhere(move || threads.end(&engine));
        } else {
            threads.end(&self.engine);
        }
    }
}

impl Threads {
    fn end(self, engine: &Engine) {
        drain(engine, Instant::now() + engine.settings().grace);
        engine.advance(Stage::Stopped);
        for shard in 0..engine.shards() {
            run_on(engine, shard, |shard, _| shard.stop());
        }
        for shard in self.shards {
            shard.wait();
        }
        engine.advance(Stage::Ended);
        engine.clear_inboxes();
    }

    fn are_hosted(&self) -> bool {
        !matches!(self.shards.first(), None | Some(Ending::Thread(_)))
    }
}

impl Ending {
    fn wait(self) {
        match self {
            Ending::Thread(thread) => {
                if thread.join().is_err() {
                    tracing::error!("a shard's thread had ended by a panic");
                }
            }
            // Nothing is ever sent.
            #[cfg(feature = "glommio")]
            Ending::Hosted(ended) => drop(ended.recv()),
        }
    }
}

fn on_shard() -> bool {
    try_with_runtime(|here| here.is_some())
}

/// Waits until nothing is under way, then until every actor sleeps; no longer than `deadline`.
fn drain(engine: &Engine, deadline: Instant) {
    const LOOK_EVERY: Duration = Duration::from_millis(1);
    let mut before = None;
    while Instant::now() < deadline {
        let Some(survey) = survey(engine) else { return };
        if survey.is_quiet() && before == Some(survey) {
            break;
        }
        before = Some(survey);
        thread::sleep(LOOK_EVERY);
    }
    while Instant::now() < deadline {
        let closed = ask_all(engine, |shard, runtime| runtime.close_actors(shard));
        if closed.is_none_or(|closed| closed.into_iter().all(|closed| closed)) {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn survey(engine: &Engine) -> Option<Survey> {
    let surveys = ask_all(engine, |shard, runtime| runtime.survey(shard))?;
    Some(surveys.into_iter().fold(Survey::default(), Survey::and))
}

/// Asks every shard; `None` if one does not answer.
pub(crate) fn ask_all<R: Send + 'static>(
    engine: &Engine,
    question: impl Fn(&Shard, &Runtime) -> R + Clone + Send + 'static,
) -> Option<Vec<R>> {
    const PATIENCE: Duration = Duration::from_secs(5);
    if engine.settings().simulated {
        // The shards would have to answer in this very thread.
        return None;
    }
    let asked: Vec<_> = (0..engine.shards())
        .map(|shard| {
            let (answer, answers) = mpsc::sync_channel(1);
            let question = question.clone();
            run_on(engine, shard, move |shard, runtime| {
                let _ = answer.try_send(question(shard, runtime));
            });
            answers
        })
        .collect();
    asked
        .into_iter()
        .map(|answers| answers.recv_timeout(PATIENCE).ok())
        .collect()
}

/// Has `errand` run on a shard; waits for room in its inbox.
pub(crate) fn run_on(
    engine: &Engine,
    shard: u16,
    errand: impl FnOnce(&Shard, &Runtime) + Send + 'static,
) {
    let Some(handle) = engine.mesh().handle(shard) else {
        return;
    };
    let mut errand: quark_shards::shard::Errand = Box::new(move |shard: &Shard| {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            errand(shard, runtime);
        }
    });
    while let Err(back) = handle.inbox.push(errand) {
        if engine.clear_if_ended() {
            return;
        }
        errand = back;
        thread::yield_now();
    }
    engine.clear_if_ended();
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
