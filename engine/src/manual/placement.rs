//! On which shard an actor lives, and how to have a say in it.
//!
//! Left alone, an actor lives at its *home*: the shard that a hash of its type's name and its key
//! names. That spreads actors evenly, and any shard can compute it. The type may ask for another
//! place:
//!
//! | option | an actor lives |
//! |---|---|
//! | `placement = "hash"` (the default) | at its home |
//! | `placement = "random"` | where chance puts it when it is activated |
//! | `placement = "local"` | on the shard that calls it first; at its home, if a thread outside does |
//! | `pinned = N` | on shard N, with all others of its type |
//! | `near = "node:N"`, `"core:N"` | on one of the shards of a NUMA node, or of those that share a core's caches |
//! | `affinity = group_of` | where its group's key falls |
//! | `workers = N` | on every shard that calls it, N times at most |
//!
//! All but the last keep the promise that a key has one activation. With `"random"` and
//! `"local"` the home still decides: it keeps a record of where the actor lives, so that two
//! shards which call a new key at the same moment find one actor, and every shard that calls it
//! learns the way. When it is put to sleep it has no place any more; the next call finds it one.
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Session;
//!
//! // A session lives beside the connection that it belongs to.
//! #[actor(placement = "local")]
//! impl Session {
//!     pub fn shard(&self, cx: &Cx<Self>) -> u16 {
//!         cx.shard()
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let met = Rc::new(Cell::new(0));
//! for connection in 0..10_u64 {
//!     let (session, met) = (sim.actor::<Session>(connection), met.clone());
//!     sim.spawn_on(1, async move {
//!         assert_eq!(session.shard().await, Ok(1));
//!         met.set(met.get() + 1);
//!     });
//! }
//! sim.run_until_idle();
//! assert_eq!(met.get(), 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Groups
//!
//! Actors that talk with each other a lot are best neighbours: a call on one shard costs a tenth
//! of one between two. `affinity` names a function from a key to the key of its group; the actors
//! of one group live on one shard, whatever their types.
//!
//! ```
//! use quark::Key;
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! /// "north/anna" belongs to "north".
//! fn zone_of(key: &Key) -> Key {
//!     match key {
//!         Key::Str(name) => name.split('/').next().unwrap_or_default().into(),
//!         number => number.clone(),
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct Zone;
//!
//! #[actor(affinity = zone_of)]
//! impl Zone {
//!     pub fn shard(&self, cx: &Cx<Self>) -> u16 {
//!         cx.shard()
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct Player;
//!
//! #[actor(affinity = zone_of)]
//! impl Player {
//!     pub fn shard(&self, cx: &Cx<Self>) -> u16 {
//!         cx.shard()
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions { shards: 4, ..SimOptions::default() })?;
//! sim.block_on(async {
//!     for zone in ["north", "south", "east", "west"] {
//!         let shard = sim.actor::<Zone>(zone).shard().await.unwrap();
//!         for name in ["anna", "ben", "cleo"] {
//!             let player = sim.actor::<Player>(format!("{zone}/{name}"));
//!             assert_eq!(player.shard().await, Ok(shard));
//!         }
//!     }
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Workers
//!
//! Actors without state of their own need not be one: `workers = 4` makes of each key a pool on
//! every shard that calls it. A message goes to a worker that has nothing to do; if all are busy
//! and there are fewer than four, another is made; those for whom there is no work are put to
//! sleep after their idle time.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Resizer;
//!
//! #[actor(workers = 4)]
//! impl Resizer {
//!     pub async fn resize(&mut self, pixels: u64) -> u64 {
//!         quark::sleep(Duration::from_secs(1)).await;
//!         pixels / 2
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! for _ in 0..4 {
//!     let resizer = sim.actor::<Resizer>("photos");
//!     sim.spawn_on(0, async move { assert_eq!(resizer.resize(800).await, Ok(400)) });
//! }
//! sim.run_until_idle();
//! // One after the other, `&mut self` turns of one actor would have taken four seconds.
//! assert!(sim.now() - quark::Time::ZERO < Duration::from_secs(2));
//! assert_eq!(sim.count(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Near a place
//!
//! `near` names a NUMA node by its number, or a core by the number of one of its CPUs, as
//! `quark topology` shows them: for actors that work beside a device. Where that place has no
//! shard of its own, the nearest do instead; where the machine has no such place, calls of the
//! type are answered with an error that says what it has. In a simulation,
//! [`topology`](crate::testing::SimOptions::topology) says which machine it stands for.
//!
//! # Moving
//!
//! An actor whose state is `Send` can be moved while calls to it go on, with its state, its
//! mailbox and its timers: none is lost, and none overtakes another of its sender's.
//! [`Engine::migrate`](crate::Engine::migrate) asks it to; [`cx.migrate`](crate::Cx::migrate) has
//! it go by itself.
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Counter {
//!     count: u64,
//! }
//!
//! #[actor]
//! impl Counter {
//!     pub fn add(&mut self, cx: &Cx<Self>) -> (u64, u16) {
//!         self.count += 1;
//!         (self.count, cx.shard())
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let counter = sim.actor::<Counter>("visits");
//! sim.block_on(async {
//!     let (_, was) = counter.add().await.unwrap();
//!     let to = 1 - was;
//!     sim.engine().migrate(&counter, to).await.unwrap();
//!     assert_eq!(counter.add().await, Ok((2, to)));
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Choosing
//!
//! Start with the default. Use groups where calls between types dominate, `"local"` for what
//! belongs to one caller, workers for what has no state, and `near` for what lives beside a
//! device. `pinned` puts all eggs in one basket; it is for the few that are one by nature.
