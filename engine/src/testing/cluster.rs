//! Several engines in one simulated world, as the nodes of a cluster and their clients.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use quark_shards::driver::Driver;
use quark_shards::driver::sim::SimWorld;
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::mesh;
use quark_shards::shard::{Shard, ShardConfig};
use quark_shards::time::Time;

use super::faults::Faults;
use super::hooks::Hooks;
use super::options::SimOptions;
use super::seeds::{fail, message_of};
use super::sim::{Tasks, pass};
use crate::builder::EngineBuilder;
use crate::cluster::ClusterStatus;
use crate::engine::{Engine, Settings, Stage};
use crate::launch::{LaunchError, Opening, Said, bind, serve};
use crate::neighbourhood::Neighbourhoods;
use crate::remote::ClientBuilder;
use crate::running::close;
use crate::runtime::{RUNTIME, Runtime};
use crate::shutdown::Survey;
use crate::state::StoreStage;

/// Engines in one simulated world, each on a node of its own, with a network between them that can
/// be cut, nodes that can be stopped, killed and started again, and clocks that run as they like.
///
/// As with [`Sim`](super::Sim), nothing happens in it by itself: [`run_for`](Self::run_for) drives it,
/// and everything follows from the seed.
pub struct SimCluster {
    seed: u64,
    options: SimOptions,
    world: SimWorld,
    nodes: BTreeMap<u16, Node>,
    tasks: Rc<Tasks>,
    passes: Cell<u64>,
}

/// An engine's life on a node.
struct Node {
    engine: Engine,
    shards: Vec<Rc<Shard>>,
    faults: Rc<Faults>,
}

impl Node {
    fn end(self) {
        self.engine.advance(Stage::Stopped);
        self.shards.iter().for_each(|shard| close(shard));
        self.engine.advance(Stage::Ended);
        self.engine.clear_inboxes();
    }
}

/// The world's shards are numbered through: so many belong to each node.
const SHARDS_OF_A_NODE: u16 = 64;

/// Where the first shard of every node listens.
const PORT: u16 = 7000;

impl SimCluster {
    /// An empty world. `options` are for every node: each has as many shards as they say, but a
    /// client has one.
    ///
    /// # Panics
    /// If a node can't have so many shards: 64.
    #[must_use]
    pub fn new(seed: u64, options: SimOptions) -> Self {
        assert!(
            options.shards <= SHARDS_OF_A_NODE,
            "a simulated node has {SHARDS_OF_A_NODE} shards at most"
        );
        SimCluster {
            seed,
            world: SimWorld::new(seed, options.world.clone()),
            options,
            nodes: BTreeMap::new(),
            tasks: Rc::default(),
            passes: Cell::new(0),
        }
    }

    /// Where `node` can listen: no address of loopback, so [`Listen`](crate::Listen) wants to be
    /// [insecure](crate::Listen::insecure), or to have certificates.
    #[must_use]
    pub fn addr(node: u16) -> SocketAddr {
        let [high, low] = node.to_be_bytes();
        (Ipv4Addr::new(10, 0, high, low), PORT).into()
    }

    /// Launches an engine on `node`, where none runs.
    ///
    /// # Errors
    /// [`LaunchError`].
    ///
    /// # Panics
    /// If one does.
    pub fn launch(&mut self, node: u16, builder: EngineBuilder) -> Result<(), LaunchError> {
        let shards = self.options.shards.max(1);
        self.launch_with(node, builder, shards)
    }

    /// Launches a client on `node`, which asks whoever listens at `at`.
    ///
    /// # Errors
    /// [`LaunchError`].
    ///
    /// # Panics
    /// If an engine runs there.
    pub fn connect(
        &mut self,
        node: u16,
        client: ClientBuilder,
        at: SocketAddr,
    ) -> Result<(), LaunchError> {
        self.launch_with(node, client.into_engine(at), 1)?;
        let meets = self.ask(node, 0, |shard, runtime| {
            let meeting = runtime
                .remote()
                .cloned()
                .map(|remote| remote.meet_at_last());
            meeting.map(|meeting| shard.spawn(meeting))
        });
        assert!(meets.flatten().is_some(), "a client's only shard is there");
        Ok(())
    }

