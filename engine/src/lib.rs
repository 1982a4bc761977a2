//! Quark: virtual actors at hardware speed.
//!
//! A plain struct and its methods become an actor; the engine gives every key of it a home on
//! one core, activates it on first call, runs its turns one at a time, and lets it sleep.
//!
//! ```
//! use quark::prelude::*;
//!
//! #[derive(Default)]
//! pub struct Account {
//!     cents: i64,
//! }
//!
//! #[actor]
//! impl Account {
//!     pub fn deposit(&mut self, cents: i64) -> i64 {
//!         self.cents += cents;
//!         self.cents
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::launch(Topology::detect()?)?;
//! let alice = engine.actor::<Account>("alice");
//! assert_eq!(alice.deposit(5).wait()?, 5);
//! # Ok(())
//! # }
//! ```
//!
//! [The manual](manual) has a page for each idea, with programs that run.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

/// Compiles and runs what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

// The attribute's code names this crate from outside.
extern crate self as quark;

mod activation;
mod actor;
mod arguments;
mod builder;
mod call;
mod carried;
mod cluster;
mod coalesce;
mod context;
mod contract;
mod dead_letter;
mod density;
mod driver_kind;
mod engine;
mod errand;
mod error;
mod extra;
#[cfg(feature = "glommio")]
pub mod hosted;
mod journal;
mod key;
mod launch;
mod lifecycle;
mod limits;
mod mailbox;
pub mod manual;
mod message;
mod methods;
mod neighbourhood;
mod observe;
mod options;
mod overload;
mod placement;
mod port;
mod post;
mod priority;
mod reference;
mod registry;
mod reminders;
mod remote;
mod report;
mod routing;
mod running;
mod runtime;
mod schedule;
mod shutdown;
mod state;
mod supervision;
pub mod testing;
mod turn;
mod types;
mod whole;
mod wire;

pub use actor::ActivateError;
pub use builder::EngineBuilder;
pub use call::{Call, Send};
pub use cluster::{Cluster, ClusterError, ClusterMember, ClusterStatus, FixedNode};
pub use context::{Context, Cx};
pub use contract::RefOf;
pub use dead_letter::{DeadLetter, DeadLetters, DeadReason};
pub use density::Collected;
pub use driver_kind::{DriverKind, DriverKindError};
pub use engine::{Engine, EngineId};
pub use error::{CallError, NotRemote, RegisterError, RetryAfter, TellError};
pub use journal::{Evolve, Journal};
pub use key::{ActorId, Key};
pub use launch::LaunchError;
pub use limits::breaker::{BreakerInfo, BreakerState};
pub use options::{
    ActorOptions, Backoff, Breaker, Directive, Near, Placement, Priority, RateLimit, Strategy,
    Supervision, WhenFull,
};
pub use port::Port;
/// # Examples
///
/// ```
/// use quark::prelude::*;
///
/// #[message]
/// #[derive(Debug, PartialEq)]
/// pub struct Order {
///     symbol: String,
///     lots: u32,
///     /// Came later: nodes that do not know it yet leave it out.
///     #[message(default)]
///     urgent: bool,
/// }
///
/// #[message]
/// #[derive(Debug, PartialEq)]
/// pub enum Refused {
///     NoSuchSymbol,
///     TooMany { most: u32 },
/// }
///
/// #[derive(Default)]
/// pub struct Book;
///
/// #[actor]
/// impl Book {
///     /// Can be called from other processes too: all its types are messages.
///     pub fn place(&mut self, order: Order) -> Result<u64, Refused> {
///         match order {
///             Order { lots: 1001.., .. } => Err(Refused::TooMany { most: 1000 }),
///             Order { symbol, .. } if symbol.is_empty() => Err(Refused::NoSuchSymbol),
///             _ => Ok(7),
///         }
///     }
/// }
/// # let sim = Engine::builder().simulate(1, quark::testing::SimOptions::default()).unwrap();
/// # let order = Order { symbol: "QRK".into(), lots: 2000, urgent: false };
/// # let refused = sim.block_on(sim.actor::<Book>("QRK").place(order));
/// # assert_eq!(refused, Err(CallError::Failed(Refused::TooMany { most: 1000 })));
/// ```
pub use quark_macros::message;
/// # Examples
///
/// Three callers, one look at the disk:
///
/// ```
/// use std::cell::Cell;
/// use std::time::Duration;
///
/// use quark::prelude::*;
/// use quark::testing::SimOptions;
///
/// #[derive(Default)]
/// pub struct Pages {
///     reads: Cell<u32>,
/// }
///
/// #[actor]
/// impl Pages {
///     #[turn(coalesce)]
///     pub async fn read(&self, page: u64) -> String {
///         self.reads.set(self.reads.get() + 1);
///         quark::sleep(Duration::from_millis(5)).await;
///         format!("page {page}")
///     }
///
///     #[turn(priority = "high")]
///     pub fn reads(&self) -> u32 {
///         self.reads.get()
///     }
/// }
///
/// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
/// let pages = sim.actor::<Pages>("disk");
/// for shard in [0, 1, 1] {
///     let pages = pages.clone();
///     sim.spawn_on(shard, async move {
///         assert_eq!(pages.read(7).await.as_deref(), Ok("page 7"));
///     });
/// }
/// sim.run_until_idle();
/// assert_eq!(sim.block_on(pages.reads()), Ok(1));
/// ```
///
/// A call joins a turn that is under way where it could begin one of its own, so whoever has
/// written before reads what was written. Each caller waits as long as it likes, and none takes
/// the others along; so the turn they share has no deadline, and its own calls have those of
/// their types. It has the context of the call that began it. One-way messages don't join.
pub use quark_macros::turn;
pub use quark_macros::{Stateful, actor};
/// Certificates, and whose are accepted.
pub use quark_net::tls;
pub use quark_numa::{Topology, TopologyError};
pub use quark_shards::idle::IdlePolicy;
pub use quark_shards::mesh::Credits;
pub use quark_shards::port::PortError;
pub use quark_shards::stall::{Stall, TurnLabel};
pub use quark_shards::time::Time;
/// What stores are: for those who write one, see [`Store::custom`].
pub use quark_storage as storage;
pub use registry::{ActorInfo, FactoryCx};
pub use reminders::{CatchUp, Due, Remind, WallTime};
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use remote::fuzzing;
pub use remote::{
    Client, ClientBuilder, ConnectError, Connections, LineError, Listen, ListenError,
};
pub use report::LaunchReport;
pub use routing::{Migrate, MigrateError};
pub use schedule::{TimerHandle, sleep};
pub use state::{Old, State, StateError, Stateful, Store, StoreCx, UpgradeError, Versioned};
pub use supervision::{Down, DownReason, Escalation, Tree, TreeNode, WatchId};
pub use testing::{fault_point, fault_point_now};

