//! State as the sum of what happened: events are kept, and replayed.
//!
//! A [`State`](crate::State) is written anew by each save. A [`Journal`](crate::Journal) is
//! written on: what happens to it is appended as events, each kept for good under its number, and
//! what it is, it is by replaying them. So its past can be read, and a save is as large as what
//! changed.
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//! use quark::{Evolve, Journal, StateError};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! pub struct Basket {
//!     items: Vec<String>,
//! }
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
//! pub enum Change {
//!     Added(String),
//!     Emptied,
//! }
//!
//! impl Evolve for Basket {
//!     type Event = Change;
//!
//!     fn evolve(&mut self, change: &Change) {
//!         match change {
//!             Change::Added(item) => self.items.push(item.clone()),
//!             Change::Emptied => self.items.clear(),
//!         }
//!     }
//! }
//!
//! #[derive(Default, Stateful)]
//! pub struct Shopper {
//!     #[state]
//!     basket: Journal<Basket>,
//! }
//!
//! #[actor]
//! impl Shopper {
//!     pub async fn add(&mut self, item: String) -> Result<usize, StateError> {
//!         self.basket.append([Change::Added(item)]).await?; // durable, then applied
//!         Ok(self.basket.items.len())
//!     }
//!
//!     pub async fn history(&self) -> Result<Vec<(u64, Change)>, StateError> {
//!         self.basket.read(1, 100).await
//!     }
//! }
//!
//! let builder = Engine::builder().store(Store::memory());
//! let sim = builder.simulate(1, SimOptions::default())?;
//! let shopper = sim.actor::<Shopper>("ann");
//! sim.block_on(async {
//!     assert_eq!(shopper.add("tea".into()).await, Ok(1));
//!     assert_eq!(shopper.add("milk".into()).await, Ok(2));
//!     let history = shopper.history().await.unwrap();
//!     assert_eq!(history[1], (2, Change::Added("milk".into())));
//! });
//! # Ok::<(), quark::RegisterError>(())
//! ```
//!
//! # Check first, append then
//!
//! [`Evolve::evolve`](crate::Evolve::evolve) can't refuse: an event *has* happened. Whether it
//! may, the method decides before it appends. Appending is all or nothing, and the state changes
//! only when the events are durable.
//!
//! # Snapshots
//!
//! Every [`SNAPSHOT_EVERY`](crate::Evolve::SNAPSHOT_EVERY) events the state itself is kept beside
//! them, so that an activation replays what came after. Snapshots can always be done without: one
//! that can't be read, after a change of the type say, costs a longer replay and nothing else. So
//! change the state's type as you like. The events' type must go on reading all that was ever
//! written: add variants, and fields with `#[serde(default)]`.
//!
//! # One writer
//!
//! Each append says how many events it has seen. Of two activations (of two engines on one
//! database) that append to one journal, the second is told so
//! ([`StoreError::Behind`](crate::provider::StoreError::Behind)), and has taken the other's
//! events in by then.
