//! Testing actors without threads, without waiting, and by seed.
//!
//! [`simulate`](crate::EngineBuilder::simulate) makes an engine whose shards take turns in the
//! thread of the test. Which of them runs, how long messages take between them, what
//! [`cx.random()`](crate::Cx::random) draws: all of it comes from one seed, and time is virtual.
//! So a test of an hour's timeouts takes a millisecond; a thousand seeds are a thousand different
//! orders of events; and a run that fails, fails again by its seed.
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::{SimOptions, for_seeds};
//!
//! #[derive(Default)]
//! pub struct Account {
//!     cents: i64,
//! }
//!
//! #[actor]
//! impl Account {
//!     pub fn add(&mut self, cents: i64) -> i64 {
//!         self.cents += cents;
//!         self.cents
//!     }
//!
//!     pub async fn transfer(
//!         &mut self,
//!         cx: &Cx<Self>,
//!         to: u64,
//!         cents: i64,
//!     ) -> Result<(), CallError> {
//!         cx.actor::<Account>(to).add(cents).await?;
//!         self.cents -= cents;
//!         Ok(())
//!     }
//! }
//!
//! for_seeds(0..20, |seed| {
//!     let sim = Engine::builder().simulate(seed, SimOptions::default()).unwrap();
//!     for from in 0..10_u64 {
//!         let account = sim.actor::<Account>(from);
//!         let to = 10 + sim.random() % 10;
//!         sim.spawn_on((from % 2) as u16, async move {
//!             account.transfer(to, 5).await.unwrap();
//!         });
//!     }
//!     sim.run_until_idle();
//!     let mut sum = 0;
//!     for key in 0..20_u64 {
//!         let account = sim.actor::<Account>(key);
//!         sum += sim.block_on(async { account.add(0).await }).unwrap();
//!     }
//!     assert_eq!(sum, 0);
//!     sim.shutdown();
//! });
//! ```
//!
//! A failure names its seed; with it in the environment, `QUARK_SEED=17 cargo test`,
//! [`for_seeds`](crate::testing::for_seeds) runs that one alone.
//!
//! For a run to replay, your code must not ask elsewhere for time and chance: take both from the
//! [context](crate::Cx), and beware of maps that iterate in random order. What one thread can't
//! show, the order of two cores' memory accesses, is what the engine's own tests are for.
//!
//! # Doubles
//!
//! A [`Double`](crate::testing::Double) stands in for all actors of a type, and answers what you
//! say: for actors that talk to the world outside, or are not written yet. It works in a real
//! engine, too.
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::{Double, SimOptions};
//!
//! /// Sends real mail.
//! pub struct Postman;
//!
//! #[actor]
//! impl Postman {
//!     pub async fn deliver(&mut self, to: String, text: String) -> Result<(), String> {
//!         Err(format!("no connection to the mail server: {to}, {text}"))
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct Club {
//!     members: Vec<String>,
//! }
//!
//! #[actor]
//! impl Club {
//!     pub async fn join(&mut self, cx: &Cx<Self>, name: String) -> bool {
//!         let welcome = format!("welcome, {name}");
//!         let sent = cx.actor::<Postman>(0).deliver(name.clone(), welcome).await;
//!         if sent.is_ok() {
//!             self.members.push(name);
//!         }
//!         sent.is_ok()
//!     }
//! }
//!
//! let postman = Double::<Postman>::new()
//!     .on(PostmanRef::deliver, |_, (to, _)| {
//!         if to == "nobody" { Err("no such address".to_owned()) } else { Ok(()) }
//!     })
//!     .expect(PostmanRef::deliver, 2);
//! let sim = Engine::builder().double(&postman).simulate(1, SimOptions::default())?;
//! let club = sim.actor::<Club>("chess");
//! sim.block_on(async {
//!     assert_eq!(club.join("anna".to_owned()).await, Ok(true));
//!     assert_eq!(club.join("nobody".to_owned()).await, Ok(false));
//! });
//! let letters = postman.arguments(PostmanRef::deliver);
//! assert_eq!(letters[0], ("anna".to_owned(), "welcome, anna".to_owned()));
//! sim.shutdown(); // fails if not two letters came
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Time
//!
//! | | |
//! |---|---|
//! | [`run_for`](crate::testing::Sim::run_for), [`run_until`](crate::testing::Sim::run_until) | lets time pass, with all that happens in it |
//! | [`run_until_idle`](crate::testing::Sim::run_until_idle) | until nothing is under way |
//! | [`jump`](crate::testing::Sim::jump) | to the next thing that happens |
//! | [`frozen`](crate::testing::Sim::frozen) | messages flow while no time passes |
//! | [`skip`](crate::testing::Sim::skip) | as if all shards had been kept from their cores |
//!
//! # Messages seen
//!
//! With [`log_messages`](crate::testing::SimOptions::log_messages), a simulation remembers what
//! every actor got, so that a test can say what had to be sent, by whom, and in which order:
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Stock;
//!
//! #[actor]
//! impl Stock {
//!     pub fn reserve(&mut self, item: String) {
//!         let _ = item;
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct Shop;
//!
//! #[actor]
//! impl Shop {
//!     pub async fn order(&mut self, cx: &Cx<Self>, item: String) -> Result<(), CallError> {
//!         cx.actor::<Stock>("main").reserve(item).await
//!     }
//! }
//!
//! let options = SimOptions { log_messages: true, ..SimOptions::default() };
//! let sim = Engine::builder().simulate(1, options)?;
//! let shop = sim.actor::<Shop>("corner");
//! sim.block_on(async { shop.order("bread".to_owned()).await })?;
//!
//! let orders = sim.seen::<Shop>().method(ShopRef::order).assert_count(1);
//! let reserved = sim.seen::<Stock>().from::<Shop>("corner").method(StockRef::reserve);
//! assert_eq!(reserved.arguments(), [("bread".to_owned(),)]);
//! orders.assert_before(&reserved);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Harm
//!
//! A simulation can do harm at random ([`SimOptions`](crate::testing::SimOptions): panics, stalls,
//! slow and reordered messages), or at a point that your code names by
//! [`fault_point`](crate::fault_point), which does nothing in a real engine:
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::{Fault, SimOptions};
//!
//! #[derive(Default)]
//! pub struct Counter {
//!     count: u64,
//! }
//!
//! #[actor]
//! impl Counter {
//!     pub async fn add(&mut self) -> u64 {
//!         self.count += 1;
//!         quark::fault_point("counted").await;
//!         self.count
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! sim.inject("counted", Fault::panic().at(2));
//! let counter = sim.actor::<Counter>(1);
//! sim.block_on(async {
//!     assert_eq!(counter.add().await, Ok(1));
//!     assert_eq!(counter.add().await, Err(CallError::Panicked));
//!     assert_eq!(counter.add().await, Ok(1)); // restarted with fresh state
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
