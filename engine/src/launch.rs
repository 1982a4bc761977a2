//! Launch: from what the builder was told to shards that run.
//!
//! Runs on the user's thread and on shards' threads before their loops: the clock here is never a
//! shard's.
#![allow(clippy::disallowed_methods)]

mod steps;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use quark_numa::{Placement, ShardPlace, Topology, TopologyError, pin_current_thread};
use quark_shards::driver::uring::{self, UringConfig, UringDriver};
use quark_shards::driver::{Driver, DriverError, DriverReport};
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::{MeshEnd, mesh};
use quark_shards::shard::{Shard, ShardConfig};
use quark_shards::stall::StallWatcher;
use quark_storage::provider::StoreError;

use crate::builder::{EngineBuilder, OnStall};
use crate::cluster::ClusterError;
use crate::density::MemoryWatcher;
use crate::driver_kind::{DriverKind, DriverKindError};
use crate::engine::{Engine, Settings};
use crate::error::RegisterError;
use crate::neighbourhood::Neighbourhoods;
use crate::remote::ListenError;
use crate::report::LaunchReport;
use crate::running::{Ending, Running, close};
use crate::runtime::{RUNTIME, Runtime};
use crate::state::Reports;
use steps::{Ready, follow, make_ready, set_going};

use crate::testing::Hooks;
pub(crate) use steps::{Line, Opening, Said, Saying, Step, Up};
pub(crate) use steps::{bind, serve};

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
    /// A store can't be opened.
    #[error("the store {store:?}: {source}")]
    Store {
        /// What it is called.
        store: String,
        /// Why.
        source: StoreError,
    },
    /// The engine can't listen as it is to.
    #[error("shard {shard}: {source}")]
    Listen {
        /// Which shard.
        shard: u16,
        /// Why.
        source: ListenError,
    },
    /// The engine can't be a node of a cluster as it is to.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
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

/// Entries of a shard's submission queue.
const URING_ENTRIES: u32 = 256;

pub(crate) fn launch(builder: EngineBuilder) -> Result<Engine, LaunchError> {
    let kind = DriverKind::choose(builder.driver)?;
    let (launching, plans) = Launching::new(builder)?;
    kind.prepare();
    let mut endings = Vec::new();
    let mut lines = Vec::new();
    for plan in plans {
        let (says, said) = mpsc::channel();
        let (steps, next) = mpsc::channel();
        let shard = plan.place.shard;
        let thread = thread::Builder::new()
            .name(format!("quark-{shard}"))
            .spawn(move || run_shard(plan, kind, &says, &next))
            .map_err(|source| LaunchError::Thread { shard, source })?;
        endings.push(Ending::Thread(thread));
        lines.push(Line { shard, steps, said });
    }
    launching.finish(lines, endings)
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
        let Settings { remote, stores, .. } = &builder.settings;
        if let Some(cluster) = &remote.joins {
            cluster.check(remote.listen.as_ref(), stores)?;
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
        lines: Vec<Line>,
        endings: Vec<Ending>,
    ) -> Result<Engine, LaunchError> {
        let settings = self.engine.settings();
        let with_stores = !settings.stores.is_empty();
        let listens = settings.remote.listen.is_some();
        let Ready {
            driver,
            pulses,
            stores,
            addresses,
        } = match make_ready(&lines, with_stores, listens) {
            Ok(ready) => ready,
            Err(error) => {
                // This ends the shards that are up. What their stores had locked is free when
                // the launch returns.
                drop(lines);
                endings.into_iter().for_each(Ending::wait_for_thread);
                return Err(error);
            }
        };
        self.engine.acquaintance().listens_at(addresses);
        set_going(&lines);
        let Launching {
            engine,
            placement,
            idle,
            idle_because,
            on_stall,
        } = self;
        engine.set_report(report(placement, idle, idle_because, driver, stores));
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
        let running = Running::new(engine.clone(), endings, watcher.ok(), memory);
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
    stores: Reports,
) -> LaunchReport {
    LaunchReport {
        shards: placement.shards,
        housekeeping: placement.housekeeping,
        idle,
        idle_because,
        driver,
        stores,
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
        let runtime = Runtime::new(self.engine, Hooks::default(), shard.pulse().clone());
        runtime.open_to_others(&shard);
        shard.attach(&RUNTIME, runtime);
        shard
    }
}

fn run_shard(plan: Plan, kind: DriverKind, says: &Sender<Saying>, steps: &Receiver<Step>) {
    if let Some(cpu) = plan.place.cpu
        && let Err(error) = pin_current_thread(cpu)
    {
        let _ = says.send(Err(error.into()));
        return;
    }
    match kind {
        DriverKind::Uring => run_on_uring(plan, says, steps),
        #[cfg(feature = "glommio")]
        DriverKind::Glommio => crate::hosted::run_shard(plan, says, steps),
        #[cfg(not(feature = "glommio"))]
        DriverKind::Glommio => unreachable!("it is not chosen when it is not built"),
    }
}

fn run_on_uring(plan: Plan, says: &Sender<Saying>, steps: &Receiver<Step>) {
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
            let _ = says.send(Err(LaunchError::Driver { shard, source }));
            return;
        }
    };
    let report = driver.report();
    let shard = plan.shard(Box::new(driver));
    let _ = says.send(Ok(Said::Up(Up {
        driver: report,
        pulse: shard.pulse().clone(),
    })));
    if follow(&shard, says, steps) {
        shard.run();
    }
    close(&shard);
}
