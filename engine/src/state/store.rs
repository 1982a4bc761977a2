//! The stores that an engine is given.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use quark_shards::shard::Shard;
use quark_storage::memory::MemoryStore;
use quark_storage::provider::{Provider, RecordKey};

use super::directory::Directory;
use super::opening::{Opened, Opening};
#[cfg(any(feature = "redis", feature = "postgres"))]
use super::servers::Server;
use crate::engine::Engine;

/// Where an engine's actors keep what they keep: given to
/// [`EngineBuilder::store`](crate::EngineBuilder::store). Opened at launch, by every shard for
/// itself. Clones stand for the same place.
#[derive(Clone)]
pub struct Store {
    kind: &'static str,
    pub(super) opening: Arc<dyn Opening>,
}

/// What the store is called that has no other name.
pub(crate) const DEFAULT_STORE: &str = "default";

impl Store {
    /// Memory, which is forgotten with the engine: for tests, and for actors whose states need
    /// only outlive their stay in memory.
    #[must_use]
    pub fn memory() -> Self {
        Store::opened_by("memory", Memory)
    }

    /// A log on each shard's disk, in `directory`, which is made if need be and holds nothing else.
    ///
    /// What was saved survives a crash of the process and, on an honest disk, loss of power. A
    /// directory belongs to one engine at a time; the next may have another number of shards. See
    /// [`storage::embedded`](quark_storage::embedded).
    pub fn directory(directory: impl Into<PathBuf>) -> Self {
        Store::opened_by("directory", Directory::new(directory.into()))
    }

    /// A Redis: one server, Sentinel or Cluster, by URL:
    /// `redis://[[user]:password@]host[:port][/database]`, `rediss://` with TLS, and what
    /// [`RedisConfig`](quark_storage::redis::RedisConfig::from_url) says of the others.
    ///
    /// What was saved is as durable as the server makes it: on its disk with `appendonly yes` and
    /// `appendfsync always`. Without those, a Redis that ends has lost what it was saved last: by
    /// default, a second's.
    #[cfg(feature = "redis")]
    pub fn redis(url: impl Into<String>) -> Self {
        Store::opened_by("redis", Server::redis(url.into()))
    }

    /// A PostgreSQL, by URL: `postgres://user[:password]@host[:port]/database`, and what
    /// [`PostgresConfig`](quark_storage::postgres::PostgresConfig::from_url) says besides. The store
    /// makes its tables itself.
    #[cfg(feature = "postgres")]
    pub fn postgres(url: impl Into<String>) -> Self {
        Store::opened_by("postgres", Server::postgres(url.into()))
    }

    /// A store of your own: `factory` makes each shard's access to it, on that shard.
    ///
    /// It is a [`Provider`](crate::provider::Provider), and must pass the checks of
    /// [`provider_conformance`](crate::testing::provider_conformance).
    pub fn custom(factory: impl Fn(StoreCx) -> Rc<dyn Provider> + Send + Sync + 'static) -> Self {
        Store::opened_by("custom", Custom(factory))
    }

    pub(super) fn opened_by(kind: &'static str, opening: impl Opening + 'static) -> Self {
        Store {
            kind,
            opening: Arc::new(opening),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store::{}", self.kind)
    }
}

/// The shard that a store is opened on.
#[derive(Clone)]
pub struct StoreCx {
    shard: Rc<Shard>,
    engine: Engine,
}

impl StoreCx {
    pub(super) fn new(shard: Rc<Shard>, engine: Engine) -> Self {
        StoreCx { shard, engine }
    }

    /// The shard's number, from 0.
    #[must_use]
    pub fn shard(&self) -> u16 {
        self.shard.id()
    }

    /// How many shards the engine has.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.engine.shards()
    }

    /// The shard itself: its clock, its I/O and its tasks. Who keeps it must let go of it in
    /// [`Provider::close`] at the latest, or when dropped.
    #[must_use]
    pub fn handle(&self) -> &Rc<Shard> {
        &self.shard
    }

    pub(super) fn is_simulated(&self) -> bool {
        self.engine.settings().simulated
    }

    /// The shard that keeps a record, from 0: where the hash of its actor's key falls, wherever
    /// the actor lives.
    #[must_use]
    pub fn keeper_of(&self, record: &RecordKey) -> u16 {
        self.engine.keeper_of_record(record)
    }
}

impl fmt::Debug for StoreCx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreCx")
            .field("shard", &self.shard())
            .field("shards", &self.shards())
            .finish_non_exhaustive()
    }
}

/// An engine's stores, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreChoices(BTreeMap<String, Store>);

impl StoreChoices {
    pub(crate) fn set(&mut self, name: impl Into<String>, store: Store) {
        self.0.insert(name.into(), store);
    }

    /// The shard that looks after a reminder in the store called `name`, if it has one for that.
    pub(super) fn attendant_of(&self, name: &str, reminder: &RecordKey, of: u16) -> Option<u16> {
        self.0.get(name)?.opening.attendant_of(reminder, of)
    }

    /// The name of one that stays with its engine, if any does.
    pub(crate) fn local(&self) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(_, store)| store.opening.is_local());
        found.map(|(name, _)| name.as_str())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Store)> {
        self.0.iter().map(|(name, store)| (name.as_str(), store))
    }
}

struct Memory;

impl Opening for Memory {
    fn is_local(&self) -> bool {
        true
    }

    fn open(&self, _: StoreCx) -> Opened<'_, Rc<dyn Provider>> {
        Box::pin(async { Ok(Rc::new(MemoryStore::new()) as Rc<dyn Provider>) })
    }
}

struct Custom<F>(F);

impl<F: Fn(StoreCx) -> Rc<dyn Provider> + Send + Sync> Opening for Custom<F> {
    fn open(&self, cx: StoreCx) -> Opened<'_, Rc<dyn Provider>> {
        let provider = (self.0)(cx);
        Box::pin(async { Ok(provider) })
    }
}
