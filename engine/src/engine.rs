//! The engine: what its users hold.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, LazyLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use quark_numa::Topology;
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::MeshShared;
use quark_shards::port::PortNumbers;
use quark_shards::slots::{hash_key, shard_of};
use quark_storage::provider::RecordKey;
use xxhash_rust::xxh3::xxh3_64;

use crate::actor::{Actor, TypeToken};
use crate::builder::EngineBuilder;
use crate::contract::{Addressed, RefOf};
use crate::error::RegisterError;
use crate::key::Key;
use crate::launch::LaunchError;
use crate::neighbourhood::Neighbourhoods;
use crate::reference::RefCore;
use crate::registry::{Registration, Registry};
use crate::reminders::{Delivery, Due};
use crate::remote::{Acquaintance, RemoteSettings, Served};
use crate::report::LaunchReport;
use crate::running::Running;
use crate::runtime::try_with_runtime;
use crate::state::{StoreChoices, key_of};
use crate::supervision::OnEscalation;
use crate::testing::Doubles;

/// Names an engine among all of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineId(u32);

/// A running engine. Clones are handles to the same one; when the last goes, the engine shuts
/// down (see [`shutdown`](Self::shutdown)).
#[derive(Clone)]
pub struct Engine {
    shared: Arc<EngineShared>,
    /// The threads; shards' own handles have none, so that they don't keep the engine alive.
    owner: Option<Arc<Running>>,
}

/// What all handles and shards of an engine share.
pub(crate) struct EngineShared {
    id: EngineId,
    settings: Settings,
    /// What keys are hashed with: a client learns it from its peer.
    seed: AtomicU64,
    mesh: Arc<MeshShared>,
    ports: PortNumbers,
    registry: Registry,
    stage: AtomicU8,
    remote: Acquaintance,
    report: RwLock<LaunchReport>,
}

/// What an engine was built with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) idle: IdlePolicy,
    pub(crate) mailbox: usize,
    pub(crate) idle_after: Duration,
    pub(crate) timeout: Duration,
    pub(crate) grace: Duration,
    pub(crate) max_actors: usize,
    pub(crate) memory_limit: u64,
    pub(crate) stall: Duration,
    /// Dead letters kept on each shard.
    pub(crate) dead_letters: usize,
    pub(crate) on_escalation: Option<OnEscalation>,
    pub(crate) neighbourhoods: Neighbourhoods,
    pub(crate) stores: StoreChoices,
    pub(crate) remote: RemoteSettings,
    /// Its shards share the caller's thread, so blocking for them would be for ever.
    pub(crate) simulated: bool,
}

impl Settings {
    /// How long a port looks for an answer before its thread sleeps.
    pub(crate) fn port_spin(&self) -> Duration {
        match self.idle {
            IdlePolicy::Spin => Duration::MAX,
            IdlePolicy::Adaptive { spin } => spin,
            IdlePolicy::Park => Duration::ZERO,
        }
    }
}

/// How far an engine is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stage {
    Running,
    /// Takes no calls from outside; lets those under way finish.
    Draining,
    /// Cuts off what has not finished.
    Stopped,
    /// Its shards are gone: nobody looks into their inboxes any more.
    Ended,
}

static NEXT_ENGINE: AtomicU32 = AtomicU32::new(1);
static ENGINES: LazyLock<RwLock<BTreeMap<EngineId, Weak<EngineShared>>>> =
    LazyLock::new(RwLock::default);

/// The engine of that id, if it still stands.
pub(crate) fn engine(id: EngineId) -> Option<Engine> {
    let engines = ENGINES.read().unwrap_or_else(PoisonError::into_inner);
    Some(Engine {
        shared: engines.get(&id)?.upgrade()?,
        owner: None,
    })
}

/// Whether the engine of that id stands and is simulated.
pub(crate) fn is_simulated(id: EngineId) -> bool {
    engine(id).is_some_and(|engine| engine.settings().simulated)
}

impl Engine {
    /// Launches with the defaults: one pinned shard on each core that `topology` places one on.
    ///
    /// # Errors
    /// [`LaunchError`], a line that says what is missing and what to do.
    pub fn launch(topology: Topology) -> Result<Engine, LaunchError> {
        Engine::builder().topology(topology).launch()
    }

