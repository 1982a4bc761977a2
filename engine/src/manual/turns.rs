//! How an actor works off what it is sent, and how it shares its core.
//!
//! The run of one method for one message is a *turn*. A shard is one thread with one loop: it
//! polls the turns that can go on, takes in messages from other shards, hands out its own, looks
//! at timers and I/O, and begins again. Turns of one shard never run at the same instant; they
//! give way to each other only where they await.
//!
//! An ask of an idle actor on the caller's own shard runs right away, on the caller's stack as far
//! as it gets. If the actor is busy, the message waits in the actor's mailbox, and turns are
//! begun in the order in which messages came, or by their
//! [priorities](super::mailboxes#priorities). [Which turns may overlap](super::borrowing) is said
//! by how methods borrow `self`.
//!
//! # A turn belongs to its actor
//!
//! It runs to its end, whatever becomes of the caller. Dropping a call, or running into its
//! deadline, takes nothing back:
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Oven {
//!     baked: u32,
//! }
//!
//! #[actor]
//! impl Oven {
//!     pub async fn bake(&mut self) -> u32 {
//!         quark::sleep(Duration::from_secs(600)).await;
//!         self.baked += 1;
//!         self.baked
//!     }
//!
//!     pub fn baked(&mut self) -> u32 {
//!         self.baked
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let oven = sim.actor::<Oven>(1);
//! sim.block_on(async {
//!     let impatient = oven.bake().timeout(Duration::from_secs(5)).await;
//!     assert_eq!(impatient, Err(CallError::Timeout));
//!
//!     // `&mut self` turns are alone, so this one waits for the cake.
//!     let patient = oven.baked().timeout(Duration::from_secs(3600)).await;
//!     assert_eq!(patient, Ok(1));
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Never block
//!
//! A method that computes for milliseconds, or blocks its thread on a lock, a file or a socket,
//! holds up every actor of its shard. Await instead: [`sleep`](crate::sleep) for time, calls for
//! others' work. What needs tokio or blocks by its nature belongs outside, on threads that call
//! in. A turn that holds its core for longer than 25 ms is reported with its actor's type and
//! method: see [`on_stall`](crate::EngineBuilder::on_stall).
//!
//! Inside turns, take time and chance from the context ([`cx.now()`](crate::Cx::now),
//! [`cx.random()`](crate::Cx::random)), not from the system: then your program replays in the
//! simulator.
//!
//! # Timers
//!
//! A timer is a message to oneself, and its turn is a turn as any other. Timers live with the
//! activation: they end when it is put to sleep or restarts.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Session {
//!     beats: u32,
//!     closed: bool,
//! }
//!
//! #[actor]
//! impl Session {
//!     fn on_activate(&mut self, cx: &Cx<Self>) {
//!         cx.every(Duration::from_secs(10), |me| me.beat());
//!         cx.after(Duration::from_secs(25), |me| me.close());
//!     }
//!
//!     pub fn beat(&mut self) {
//!         if !self.closed {
//!             self.beats += 1;
//!         }
//!     }
//!
//!     pub fn close(&mut self) {
//!         self.closed = true;
//!     }
//!
//!     pub fn beats(&self) -> u32 {
//!         self.beats
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let session = sim.actor::<Session>(7);
//! sim.block_on(async { assert_eq!(session.beats().await, Ok(0)) });
//! sim.run_for(Duration::from_secs(100));
//! sim.block_on(async { assert_eq!(session.beats().await, Ok(2)) });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When a turn panics
//!
//! A panic ends that turn, never the shard. Its caller is answered
//! [`Panicked`](crate::CallError::Panicked), and the actor's
//! [supervisor](super::supervision) decides what becomes of the actor; if nobody says otherwise,
//! it goes on with a fresh instance, and its mailbox and all references stay.
