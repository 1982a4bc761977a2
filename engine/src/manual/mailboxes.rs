//! What waits for an actor, and what happens when too much does.
//!
//! Messages that find their actor busy wait in its mailbox. It is bounded, always: 1,024 messages,
//! unless the type (`mailbox = N`) or [the builder](crate::EngineBuilder::mailbox) says otherwise.
//! What happens to the message that finds it full is the type's choice:
//!
//! | `when_full` | the message |
//! |---|---|
//! | `"refuse"` (the default) | is refused |
//! | `"wait"` | waits all the same, and so does its sender with all that it sends to that shard, once what it may have under way is used up |
//! | `"drop_oldest"` | takes the place of the oldest that waits, which is refused |
//! | `"drop_newest"` | is refused, by another name |
//!
//! Nothing is lost in silence. A refused ask is answered, by
//! [`MailboxFull`](crate::CallError::MailboxFull) or [`Dropped`](crate::CallError::Dropped). A
//! refused `tell` comes back in its [`TellError`](crate::TellError) if its sender is there to be
//! told, on the same shard, and else becomes a dead letter, as do messages that were dropped. A
//! `send` on the actor's own shard waits until there is room.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::DeadReason;
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Board {
//!     shown: Vec<u64>,
//! }
//!
//! // Old prices are worth nothing: keep the latest two.
//! #[actor(mailbox = 2, when_full = "drop_oldest")]
//! impl Board {
//!     pub async fn show(&mut self, price: u64) {
//!         quark::sleep(Duration::from_secs(1)).await;
//!         self.shown.push(price);
//!     }
//!
//!     pub fn shown(&self) -> Vec<u64> {
//!         self.shown.clone()
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let board = sim.actor::<Board>("hall");
//! board.show(100).tell()?;
//! sim.run_for(Duration::from_millis(500)); // it is being shown
//! for price in 101..=105 {
//!     board.show(price).tell()?;
//! }
//! sim.run_until_idle();
//!
//! let shown = sim.block_on(async { board.shown().await })?;
//! assert_eq!(shown, [100, 104, 105]);
//! assert_eq!(sim.dead_letters().count(DeadReason::Dropped), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Dead letters
//!
//! One-way messages that could not be delivered are counted by reason, and the last of them kept
//! with their messages: [`Engine::dead_letters`](crate::Engine::dead_letters) lists them,
//! [`replay_dead_letters`](crate::Engine::replay_dead_letters) sends them again. Asks are never
//! among them, since their callers hear.
//!
//! # Priorities
//!
//! `#[turn(priority = "high")]` on a method has its messages go before others that wait, and
//! `"low"` after them. Among equals the oldest goes first. Lower ones are not starved: after eight
//! turns that went past it, the next level has one.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Desk {
//!     done: Vec<String>,
//! }
//!
//! #[actor]
//! impl Desk {
//!     pub async fn work(&mut self, what: String) {
//!         quark::sleep(Duration::from_secs(1)).await;
//!         self.done.push(what);
//!     }
//!
//!     #[turn(priority = "high")]
//!     pub fn alarm(&mut self) {
//!         self.done.push("alarm".to_owned());
//!     }
//!
//!     #[turn(priority = "low")]
//!     pub fn done(&self) -> Vec<String> {
//!         self.done.clone()
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let desk = sim.actor::<Desk>(1);
//! for what in ["one", "two", "three"] {
//!     desk.work(what.to_owned()).tell()?;
//! }
//! sim.run_for(Duration::from_millis(500)); // "one" is under way
//! desk.alarm().tell()?;
//! let done = sim.block_on(async { desk.done().await })?;
//! assert_eq!(done, ["one", "alarm", "two", "three"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! Each holds for one type on one shard, and costs types without it nothing:
//!
//! - `rate_limit = N, burst = M`: so many calls a second, and so many at once after a pause. More
//!   are answered [`RateLimited`](crate::CallError::RateLimited).
//! - `breaker(failures = N, within_ms = N, open_ms = N)`: when so many calls have failed (by panic,
//!   or by the method's own error) within the time, all are answered
//!   [`CircuitOpen`](crate::CallError::CircuitOpen) for a while, so that what is ill gets rest.
//!   Then one is let through, and what becomes of it decides.
//!   [`Engine::breakers`](crate::Engine::breakers) lists them.
//! - `adaptive_ms = N`: no more messages may wait than the actor works off in N milliseconds, as it
//!   was seen to work. Whoever gets in is then served within about that time.
//!
//! Both errors say [how long to wait](crate::CallError::retry_after) before it makes sense to try
//! again.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Gateway;
//!
//! #[actor(breaker(failures = 2, within_ms = 1_000, open_ms = 5_000))]
//! impl Gateway {
//!     pub fn fetch(&self, works: bool) -> Result<(), &'static str> {
//!         if works { Ok(()) } else { Err("no answer from there") }
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let gateway = sim.actor::<Gateway>("bank");
//! let fetch = |works| sim.block_on(async { gateway.fetch(works).await });
//! assert!(matches!(fetch(false), Err(CallError::Failed(_))));
//! assert!(matches!(fetch(false), Err(CallError::Failed(_))));
//!
//! // Open: the method does not even run.
//! let Err(refused) = fetch(true) else { panic!("the breaker is open") };
//! assert!(matches!(refused, CallError::CircuitOpen(_)) && refused.never_ran());
//!
//! // After the pause, one call that succeeds closes it.
//! sim.run_for(refused.retry_after().unwrap());
//! assert_eq!(fetch(true), Ok(()));
//! assert!(matches!(fetch(false), Err(CallError::Failed(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Identical calls
//!
//! Where many ask the same at once, one turn can answer all of them: `#[turn(coalesce)]` on an
//! `async` method with `&self`. A call that meets a turn of the same method with equal arguments
//! under way waits for that turn's answer instead of beginning one of its own.
//!
//! ```
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Prices {
//!     looked_up: Cell<u32>,
//! }
//!
//! #[actor]
//! impl Prices {
//!     #[turn(coalesce)]
//!     pub async fn of(&self, share: String) -> usize {
//!         self.looked_up.set(self.looked_up.get() + 1);
//!         quark::sleep(Duration::from_secs(1)).await; // far away
//!         share.len()
//!     }
//!
//!     pub fn looked_up(&self) -> u32 {
//!         self.looked_up.get()
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! for share in ["ACME", "ACME", "INIT", "ACME"] {
//!     let prices = sim.actor::<Prices>("close");
//!     sim.spawn_on(0, async move {
//!         assert_eq!(prices.of(share.to_owned()).await, Ok(4));
//!     });
//! }
//! sim.run_until_idle();
//! let prices = sim.actor::<Prices>("close");
//! assert_eq!(sim.block_on(async { prices.looked_up().await }), Ok(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
