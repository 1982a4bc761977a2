//! Calls that come even if everything ends in between.
//!
//! [Timers](crate::Cx::after) live with an activation. A *reminder* is kept in the engine's store:
//! when it is due its actor is activated if need be, and its `on_reminder` called, by whatever
//! process has the store open then.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//! use quark::{ActorOptions, CatchUp, Due, Remind, StateError};
//!
//! #[derive(Default)]
//! pub struct Subscription;
//!
//! const MONTH: Duration = Duration::from_secs(30 * 86_400);
//!
//! #[actor]
//! impl Subscription {
//!     pub async fn begin(&mut self, cx: &Cx<Self>) -> Result<(), StateError> {
//!         let monthly = Remind::after(MONTH).every(MONTH).catch_up(CatchUp::Each);
//!         cx.remind("bill", monthly).await
//!     }
//!
//!     pub async fn end(&mut self, cx: &Cx<Self>) -> Result<(), StateError> {
//!         cx.forget_reminder("bill").await
//!     }
//!
//!     async fn on_reminder(&mut self, due: Due) {
//!         println!("{}, due at {}", due.name, due.at);
//!     }
//! }
//!
//! let builder = Engine::builder()
//!     .store(Store::memory())
//!     .configure::<Subscription>(ActorOptions::new()); // known from the start
//! let sim = builder.simulate(1, SimOptions::default())?;
//! let ann = sim.actor::<Subscription>("ann");
//! sim.block_on(async { ann.begin().await.unwrap() });
//! sim.run_for(3 * MONTH);
//! # Ok::<(), quark::RegisterError>(())
//! ```
//!
//! # At least once
//!
//! A reminder is moved on, or removed, when `on_reminder` has returned. If the process ends between
//! the two it is called again, so what it does should bear that. If it panics, or the actor can't
//! be activated, it is tried again, after a second, two, four, up to a minute.
//!
//! # Late
//!
//! Times that pass while no engine runs are made up for as the reminder says:
//! [`Once`](crate::CatchUp::Once) for all that were missed (the default; [`Due`](crate::Due) says
//! how many), [`Each`](crate::CatchUp::Each) by itself, or [`Skip`](crate::CatchUp::Skip), which
//! waits for the next. A time counts as missed when it is noticed more than 10 s late. Periods are
//! counted from the time that was due, so they don't drift.
//!
//! When many are due at once, each shard has 256 under way and takes the others in order. Only
//! those are in memory, with a few words for each of the rest. Those whose actors can't be called
//! don't count among them, up to 4,096 a shard; beyond that they hold the others up.
//!
//! # Types must be known
//!
//! After a restart nobody has called the actor's type yet. So name it at the builder, by
//! [`register`](crate::EngineBuilder::register) or
//! [`configure`](crate::EngineBuilder::configure). Reminders of types that nobody knows are kept,
//! and told of in the log.
//!
//! # The calendar
//!
//! Reminders go by the machine's [wall time](crate::Cx::wall_time), to the millisecond; if that is
//! set, they follow within a minute.