    fn launch_with(
        &mut self,
        node: u16,
        builder: EngineBuilder,
        shards: u16,
    ) -> Result<(), LaunchError> {
        assert!(
            !self.nodes.contains_key(&node),
            "an engine runs on node {node}"
        );
        if let Some(refused) = builder.refused {
            return Err(refused.into());
        }
        let Settings { remote, stores, .. } = &builder.settings;
        if let Some(cluster) = &remote.joins {
            cluster.check(remote.listen.as_ref(), stores)?;
        }
        // Whatever was stopped there, this is another process.
        self.world.set_paused(node, false);
        let mut settings = builder.settings;
        settings.idle = IdlePolicy::Park;
        settings.simulated = true;
        settings.neighbourhoods = Neighbourhoods::flat(shards);
        let config = ShardConfig {
            idle: IdlePolicy::Park,
            quota: builder.quota,
            ..ShardConfig::default()
        };
        let faults = Rc::new(Faults::new(self.world.clone(), &self.options));
        let ends = mesh(shards, builder.credits, true);
        let engine = Engine::new(settings, ends[0].shared().clone(), builder.registry);
        let first = node * SHARDS_OF_A_NODE;
        let shards = ends.into_iter().zip(first..).map(|(end, number)| {
            let driver = self.world.driver_on(node, number);
            let driver: Box<dyn Driver> = Box::new(driver);
            let shard = Shard::new(end, config, driver);
            let hooks = Hooks::new(faults.clone());
            let runtime = Runtime::new(engine.clone(), hooks, shard.pulse().clone());
            runtime.open_to_others(&shard);
            shard.attach(&RUNTIME, runtime);
            shard
        });
        let shards = shards.collect();
        let life = Node {
            engine,
            shards,
            faults,
        };
        self.nodes.insert(node, life);
        self.open_stores(node)?;
        let life = &self.nodes[&node];
        if life.engine.settings().remote.listen.is_some() {
            let mut addresses = Vec::new();
            for shard in &life.shards {
                if let Said::Bound(addr) = bind(shard)? {
                    addresses.extend(addr);
                }
            }
            life.engine.acquaintance().listens_at(addresses);
        }
        life.shards.iter().for_each(|shard| serve(shard));
        self.ring(node);
        Ok(())
    }

    fn open_stores(&mut self, node: u16) -> Result<(), LaunchError> {
        let life = &self.nodes[&node];
        if life.engine.settings().stores.is_empty() {
            return Ok(());
        }
        for stage in [StoreStage::Prepare, StoreStage::Open] {
            let life = &self.nodes[&node];
            let shards = match stage {
                StoreStage::Prepare => &life.shards[..1],
                StoreStage::Open => &life.shards[..],
            };
            let begin = |shard| Opening::begin(shard, stage);
            let openings: Vec<_> = shards.iter().map(begin).collect();
            self.ring(node);
            while openings.iter().any(Opening::goes_on) {
                if !self.step(None) {
                    fail(
                        self.seed,
                        "a store is opened and nothing can ever happen again",
                    );
                }
            }
            for opening in openings {
                opening.result().map_err(LaunchError::from)?;
            }
        }
        Ok(())
    }

