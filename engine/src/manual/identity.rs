//! Actors exist by name, and are in memory when somebody calls them.
//!
//! An actor is named by its type and a [`Key`](crate::Key), an integer or a string. Nobody
//! creates one and nobody destroys one: `Account` "alice" is always there to be called, as a row
//! of a table is always there to be asked for. What comes and goes is its *activation*, an
//! instance of your struct in the memory of one shard.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Visitors {
//!     today: u32,
//! }
//!
//! #[actor(name = "site.visitors", idle_after_ms = 60_000)]
//! impl Visitors {
//!     pub fn enter(&mut self) -> u32 {
//!         self.today += 1;
//!         self.today
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let (paris, rome) = (sim.actor::<Visitors>("paris"), sim.actor::<Visitors>("rome"));
//! assert_eq!(sim.count(), 0); // references are names; nothing has been made
//!
//! sim.block_on(async {
//!     assert_eq!(paris.enter().await, Ok(1)); // activates "paris"
//!     assert_eq!(paris.enter().await, Ok(2));
//!     assert_eq!(rome.enter().await, Ok(1)); // another actor, with a state of its own
//! });
//! assert_eq!(sim.count(), 2);
//!
//! // Nobody calls them for long, so they are put to sleep, and wake with fresh state.
//! sim.run_for(Duration::from_secs(300));
//! assert_eq!(sim.count(), 0);
//! sim.block_on(async { assert_eq!(paris.enter().await, Ok(1)) });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where an actor lives
//!
//! A hash of the type's registered name and the key gives every actor one shard as its *home*,
//! unless its type asks for another [placement](super::placement). At most one
//! activation of a key is in memory at any time, and only its shard's thread ever touches it. So
//! its state needs neither locks nor `Send`: `Rc` and `Cell` are fine.
//!
//! The registered name is the type's own, or `name = "…"` of the attribute. It decides where keys
//! fall, so name a type that you may want to rename. Two types with one name are refused.
//!
//! # A life
//!
//! The first message to an actor that is not in memory activates it: an instance is made, and
//! `on_activate` runs before the message. Types that are `Default` are made by that. Others, and
//! those that need services, are made by a factory, which is given to the builder before launch.
//!
//! An actor that gets no message for its idle time (five minutes, unless the type or
//! [the builder](crate::EngineBuilder::idle_after) says otherwise) is put to sleep, after
//! `on_deactivate`. A turn can ask for that sooner by [`cx.deactivate()`](crate::Cx::deactivate),
//! or for never by [`cx.keep_active(true)`](crate::Cx::keep_active). Where there are more actors
//! than [`max_actors`](crate::EngineBuilder::max_actors), or the process has more memory than
//! [`memory_limit`](crate::EngineBuilder::memory_limit), those that were called the longest ago
//! go first.
//!
//! State lives in memory only: what is to outlast an activation, put somewhere in
//! `on_deactivate` or before, and fetch it again in `on_activate`.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! /// Stands for a database.
//! type Store = Arc<Mutex<Vec<String>>>;
//!
//! pub struct Diary {
//!     pages: Vec<String>,
//!     store: Store,
//! }
//!
//! #[actor]
//! impl Diary {
//!     async fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), String> {
//!         if cx.key() == "nobody".into() {
//!             return Err("nobody keeps no diary".to_owned());
//!         }
//!         self.pages = self.store.lock().unwrap().clone();
//!         Ok(())
//!     }
//!
//!     async fn on_deactivate(&mut self) {
//!         *self.store.lock().unwrap() = self.pages.clone();
//!     }
//!
//!     pub fn write(&mut self, cx: &Cx<Self>, page: String) -> usize {
//!         self.pages.push(page);
//!         cx.deactivate(); // once nothing waits for this actor
//!         self.pages.len()
//!     }
//! }
//!
//! let store = Store::default();
//! let shared = store.clone();
//! let sim = Engine::builder()
//!     .register::<Diary>(move |_| Diary { pages: Vec::new(), store: shared.clone() })
//!     .simulate(1, SimOptions::default())?;
//!
//! let anne = sim.actor::<Diary>("anne");
//! sim.block_on(async { assert_eq!(anne.write("Monday".to_owned()).await, Ok(1)) });
//! sim.run_for(Duration::from_secs(10));
//! assert_eq!(*store.lock().unwrap(), ["Monday"]);
//! sim.block_on(async { assert_eq!(anne.write("Tuesday".to_owned()).await, Ok(2)) });
//!
//! // An activation that fails is the answer to whoever caused it.
//! let nobody = sim.actor::<Diary>("nobody");
//! let refused = sim.block_on(async { nobody.write("…".to_owned()).await });
//! assert!(matches!(refused, Err(CallError::Activation(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # References
//!
//! `engine.actor::<Account>("alice")` is an `AccountRef`, which the attribute writes. It is a
//! name with a memory of where the actor was last found: cheap to make and to clone, `Send`,
//! equal to every other reference to the same actor, and valid whatever happens to the actor,
//! restarts and long sleep included. Keep it in actors, send it in messages, hash it in sets.
//! In a turn, [`cx.actor`](crate::Cx::actor) makes one, and [`cx.me`](crate::Cx::me) is the
//! actor's own.
//!
//! Whoever comes from Akka: there is no `context.spawn`, no path, no stopped reference. Whoever
//! comes from Orleans: there is no grain interface to declare. The impl block is the interface,
//! its `pub` methods are the messages, and all others stay yours.
