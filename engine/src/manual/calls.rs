//! Ask, tell, send, wait; what can become of a call, and in which order calls arrive.
//!
//! A method of a reference gives a [`Call`](crate::Call), which does nothing yet. What you do
//! with it decides how the message travels:
//!
//! | | sends it | gives |
//! |---|---|---|
//! | `call.await` | at the first poll; waits for room if there is none | the answer |
//! | [`call.tell()`](crate::Call::tell) | at once, or hands the message back | nothing; no answer is made |
//! | [`call.send().await`](crate::Call::send) | as soon as there is room | nothing; no answer is made |
//! | [`call.wait()`](crate::Call::wait) | at once; blocks the thread. Refused on a shard | the answer |
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Account {
//!     cents: i64,
//! }
//!
//! #[derive(Debug, PartialEq)]
//! pub struct Overdrawn {
//!     missing: i64,
//! }
//!
//! #[actor]
//! impl Account {
//!     pub fn deposit(&mut self, cents: i64) -> i64 {
//!         self.cents += cents;
//!         self.cents
//!     }
//!
//!     pub fn withdraw(&mut self, cents: i64) -> Result<i64, Overdrawn> {
//!         if cents > self.cents {
//!             return Err(Overdrawn { missing: cents - self.cents });
//!         }
//!         self.cents -= cents;
//!         Ok(self.cents)
//!     }
//!
//!     pub async fn audit(&self) -> i64 {
//!         quark::sleep(Duration::from_secs(60)).await;
//!         self.cents
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let alice = sim.actor::<Account>("alice");
//! sim.block_on(async {
//!     assert_eq!(alice.deposit(5).await, Ok(5));
//!
//!     // The method's own error comes as one case of what can become of a call.
//!     let refused = alice.withdraw(8).await;
//!     assert_eq!(refused, Err(CallError::Failed(Overdrawn { missing: 3 })));
//!
//!     alice.deposit(1).tell().expect("there is room");
//!     alice.deposit(1).send().await.expect("the engine runs");
//!     assert_eq!(alice.deposit(0).await, Ok(7)); // after both, for they were sent before
//!
//!     let late = alice.audit().timeout(Duration::from_secs(1)).await;
//!     assert_eq!(late, Err(CallError::Timeout));
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What can become of a call
//!
//! A call runs *at most once*: nothing is ever sent again by itself. It ends with an answer or
//! with a [`CallError`](crate::CallError), which tells apart
//!
//! - what the method itself returned as an error ([`Failed`](crate::CallError::Failed));
//! - refusals, after which the method certainly did not run, so that you may call again:
//!   [`never_ran`](crate::CallError::never_ran) is true of them;
//! - and unknown outcomes: after [`Timeout`](crate::CallError::Timeout) or
//!   [`Restarted`](crate::CallError::Restarted) the method may have run, may be running, or not
//!   run at all. Make such calls safe to repeat, or ask the actor what became of them.
//!
//! Every ask has a deadline: 30 seconds, unless the call, the type (`timeout_ms`) or
//! [the builder](crate::EngineBuilder::timeout) says otherwise. The calls that a turn makes don't
//! wait longer than whoever waits for the turn. A caller that gives up, by deadline or by
//! dropping the call, cancels nothing: the turn goes on, and its answer is thrown away.
//!
//! One-way messages that can't be delivered are kept for a while as
//! [dead letters](crate::Engine::dead_letters).
//!
//! # Errors across calls
//!
//! A method that returns `Result<T, E>` is called as `Result<T, CallError<E>>`. One `From` lets
//! `?` carry that through a method which makes calls itself:
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Debug, PartialEq)]
//! pub enum TransferError {
//!     Refused,
//!     Bank(String),
//! }
//!
//! impl<E> From<CallError<E>> for TransferError {
//!     fn from(error: CallError<E>) -> Self {
//!         match error {
//!             CallError::Failed(_) => TransferError::Refused,
//!             other => TransferError::Bank(other.map(|_| "").to_string()),
//!         }
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct Account {
//!     cents: i64,
//! }
//!
//! #[actor]
//! impl Account {
//!     pub fn add(&mut self, cents: i64) -> Result<(), &'static str> {
//!         if self.cents + cents < 0 {
//!             return Err("overdrawn");
//!         }
//!         self.cents += cents;
//!         Ok(())
//!     }
//!
//!     pub async fn transfer(
//!         &mut self,
//!         cx: &Cx<Self>,
//!         to: String,
//!         cents: i64,
//!     ) -> Result<i64, TransferError> {
//!         self.add(-cents).map_err(|_| TransferError::Refused)?;
//!         cx.actor::<Account>(to).add(cents).await?;
//!         Ok(self.cents)
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let alice = sim.actor::<Account>("alice");
//! sim.block_on(async {
//!     alice.add(10).await.unwrap();
//!     assert_eq!(alice.transfer("bob".to_owned(), 4).await, Ok(6));
//!     let refused = alice.transfer("bob".to_owned(), 40).await;
//!     assert_eq!(refused, Err(CallError::Failed(TransferError::Refused)));
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Order
//!
//! What one sender sends to one actor arrives in the order sent; nothing is promised between
//! different senders. An ask counts as sent at its first poll, which for `.await` is where it
//! stands in your code; a `tell` where it is made, and a `send` when there is room for it. Waiting
//! for room keeps the order, too: what comes later waits behind.
//!
//! # Values
//!
//! Arguments and replies move by value, between cores too; nothing is serialised. They are
//! `Send` and own what they hold: an `Arc` shares what is too large to copy.
//!
//! # Context
//!
//! [`Call::context`](crate::Call::context) hangs a request's id and metadata on a call, and every
//! call made on its behalf inherits them: [`cx.request_id()`](crate::Cx::request_id). Calls
//! without one carry nothing.
