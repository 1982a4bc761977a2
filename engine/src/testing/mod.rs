//! Deterministic tests: an engine in one thread, on a virtual clock, by one seed.
//!
//! A [`Sim`] is an engine whose shards take turns in the thread that owns it. Which of them runs,
//! how long messages take from one to the other, which turns panic or hold their core up: all of
//! that is drawn from the seed, so a run that fails is run again by its seed. Time is virtual
//! and costs nothing to wait for.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::{Sim, SimOptions, for_seeds};
//!
//! #[derive(Default)]
//! pub struct Kettle {
//!     boils: u32,
//! }
//!
//! #[actor]
//! impl Kettle {
//!     pub async fn boil(&mut self) -> u32 {
//!         quark::sleep(Duration::from_secs(120)).await;
//!         self.boils += 1;
//!         self.boils
//!     }
//! }
//!
//! // Ten different runs, none of which takes two minutes.
//! for_seeds(0..10, |seed| {
//!     let builder = Engine::builder().timeout(Duration::from_secs(300));
//!     let sim = builder.simulate(seed, SimOptions::default()).unwrap();
//!     let kettle = sim.actor::<Kettle>("blue");
//!     assert_eq!(sim.block_on(async { kettle.boil().await }), Ok(1));
//!     assert!(sim.now() >= quark::Time::ZERO + Duration::from_secs(120));
//!     sim.shutdown();
//! });
//! ```
//!
//! Beside faults by chance ([`SimOptions`]), a test has:
//!
//! - [`Double`]: what stands in for actors that a test can't or won't have, with stubs for their
//!   messages and expectations of what they get;
//! - time travel: [`Sim::run_until`], [`Sim::jump`] to the next thing that happens, and
//!   [`Sim::frozen`], where messages flow and time stands still;
//! - [`Sim::seen`]: the messages that actors got, from whom and with what end, to be asked for
//!   and asserted of;
//! - [`fault_point`]: places in your own code where [`Sim::inject`] makes a turn panic, sleep or
//!   get lost.
//!
//! [`SimCluster`] is for several engines in one world, the nodes of a cluster and their clients.
//!
//! All of it replays by the seed.
//!
//! What one thread can't show, the order of two cores' memory accesses, it does not find.

mod cluster;
mod disks;
mod double;
mod fault_point;
mod faults;
mod hooks;
mod log;
mod lost;
mod method_of;
mod options;
mod recorder;
mod seeds;
mod seen;
mod sim;
mod time_travel;
mod times;
mod watched;

pub use cluster::SimCluster;
pub use disks::SimDisks;
pub use double::Double;
pub use fault_point::{Fault, fault_point, fault_point_now};
pub use faults::SimCounts;
pub use log::{Outcome, SeenMessage};
pub use method_of::MethodOf;
pub use options::SimOptions;
pub use quark_shards::driver::sim::{DiskCounts, SimConfig};
pub use quark_storage::conformance::{Subject as ProviderSubject, provider_conformance};
pub use recorder::Recorder;
pub use seeds::{REPLAY_VARIABLE, for_seeds};
pub use seen::Seen;
pub use sim::Sim;
pub use times::Times;

pub(crate) use double::{Doubles, StandIn};
pub(crate) use hooks::Hooks;
pub(crate) use lost::{answer_in_vain, is_lost};
pub(crate) use watched::WatchedEnding;
