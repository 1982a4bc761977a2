//! How an engine is configured.

use std::sync::Arc;
use std::time::Duration;

use quark_numa::Topology;
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::Credits;
use quark_shards::stall::Stall;

use crate::actor::Actor;
use crate::cluster::Cluster;
use crate::driver_kind::DriverKind;
use crate::engine::{Engine, Settings};
use crate::error::RegisterError;
use crate::launch::{LaunchError, launch};
use crate::neighbourhood::Neighbourhoods;
use crate::options::ActorOptions;
use crate::registry::{FactoryCx, Registry};
use crate::remote::{Listen, RemoteSettings};
use crate::state::{DEFAULT_STORE, Store, StoreChoices};
use crate::supervision::{Escalation, OnEscalation};
use crate::testing::{Double, Sim, SimDisks, SimOptions};

/// Configures an engine; see [`Engine::builder`].
#[must_use = "nothing runs until it is launched"]
pub struct EngineBuilder {
    pub(crate) topology: Option<Topology>,
    pub(crate) idle: Option<IdlePolicy>,
    pub(crate) driver: Option<DriverKind>,
    pub(crate) settings: Settings,
    pub(crate) credits: Credits,
    pub(crate) quota: Duration,
    pub(crate) registry: Registry,
    pub(crate) refused: Option<RegisterError>,
    pub(crate) on_stall: Option<OnStall>,
}

/// Hears of stalls, on the thread that watches for them.
pub(crate) type OnStall = Box<dyn Fn(&Stall) + Send>;

impl Default for EngineBuilder {
    fn default() -> Self {
        EngineBuilder {
            topology: None,
            idle: None,
            driver: None,
            settings: Settings {
                seed: 0,
                idle: IdlePolicy::default(),
                mailbox: 1024,
                idle_after: Duration::from_secs(300),
                timeout: Duration::from_secs(30),
                grace: Duration::from_secs(10),
                max_actors: usize::MAX,
                memory_limit: u64::MAX,
                stall: quark_shards::stall::DEFAULT_THRESHOLD,
                dead_letters: 256,
                on_escalation: None,
                neighbourhoods: Neighbourhoods::default(),
                stores: StoreChoices::default(),
                remote: RemoteSettings::default(),
                simulated: false,
            },
            credits: Credits::default(),
            quota: Duration::from_micros(500),
            registry: Registry::default(),
            refused: None,
            on_stall: None,
        }
    }
}

impl EngineBuilder {
    /// The machine, and which of its cores get a shard. By default, what
    /// [`Topology::detect`] finds.
    pub fn topology(mut self, topology: Topology) -> Self {
        self.topology = Some(topology);
        self
    }

    /// What shards do when there is nothing to do. By default [`IdlePolicy::ADAPTIVE`], and
    /// [`IdlePolicy::Park`] where there are more shards than cores.
    pub fn idle(mut self, policy: IdlePolicy) -> Self {
        self.idle = Some(policy);
        self
    }

    /// What the shards stand on. By default [`DriverKind::Uring`], unless the environment variable
    /// `QUARK_DRIVER` names another.
    pub fn driver(mut self, kind: DriverKind) -> Self {
        self.driver = Some(kind);
        self
    }

    /// The secret that places keys on shards: the same on all nodes of a cluster, and unknown to
    /// strangers, who could else aim keys at one shard.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Registers a type with a factory: for actors that are not `Default`, or need services.
    /// The factory runs on the actor's shard at each activation.
    pub fn register<A: Actor>(
        self,
        factory: impl Fn(&FactoryCx) -> A + Send + Sync + 'static,
    ) -> Self {
        self.register_with(ActorOptions::new(), factory)
    }

    /// [`register`](Self::register), with options that go before those in the type's attribute.
    pub fn register_with<A: Actor>(
        mut self,
        options: ActorOptions,
        factory: impl Fn(&FactoryCx) -> A + Send + Sync + 'static,
    ) -> Self {
        let registered = self
            .registry
            .register::<A>(options, Some(Arc::new(factory)));
        self.refused = self.refused.or(registered.err());
        self
    }

