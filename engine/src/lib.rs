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
mod coalesce;
mod context;
mod dead_letter;
mod density;
mod engine;
mod error;
mod extra;
mod key;
mod launch;
mod lifecycle;
mod limits;
mod mailbox;
mod message;
mod observe;
mod options;
mod overload;
mod placement;
mod port;
mod post;
mod priority;
mod reference;
mod registry;
mod report;
mod routing;
mod runtime;
mod schedule;
mod shutdown;
mod supervision;
pub mod testing;
mod turn;
mod types;

pub use actor::ActivateError;
pub use builder::EngineBuilder;
pub use call::{Call, Send};
pub use context::{Context, Cx};
pub use dead_letter::{DeadLetter, DeadLetters, DeadReason};
pub use density::Collected;
pub use engine::{Engine, EngineId};
pub use error::{CallError, RegisterError, RetryAfter, TellError};
pub use key::{ActorId, Key};
pub use launch::LaunchError;
pub use limits::breaker::{BreakerInfo, BreakerState};
pub use options::{
    ActorOptions, Backoff, Breaker, Directive, Near, Placement, Priority, RateLimit, Strategy,
    Supervision, WhenFull,
};
pub use port::Port;
pub use quark_macros::{actor, turn};
pub use quark_numa::{Topology, TopologyError};
pub use quark_shards::idle::IdlePolicy;
pub use quark_shards::mesh::Credits;
pub use quark_shards::port::PortError;
pub use quark_shards::stall::{Stall, TurnLabel};
pub use quark_shards::time::Time;
pub use registry::{ActorInfo, FactoryCx};
pub use report::LaunchReport;
pub use routing::{Migrate, MigrateError};
pub use schedule::{TimerHandle, sleep};
pub use supervision::{Down, DownReason, Escalation, Tree, TreeNode, WatchId};
pub use testing::{fault_point, fault_point_now};

/// What most programs need.
pub mod prelude {
    pub use crate::{Call, CallError, Cx, Engine, Topology, actor, turn};
}

/// What the attribute's code needs. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::actor::{
        ActivateError, Actor, ActorRef, Bare, Coalesce, Exclusive, IntoActivation, Method,
        OneBlockHoldsAllMessagesOfAnActor, Receiver, ResultParts, Shared, TypeToken,
    };
    pub use crate::arguments::{Copied, NotClone, NotDebug, Shown, show};
    pub use crate::carried::{Argument, Reply};
    pub use crate::context::Cx;
    pub use crate::options::{
        ActorOptions, Backoff, Breaker, Directive, Near, Placement, Priority, RateLimit, Strategy,
        Supervision, WhenFull,
    };
    pub use crate::reference::RefCore;
}