/// What most programs need.
pub mod prelude {
    pub use crate::{
        Call, CallError, Cx, Engine, State, Stateful, Store, Topology, actor, message, turn,
    };
}

/// Where the nodes of a [cluster](Cluster) keep what they agree on, and how long they wait for each
/// other.
pub mod membership {
    #[cfg(feature = "redis")]
    pub use crate::cluster::RedisTable;
    pub use quark_net::cluster::{
        MemoryTable, StoreAnswer, Table, TableStore, TableStoreError, Timing,
    };
}

/// What a store of one's own has to do: see [`Store::custom`], and
/// [`provider_conformance`](testing::provider_conformance) for the checks that it must pass.
pub mod provider {
    pub use quark_storage::memory::MemoryStore;
    pub use quark_storage::provider::*;
}

/// What the attribute's code needs. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::actor::{
        ActivateError, Actor, ActorRef, Bare, Coalesce, Exclusive, IntoActivation, Method,
        OneBlockHoldsAllMessagesOfAnActor, Receiver, Reminded, ResultParts, Shared, TypeToken,
    };
    pub use crate::arguments::{Copied, NotClone, NotDebug, Shown, show};
    pub use crate::carried::{Argument, Reply};
    pub use crate::context::Cx;
    pub use crate::contract::{Addressed, Contract, ContractMessage};
    pub use crate::methods::{MethodEntry, number_of};
    pub use crate::options::{
        ActorOptions, Backoff, Breaker, Directive, Near, Placement, Priority, RateLimit, Strategy,
        Supervision, WhenFull,
    };
    pub use crate::reference::RefCore;
    pub use crate::reminders::Due;
    pub use crate::state::{
        Field, HasNoVersions, Kept, Loading, Place, SavedEachTurn, Saving, Stateful, Versions,
    };
    pub use crate::wire::{StaysHome, Travelling, Wire};
    pub use quark_net::__private::{rkyv, serde};
    pub use quark_net::schema;
}