    /// Sets options of a `Default` type; they go before those in its attribute.
    pub fn configure<A: Actor>(mut self, options: ActorOptions) -> Self {
        let registered = self.registry.register::<A>(options, None);
        self.refused = self.refused.or(registered.err());
        self
    }

    /// Has `double` stand in for every actor of its type: none is made, whatever the type's
    /// registration says. For tests; see [`testing`](crate::testing).
    pub fn double<A: Actor>(self, double: &Double<A>) -> Self {
        self.registry.doubles.set(double);
        self
    }

    /// Where actors keep what names no store of its own. Without one, such actors can't be
    /// activated. Given twice, the last counts.
    pub fn store(self, store: Store) -> Self {
        self.store_named(DEFAULT_STORE, store)
    }

    /// One more store, which states ask for by its name: `#[state(store = "fast")]`. Given twice by
    /// one name, the last counts.
    pub fn store_named(mut self, name: impl Into<String>, store: Store) -> Self {
        self.settings.stores.set(name, store);
        self
    }

    /// Takes calls from other processes, for the types that this builder knows
    /// ([`register`](Self::register), [`configure`](Self::configure)), as far as their messages can
    /// travel: those whose arguments and replies are [`message`](macro@crate::message)s, or of the
    /// standard library's plain types.
    pub fn listen(mut self, listen: Listen) -> Self {
        self.settings.remote.cluster.clone_from(&listen.cluster);
        self.settings.remote.listen = Some(listen);
        self
    }

    /// Makes the engine a node of a cluster, whose nodes share all keys among them: calls find their
    /// actors on whichever they live. It has to [listen](Self::listen), and to have the others'
    /// [seed](Self::seed).
    pub fn cluster(mut self, cluster: Cluster) -> Self {
        self.settings.remote.joins = Some(cluster);
        self
    }

    /// Messages that may wait for one actor, unless its type says otherwise; 1,024 by default.
    pub fn mailbox(mut self, messages: usize) -> Self {
        self.settings.mailbox = messages.max(1);
        self
    }

    /// Dead letters that each shard keeps, with their messages; 256 by default. All are counted,
    /// but only the last so many can be listed and sent again. With 0 none is kept: their
    /// messages are dropped at once, with whatever they hold.
    pub fn dead_letters(mut self, kept: usize) -> Self {
        self.settings.dead_letters = kept;
        self
    }

    /// How long an actor stays in memory without a message, unless its type says otherwise; five
    /// minutes by default. [`Duration::MAX`] keeps it forever.
    pub fn idle_after(mut self, idle: Duration) -> Self {
        self.settings.idle_after = idle;
        self
    }

    /// How many actors may be in memory; any number by default. Beyond it, those that were called
    /// the longest ago (told apart to a sixteenth of that time) are put to sleep, whatever their
    /// types' idle times. Each shard sheds its own when it has more than its part.
    ///
    /// It is a soft limit: it is exceeded by the actors that come while the oldest are looked for
    /// (a few in a hundred), and by those that can't leave, being busy or
    /// [kept](crate::Cx::keep_active).
    pub fn max_actors(mut self, actors: usize) -> Self {
        self.settings.max_actors = actors.max(1);
        self
    }