    /// The seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The world's time: what true clocks show.
    #[must_use]
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// A word of the world's own seeded randomness.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.world.random()
    }

    /// A hash of everything that has happened: equal in two runs by one seed.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.world.trace()
    }

    /// Passes of all nodes' shards so far.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes.get()
    }

    /// The world that they are in: its network, its disks and its clocks.
    #[must_use]
    pub fn world(&self) -> &SimWorld {
        &self.world
    }

    /// Whether an engine runs on `node`.
    #[must_use]
    pub fn is_up(&self, node: u16) -> bool {
        self.nodes.contains_key(&node)
    }

    /// The engine on `node`, if one runs there.
    #[must_use]
    pub fn engine(&self, node: u16) -> Option<&Engine> {
        self.nodes.get(&node).map(|life| &life.engine)
    }

    /// What `node` knows of its cluster.
    #[must_use]
    pub fn status(&self, node: u16) -> Option<ClusterStatus> {
        let status = self.ask(node, 0, |shard, runtime| {
            let remote = runtime.remote()?;
            Some(remote.status(shard.read_clock()))
        });
        status.flatten()
    }

    /// How many actors are in memory on `node`.
    #[must_use]
    pub fn count(&self, node: u16) -> usize {
        let life = self.nodes.get(&node);
        let shards = life.map_or(0, |life| life.shards.len());
        let counts = (0..shards).filter_map(|shard| self.ask(node, shard, crate::observe::count));
        counts.sum()
    }

    /// Starts a task on a shard of `node`: its calls come from there. It ends with the engine.
    ///
    /// # Panics
    /// If there is no such shard. A panic of the task itself ends the run, with the seed.
    pub fn spawn_on(&self, node: u16, shard: u16, future: impl Future<Output = ()> + 'static) {
        let task = Tasks::watched(&self.tasks, future);
        let spawned = self.ask(node, usize::from(shard), |shard, _| {
            shard.spawn(task);
        });
        assert!(
            spawned.is_some(),
            "there is no shard {shard} on node {node}"
        );
        self.ring(node);
    }

    /// Ends the engine on `node` where it stands: nobody is told, but connections are reset.
    pub fn kill(&mut self, node: u16) {
        let Some(life) = self.nodes.remove(&node) else {
            return;
        };
        // First, so that nothing of what its end answers leaves.
        self.world.crash(node);
        self.world.set_paused(node, false);
        life.end();
    }

    /// Shuts the engine on `node` down as [`Engine::shutdown`] does, in virtual time: it gives its
    /// slots to the others, answers what is under way, and ends.
    pub fn shutdown(&mut self, node: u16) {
        let Some(life) = self.nodes.get(&node) else {
            return;
        };
        let engine = life.engine.clone();
        let (grace, joins) = {
            let settings = engine.settings();
            (settings.grace, settings.remote.joins.clone())
        };
        if let Some(cluster) = joins {
            let left = |all: &Self| {
                let left = all.ask(node, 0, |_, runtime| {
                    let known = runtime.remote().and_then(|remote| remote.node());
                    known.is_none_or(|known| {
                        known.leave();
                        known.has_left()
                    })
                });
                left.unwrap_or(true)
            };
            self.wait_for(cluster.leave_within, left);
        }
        for shard in 0..usize::from(engine.shards()) {
            self.ask(node, shard, |_, runtime| {
                runtime.remote().map(|remote| remote.leave())
            });
        }
        let before = Cell::new(None);
        let is_quiet = |all: &Self| {
            let survey = all.survey(node);
            survey.is_quiet() && before.replace(Some(survey)) == Some(survey)
        };
        self.wait_for(grace, is_quiet);
        self.wait_for(grace, |all| {
            let closed = (0..usize::from(engine.shards())).map(|shard| {
                all.ask(node, shard, |shard, runtime| runtime.close_actors(shard))
                    .unwrap_or(true)
            });
            closed.fold(true, |all, closed| all & closed)
        });
        if let Some(life) = self.nodes.remove(&node) {
            life.end();
        }
    }

    /// Lets the world go on until something is so, or for `limit` at most.
    fn wait_for(&self, limit: Duration, is_so: impl Fn(&Self) -> bool) {
        const LOOK_EVERY: Duration = Duration::from_millis(1);
        let until = self.now() + limit;
        while self.now() < until && !is_so(self) {
            self.nodes.keys().for_each(|node| self.ring(*node));
            self.run_for(LOOK_EVERY);
        }
    }

    fn survey(&self, node: u16) -> Survey {
        let shards = self.nodes.get(&node).map_or(0, |life| life.shards.len());
        let surveys = (0..shards)
            .filter_map(|shard| self.ask(node, shard, |shard, runtime| runtime.survey(shard)));
        surveys.fold(Survey::default(), Survey::and)
    }

    /// Runs the world for `duration` of its time.
    ///
    /// # Panics
    /// With the seed: when an engine breaks one of its own rules, or a task of the test panics.
    pub fn run_for(&self, duration: Duration) {
        let until = self.now() + duration;
        while self.now() < until && self.step(Some(until)) {}
        self.world.advance_to(until);
    }

    /// Lets a shard run, or else time pass; false if nothing can happen by `until`.
    fn step(&self, until: Option<Time>) -> bool {
        let Some(number) = self.world.pick() else {
            let next = self.world.next_event();
            let Some(next) = next.filter(|next| until.is_none_or(|until| *next <= until)) else {
                return false;
            };
            self.world.advance_to(next);
            return true;
        };
        let (node, place) = (number / SHARDS_OF_A_NODE, number % SHARDS_OF_A_NODE);
        let Some(life) = self.nodes.get(&node) else {
            return true;
        };
        let shard = &life.shards[usize::from(place)];
        self.passes.set(self.passes.get() + 1);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            if shard.is_parked() {
                shard.unpark();
            }
            if !pass(shard) {
                shard.park();
            }
        }));
        if let Err(panic) = ran {
            fail(self.seed, &message_of(&*panic));
        }
        self.world.stall(self.draw_pass());
        if let Some(broken) = life.faults.broken() {
            fail(self.seed, &format!("on node {node}: {broken}"));
        }
        if let Some(failed) = self.tasks.take_failed() {
            fail(self.seed, &failed);
        }
        true
    }

    fn draw_pass(&self) -> Duration {
        let (least, most) = (*self.options.pass.start(), *self.options.pass.end());
        let span = most.saturating_sub(least).as_nanos() as u64 + 1;
        least + Duration::from_nanos(self.world.random() % span)
    }

    fn ask<R>(
        &self,
        node: u16,
        shard: usize,
        question: impl FnOnce(&Shard, &Runtime) -> R,
    ) -> Option<R> {
        let shard = self.nodes.get(&node)?.shards.get(shard)?;
        shard.enter(|shard| Some(question(shard, shard.attached(&RUNTIME)?)))
    }

    /// Has the shards of `node` look for what was brought to them.
    fn ring(&self, node: u16) {
        let Some(life) = self.nodes.get(&node) else {
            return;
        };
        for shard in &life.shards {
            if let Some(handle) = life.engine.mesh().handle(shard.id()) {
                handle.bell.ring();
            }
        }
    }
}

impl Drop for SimCluster {
    fn drop(&mut self) {
        let nodes: Vec<_> = self.nodes.keys().copied().collect();
        if std::thread::panicking() {
            std::mem::forget(std::mem::take(&mut self.nodes));
            return;
        }
        nodes.into_iter().for_each(|node| self.kill(node));
    }
}

impl fmt::Debug for SimCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimCluster")
            .field("seed", &self.seed)
            .field("now", &self.now())
            .field("nodes", &self.nodes.keys())
            .finish_non_exhaustive()
    }
}