    /// An engine to be configured.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    pub(crate) fn new(settings: Settings, mesh: Arc<MeshShared>, registry: Registry) -> Self {
        let id = EngineId(NEXT_ENGINE.fetch_add(1, Ordering::Relaxed));
        let seed = AtomicU64::new(settings.seed);
        let shared = Arc::new(EngineShared {
            id,
            settings,
            seed,
            mesh,
            ports: PortNumbers::default(),
            registry,
            stage: AtomicU8::new(Stage::Running as u8),
            remote: Acquaintance::default(),
            report: RwLock::default(),
        });
        let mut engines = ENGINES.write().unwrap_or_else(PoisonError::into_inner);
        engines.insert(id, Arc::downgrade(&shared));
        Engine {
            shared,
            owner: None,
        }
    }

    pub(crate) fn owned_by(&self, running: Arc<Running>) -> Self {
        Engine {
            shared: self.shared.clone(),
            owner: Some(running),
        }
    }

    /// A handle that does not keep the engine running.
    pub(crate) fn unowned(&self) -> Self {
        Engine {
            shared: self.shared.clone(),
            owner: None,
        }
    }

    /// A reference to the actor `key` of type `A`. Nothing is made until it is called.
    #[must_use]
    pub fn actor<A: Addressed + ?Sized>(&self, key: impl Into<Key>) -> RefOf<A> {
        RefOf::<A>::from(self.core_of::<A::Actor>(key.into()))
    }

    /// The shard on which the actor `key` of type `A` lives whenever it lives.
    #[must_use]
    pub fn home_of<A: Addressed + ?Sized>(&self, key: impl Into<Key>) -> u16 {
        self.core_of::<A::Actor>(key.into()).shard
    }

    /// How many shards it has.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.shared.mesh.shards()
    }

    /// What was found and chosen at launch.
    #[must_use]
    pub fn report(&self) -> LaunchReport {
        self.shared
            .report
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stops the engine: takes no more calls from outside, lets those under way finish, puts
    /// every actor to sleep (running `on_deactivate`), and ends the shards. What has not
    /// finished after the configured grace ([`EngineBuilder::grace`]) is dropped, and its caller
    /// answered [`Stopped`](crate::CallError::Stopped): no accepted call goes without an answer.
    ///
    /// Blocks until the shards have ended; called on a shard, it only begins.
    pub fn shutdown(self) {
        if let Some(owner) = &self.owner {
            owner.shut_down();
        }
    }

    pub(crate) fn core_of<A: Actor>(&self, key: Key) -> RefCore {
        let here = try_with_runtime(|here| match here {
            Some((_, runtime)) if runtime.engine_id() == self.id() => {
                let types = runtime.types.get::<A>(runtime).ok()?;
                let hash = types.hash(self.seed(), &key);
                Some((hash, self.home(&types.options, &key, hash)))
            }
            _ => None,
        });
        let (hash, shard) = here.unwrap_or_else(|| {
            let hash = self.hash_of(A::token(), &key);
            // A type that can't be used is told of by the call.
            let options = self.registered::<A>().map(|known| known.options);
            (hash, self.home(&options.unwrap_or_default(), &key, hash))
        });
        RefCore::new(A::token(), key, hash, self.id(), shard)
    }

    #[inline]
    pub(crate) fn hash_of(&self, token: &TypeToken, key: &Key) -> u64 {
        self.hash_in(token.hash(), key)
    }

    /// What keys are hashed with.
    #[inline]
    pub(crate) fn seed(&self) -> u64 {
        self.shared.seed.load(Ordering::Relaxed)
    }

    /// The hash of `key` among those of one type, or of whatever else `realm` stands for.
    #[inline]
    pub(crate) fn hash_in(&self, realm: u64, key: &Key) -> u64 {
        hash_key(self.seed(), realm, key.into())
    }

    /// The shard that keeps the records of a key with this hash. By the hash alone, since where a
    /// type's actors live may change from one launch to the next.
    pub(crate) fn keeper_of(&self, hash: u64) -> u16 {
        shard_of(hash, self.shards())
    }

    /// The shard that keeps `record`.
    pub(crate) fn keeper_of_record(&self, record: &RecordKey) -> u16 {
        let key = key_of(record.key());
        let hash = self.hash_in(xxh3_64(record.actor().as_bytes()), &key);
        self.keeper_of(hash)
    }

    /// Tells an actor of a reminder; `None` if its type is not registered, or does not listen.
    pub(crate) fn deliver(&self, actor: &str, key: Key, due: Due) -> Option<Delivery> {
        let deliver = self.shared.registry.deliver(actor)?;
        Some(deliver(self, key, due))
    }

    /// What its processes and those of others know of each other.
    pub(crate) fn acquaintance(&self) -> &Acquaintance {
        &self.shared.remote
    }

    /// From now on keys are hashed with this.
    pub(crate) fn set_seed(&self, seed: u64) {
        self.shared.seed.store(seed, Ordering::Relaxed);
    }

    /// Whether those who call it have to speak TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        let listen = self.settings().remote.listen.as_ref();
        listen.is_some_and(|listen| listen.tls.is_some())
    }

    /// Where its shards take calls from other processes, in order; nothing unless they do.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.shared.remote.addresses()
    }

    /// Its types that other processes can call.
    pub(crate) fn served(&self) -> Arc<[Served]> {
        self.shared.remote.served(&self.shared.registry)
    }

    pub(crate) fn registered<A: Actor>(&self) -> Result<Registration<A>, RegisterError> {
        self.shared.registry.get(
            self.shards(),
            &self.settings().neighbourhoods,
            self.settings().remote.peer.is_some(),
        )
    }

    /// How many actors each shard may have in memory.
    pub(crate) fn actors_per_shard(&self) -> usize {
        match self.settings().max_actors {
            usize::MAX => usize::MAX,
            all => all.div_ceil(usize::from(self.shards())),
        }
    }

    /// What stands in for its actors in a test.
    pub(crate) fn doubles(&self) -> &Doubles {
        &self.shared.registry.doubles
    }

    #[inline]
    pub(crate) fn id(&self) -> EngineId {
        self.shared.id
    }

    pub(crate) fn mesh(&self) -> &Arc<MeshShared> {
        &self.shared.mesh
    }

    pub(crate) fn port_numbers(&self) -> &PortNumbers {
        &self.shared.ports
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    pub(crate) fn set_report(&self, report: LaunchReport) {
        *self
            .shared
            .report
            .write()
            .unwrap_or_else(PoisonError::into_inner) = report;
    }

    pub(crate) fn takes_calls(&self) -> bool {
        self.shared.stage.load(Ordering::Acquire) == Stage::Running as u8
    }

    /// Lets go of what was brought to a shard that is gone, which answers those who wait for it.
    ///
    /// Whoever pushes into an inbox asks this afterwards. Either the end's own clearing finds
    /// what he pushed, or he sees the end here.
    pub(crate) fn clear_if_ended(&self) -> bool {
        fence(Ordering::SeqCst);
        let ended = self.shared.stage.load(Ordering::Acquire) == Stage::Ended as u8;
        if ended {
            self.clear_inboxes();
        }
        ended
    }

    pub(crate) fn clear_inboxes(&self) {
        fence(Ordering::SeqCst);
        for shard in 0..self.shards() {
            if let Some(handle) = self.mesh().handle(shard) {
                while handle.inbox.pop().is_some() {}
            }
        }
    }

    /// Moves on to `stage`; false if it was there already.
    pub(crate) fn advance(&self, stage: Stage) -> bool {
        self.shared.stage.fetch_max(stage as u8, Ordering::AcqRel) < stage as u8
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("id", &self.shared.id.0)
            .field("shards", &self.shards())
            .finish_non_exhaustive()
    }
}

impl Drop for EngineShared {
    fn drop(&mut self) {
        let mut engines = ENGINES.write().unwrap_or_else(PoisonError::into_inner);
        engines.remove(&self.id);
    }
}