    /// How many bytes of memory the process may have resident before actors leave; any number by
    /// default. While there are more, those that were called the longest ago are put to sleep, a
    /// part of them every 100 ms; nobody who was called within the last second.
    ///
    /// It is a soft limit: what actors give back may stay with the allocator, and the engine's
    /// own memory for them (some 256 bytes each) stays with the shard for the next.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.settings.memory_limit = bytes;
        self
    }

    /// How long asks wait unless the type or the call says otherwise; 30 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How long a shutdown waits for what is under way; 10 seconds by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// How long a turn may hold its core before that is reported; 25 ms by default.
    pub fn stall_threshold(mut self, threshold: Duration) -> Self {
        self.settings.stall = threshold;
        self
    }

    /// Has `report` called when a shard stands still for longer than
    /// [the threshold](Self::stall_threshold), and again when it runs on. Beside the log, which
    /// is told anyway. It is called on a thread of its own, never a shard's.
    pub fn on_stall(mut self, report: impl Fn(&Stall) + Send + 'static) -> Self {
        self.on_stall = Some(Box::new(report));
        self
    }

    /// Has `hear` called when the engine gives an actor up, beside the log, which is told
    /// anyway. It is called on the shard where that happens, so it must be quick, and not block.
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// use quark::prelude::*;
    /// use quark::testing::SimOptions;
    /// use quark::{ActorOptions, Supervision};
    ///
    /// #[derive(Default)]
    /// pub struct Fragile;
    ///
    /// #[actor]
    /// impl Fragile {
    ///     pub fn break_down(&mut self, cx: &Cx<Self>) {
    ///         cx.fail("it broke");
    ///     }
    /// }
    ///
    /// let (tell, heard) = mpsc::channel();
    /// let never = Supervision { restarts: 0, ..Supervision::DEFAULT };
    /// let sim = Engine::builder()
    ///     .configure::<Fragile>(ActorOptions::new().supervision(never))
    ///     .on_escalation(move |escalation| tell.send(escalation.clone()).unwrap())
    ///     .simulate(1, SimOptions::default())
    ///     .unwrap();
    /// let fragile = sim.actor::<Fragile>("cup");
    /// sim.block_on(async { fragile.break_down().await }).unwrap();
    /// let escalation = heard.recv().unwrap();
    /// assert_eq!(escalation.actor.to_string(), "Fragile/cup");
    /// assert_eq!(escalation.cause, "it broke");
    /// ```
    pub fn on_escalation(mut self, hear: impl Fn(&Escalation) + Send + Sync + 'static) -> Self {
        self.settings.on_escalation = Some(OnEscalation(Arc::new(hear)));
        self
    }

    /// How long ready turns may run before the loop looks around; 500 µs by default.
    pub fn quota(mut self, quota: Duration) -> Self {
        self.quota = quota;
        self
    }

    /// How much may be under way between two shards.
    pub fn credits(mut self, credits: Credits) -> Self {
        self.credits = credits;
        self
    }

    /// Launches the engine and returns once every shard is up.
    ///
    /// # Errors
    /// [`LaunchError`], a line that says what is missing and what to do.
    pub fn launch(self) -> Result<Engine, LaunchError> {
        launch(self)
    }

    /// Makes an engine whose shards run on glommio executors of the program's own; see
    /// [`hosted`](crate::hosted). The topology says how many, and how near to each other they
    /// count as; where they really run is the executors' affair.
    ///
    /// # Errors
    /// [`LaunchError`], a line that says what is missing and what to do.
    #[cfg(feature = "glommio")]
    pub fn host(
        self,
    ) -> Result<(crate::hosted::Hosting, Vec<crate::hosted::HostedShard>), LaunchError> {
        crate::hosted::host(self)
    }

    /// Makes the engine in this thread alone, in a simulated world that does everything by
    /// `seed`; see [`testing`](crate::testing). The topology, the idle policy and the stall
    /// threshold mean nothing there.
    ///
    /// # Errors
    /// [`RegisterError`], when a type was registered twice, its name is taken, or a store can't be
    /// opened.
    pub fn simulate(self, seed: u64, options: SimOptions) -> Result<Sim, RegisterError> {
        Sim::new(self, seed, options)
    }

    /// The same on the disks of a simulation that has ended: the world goes on, its clock, its
    /// randomness and its faults, and `options` say the rest.
    ///
    /// # Errors
    /// As [`simulate`](Self::simulate).
    pub fn simulate_on(self, disks: SimDisks, options: SimOptions) -> Result<Sim, RegisterError> {
        Sim::on(self, disks, options)
    }
}
