//! Shards on glommio executors (cargo feature `glommio`).
//!
//! For programs that run glommio already, so that tasks of theirs share a thread with a shard.
//! There are two ways in:
//!
//! - [`EngineBuilder::driver`]`(`[`DriverKind::Glommio`](crate::DriverKind::Glommio)`)`, or the
//!   environment variable `QUARK_DRIVER=glommio`: launch starts a pinned thread a shard, as ever,
//!   with an executor on it.
//! - [`EngineBuilder::host`]: the program has the executors, and gives each a [`HostedShard`].
//!
//! ```
//! use quark::hosted::glommio::{self, LocalExecutorBuilder, Placement};
//! use quark::prelude::*;
//!
//! #[derive(Default)]
//! pub struct Account { cents: i64 }
//!
//! #[actor]
//! impl Account {
//!     pub fn deposit(&mut self, cents: i64) -> i64 { self.cents += cents; self.cents }
//! }
//!
//! let topology = Topology::detect()?.shards(2).oversubscribe(true);
//! let (hosting, shards) = Engine::builder().topology(topology).host()?;
//! let executors: Vec<_> = shards
//!     .into_iter()
//!     .map(|shard| {
//!         LocalExecutorBuilder::new(Placement::Unbound)
//!             .io_memory(64 << 10)
//!             .preempt_timer(std::time::Duration::from_millis(10))
//!             .spawn(|| async move {
//!                 // Other tasks of this executor run beside the shard.
//!                 glommio::spawn_local(async { /* … */ }).detach();
//!                 shard.run().await;
//!             })
//!             .unwrap()
//!     })
//!     .collect();
//! let engine = hosting.launch()?;
//! assert_eq!(engine.actor::<Account>("alice").deposit(5).wait()?, 5);
//! engine.shutdown();
//! for executor in executors {
//!     executor.join().unwrap();
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What glommio costs, and the traps it has, are told with its
//! [driver](quark_shards::driver::glommio).

use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::time::Duration;

use quark_shards::driver::glommio::{self as driver, Exit, GlommioConfig, GlommioDriver};
use quark_shards::driver::{Driver, DriverReport};
use quark_shards::shard::Shard;

/// The very glommio that hosts the shards, for programs that want no second version beside it.
pub use quark_shards::driver::glommio::library as glommio;

use crate::builder::EngineBuilder;
use crate::engine::Engine;
use crate::launch::{
    LaunchError, Launching, Line, Opening, Plan, Said, Saying, Step, Up, bind, serve,
};
use crate::running::{Ending, close};
use crate::state::StoreStage;

/// An engine whose shards wait for their executors; see [`EngineBuilder::host`].
#[must_use = "the engine is had by `launch`"]
pub struct Hosting {
    launching: Launching,
    lines: Vec<Line>,
    endings: Vec<Ending>,
}

impl Hosting {
    /// The engine, once every shard is [run](HostedShard::run). Blocks until then, so it is for
    /// a thread that none of their executors is on.
    ///
    /// The engine's [shutdown](Engine::shutdown) blocks until every shard has ended, and is for
    /// such a thread too. An engine that is merely dropped ends in the background.
    ///
    /// # Errors
    /// [`LaunchError::Died`] if a shard has been dropped instead.
    pub fn launch(self) -> Result<Engine, LaunchError> {
        self.launching.finish(self.lines, self.endings)
    }
}

/// A shard that waits for its executor. May be sent to it.
#[must_use = "a shard does nothing until it is run"]
pub struct HostedShard {
    plan: Plan,
    says: Sender<Saying>,
    steps: Receiver<Step>,
    ended: Sender<()>,
}

impl HostedShard {
    /// Its number in its engine.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.plan.place.shard
    }

    /// Runs the shard as a task of the glommio executor that polls this, until its engine is
    /// shut down. Dropped before, it answers those who wait as a shutdown does; later calls to
    /// its actors go unanswered until their timeouts.
    ///
    /// # Panics
    /// If no glommio executor polls it.
    pub async fn run(self) {
        // Let go of last: the shutdown waits for it.
        let _ended = self.ended;
        let guest = Guest::new(self.plan);
        let _ = self.says.send(Ok(guest.up()));
        loop {
            match self.steps.try_recv() {
                Ok(Step::Bind) => drop(self.says.send(bind(&guest.shard))),
                Ok(Step::Run) => break guest.run().await,
                Ok(Step::Stores(stage)) => {
                    let _ = self.says.send(guest.stores(stage).await);
                }
                // The launch has failed.
                Err(TryRecvError::Disconnected) => break guest.end().await,
                Err(TryRecvError::Empty) => driver::nap(LOOK_EVERY).await,
            }
        }
    }
}

/// How often a shard looks whether the others are up, too.
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) fn host(builder: EngineBuilder) -> Result<(Hosting, Vec<HostedShard>), LaunchError> {
    let (launching, plans) = Launching::new(builder)?;
    driver::prepare();
    let mut hosting = Hosting {
        launching,
        lines: Vec::new(),
        endings: Vec::new(),
    };
    let shards = plans.into_iter().map(|plan| {
        let (says, said) = mpsc::channel();
        let (next, steps) = mpsc::channel();
        let (ended, has_ended) = mpsc::channel();
        hosting.lines.push(Line {
            shard: plan.place.shard,
            steps: next,
            said,
        });
        hosting.endings.push(Ending::Hosted(has_ended));
        HostedShard {
            plan,
            says,
            steps,
            ended,
        }
    });
    let shards = shards.collect();
    Ok((hosting, shards))
}

/// Runs a shard on an executor made for it, on this thread.
pub(crate) fn run_shard(plan: Plan, says: &Sender<Saying>, steps: &Receiver<Step>) {
    let shard = plan.place.shard;
    let ran = driver::run(|| async {
        let guest = Guest::new(plan);
        let _ = says.send(Ok(guest.up()));
        loop {
            // Nothing else runs on this executor yet: it may be blocked.
            match steps.recv() {
                Ok(Step::Bind) => drop(says.send(bind(&guest.shard))),
                Ok(Step::Run) => break guest.run().await,
                Ok(Step::Stores(stage)) => drop(says.send(guest.stores(stage).await)),
                Err(_) => break guest.end().await,
            }
        }
    });
    if let Err(source) = ran {
        let _ = says.send(Err(LaunchError::Driver { shard, source }));
    }
}

/// A shard on the executor that runs this.
struct Guest {
    shard: Rc<Shard>,
    exit: Exit,
    report: DriverReport,
    ended: bool,
}

impl Guest {
    fn new(plan: Plan) -> Self {
        let driver = GlommioDriver::new(GlommioConfig {
            seed: plan.seed(),
            start: plan.start,
        });
        Guest {
            exit: driver.exit(),
            report: driver.report(),
            shard: plan.shard(Box::new(driver)),
            ended: false,
        }
    }

    fn up(&self) -> Said {
        Said::Up(Up {
            driver: self.report.clone(),
            pulse: self.shard.pulse().clone(),
        })
    }

    async fn stores(&self, stage: StoreStage) -> Saying {
        let opening = Opening::begin(&self.shard, stage);
        self.shard.run_hosted_while(|| opening.goes_on()).await;
        Ok(Said::Stores(opening.result()?))
    }

    async fn run(self) {
        serve(&self.shard);
        self.shard.run_hosted().await;
        self.end().await;
    }

    async fn end(mut self) {
        self.ended = true;
        close(&self.shard);
        self.shard.settle_hosted().await;
        self.exit.leave();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if !self.ended {
            // The task was dropped, perhaps with its executor.
            self.exit.leave();
            close(&self.shard);
        }
    }
}
