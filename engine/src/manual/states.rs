//! What an actor keeps when it sleeps, and when the process ends.
//!
//! The fields of an actor live as long as its activation: put to sleep, restarted or shut down, it
//! begins anew. What is to outlast that is a [`State`](crate::State), kept in a
//! [`Store`](crate::Store) of the engine:
//!
//! ```
//! use quark::prelude::*;
//! use quark::StateError;
//! use quark::testing::SimOptions;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! pub struct Balance {
//!     cents: i64,
//! }
//!
//! #[derive(Default, Stateful)]
//! pub struct Account {
//!     #[state]
//!     balance: State<Balance>,
//!     greeted: bool, // an ordinary field, forgotten
//! }
//!
//! #[actor]
//! impl Account {
//!     pub async fn deposit(&mut self, cents: i64) -> Result<i64, StateError> {
//!         self.balance.cents += cents; // in memory ...
//!         self.balance.save().await?; // ... and in the store
//!         Ok(self.balance.cents)
//!     }
//!
//!     pub fn greet(&mut self) -> bool {
//!         std::mem::replace(&mut self.greeted, true)
//!     }
//! }
//!
//! let builder = Engine::builder()
//!     .store(Store::memory())
//!     .idle_after(std::time::Duration::from_secs(60));
//! let sim = builder.simulate(1, SimOptions::default())?;
//! let alice = sim.actor::<Account>("alice");
//! sim.block_on(async {
//!     assert_eq!(alice.deposit(5).await, Ok(5));
//!     assert_eq!(alice.greet().await, Ok(false));
//! });
//!
//! sim.run_for(std::time::Duration::from_secs(120));
//! assert_eq!(sim.count(), 0); // it sleeps
//!
//! sim.block_on(async {
//!     assert_eq!(alice.deposit(5).await, Ok(10));
//!     assert_eq!(alice.greet().await, Ok(false));
//! });
//! # Ok::<(), quark::RegisterError>(())
//! ```
//!
//! # A life with states
//!
//! All states of an actor are loaded before its first turn, at once, and before
//! [`on_activate`](super::identity#a-life); calls wait meanwhile. Where the store has nothing, a
//! state is its type's `Default`. If one can't be loaded nobody is activated: the calls that wait
//! are answered [`CallError::State`](crate::CallError::State), and the next call tries again.
//!
//! From then on a state is a plain value in memory, read and changed at no cost, and nothing
//! writes it but [`save`](crate::State::save), unless you say [otherwise](#saved-with-each-turn). So
//! what is worth a write to disk is yours to say: once for each order, or once for a thousand
//! ticks. What was changed and not saved is lost with the activation, as after a panic: the next
//! one begins with what was saved.
//!
//! A save takes `&mut self`, so it is made in `&mut self` methods, where nobody comes between the
//! change and the save.
//!
//! # Saved with each turn
//!
//! A state may be saved by itself, whenever a turn has changed it:
//!
//! ```
//! # use quark::prelude::*;
//! # use quark::testing::SimOptions;
//! #[derive(Default, Stateful)]
//! pub struct Account {
//!     #[state(save = "each_turn")]
//!     cents: State<i64>,
//! }
//!
//! #[actor]
//! impl Account {
//!     pub fn deposit(&mut self, cents: i64) -> i64 {
//!         *self.cents += cents;
//!         *self.cents
//!     }
//! }
//!
//! # let sim = Engine::builder().store(Store::memory()).simulate(1, SimOptions::default())?;
//! # let alice = sim.actor::<Account>("alice");
//! assert_eq!(sim.block_on(alice.deposit(5)), Ok(5)); // an answer: it is saved
//! # Ok::<(), quark::RegisterError>(())
//! ```
//!
//! The save comes after the method and before its reply, so that whoever has the reply may rely on
//! what it says, and until it is through nobody enters the actor: what is not durable is seen by
//! nobody. A turn counts as having changed a state if it borrowed it mutably, and it counts whatever
//! the method returned, an error too. Turns that change nothing write nothing. Several states are
//! saved at once, each by itself. `on_activate`, `on_deactivate` and `on_reminder` are such turns too;
//! one that panics saves nothing (if its supervisor has the actor go on as it is, the next turn saves
//! what it left).
//!
//! If the save fails, the caller is told [`CallError::NotSaved`](crate::CallError::NotSaved), and the
//! actor begins anew with what is kept, before the next call gets in: memory is never ahead of the
//! store. So after a conflict it has what somebody else wrote. Where nobody waits for the reply, as
//! after a tell, the failure is traced as an error.
//!
//! Values that change behind a `&` (cells, say) are not noticed: such a turn saves by hand.
//!
//! # Stores
//!
//! - [`Store::memory`](crate::Store::memory) forgets everything with the engine.
//! - [`Store::directory`](crate::Store::directory) keeps a log on each shard's disk, in a directory
//!   that belongs to one engine at a time. What was saved survives a crash, and loss of power.
//! - `Store::redis` and `Store::postgres`, with the cargo features of those names, keep it on a server.
//! - [`Store::custom`](crate::Store::custom) is a store of your own.
//!
//! An engine may have several: `#[state(store = "fast")]` is kept in the one that
//! [`store_named`](crate::EngineBuilder::store_named) calls so, all others in the one given to
//! [`store`](crate::EngineBuilder::store). They are opened at launch, and what they say of
//! themselves is in the [launch report](crate::Engine::report).
//!
//! What an actor keeps is found by the name of its type, its key, and the state's name. Keep those
//! when you rename things: `#[actor(name = "Account")]`, `#[state(name = "balance")]`. The records
//! of one key are all kept by one shard, wherever the actor lives or is
//! [moved](crate::Engine::migrate) to.
//!
//! # One writer
//!
//! A key has one activation in an engine, so nobody else writes what it keeps. Should somebody,
//! another engine on the same database or a person by hand, nothing is overwritten unseen: each
//! save has an E-tag, each one says which it has seen, and the one that comes second is told
//! [`StateError::Conflict`](crate::StateError::Conflict).
//! [`reload`](crate::State::reload) shows what the other has written.
//!
//! # When types change
//!
//! A state is kept as MessagePack with named fields. Fields may come (with `#[serde(default)]`), go
//! and be renamed (with `#[serde(alias = "…")]`). For changes of meaning there is
//! [`Versioned`](crate::Versioned). What can't be read, or was kept by a newer version of the
//! program, fails the calls and is left as it is.
//!
//! # Tests
//!
//! A [`Double`](crate::testing::Double) loads nothing. Of an actor that is made by hand, the states
//! are values like any other; only saving them needs an engine. For what becomes of states when
//! the power fails there are [`Sim::lose_power`](crate::testing::Sim::lose_power) and
//! [`EngineBuilder::simulate_on`](crate::EngineBuilder::simulate_on).
