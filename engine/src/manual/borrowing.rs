//! `&self` and `&mut self` say which turns may overlap.
//!
//! Other actor systems have a word for reentrancy, on the class or the method, and leave it to
//! you to see that the state bears it. Here the borrow is that word, and the compiler sees to it:
//!
//! - A `&mut self` turn is alone in its actor until it *returns*, across its awaits too. What it
//!   read before an await is still so after it.
//! - `&self` turns may interleave with each other, at their awaits. They can't change the state,
//!   but for what is in a [`Cell`](std::cell::Cell) or a [`RefCell`](std::cell::RefCell), and
//!   there you see where.
//!
//! No two turns ever run at the same instant, so that neither needs a lock.
//!
//! ```
//! use std::cell::Cell;
//! use std::time::Duration;
//!
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Kitchen {
//!     orders: u32,
//!     glances: Cell<u32>,
//! }
//!
//! #[actor]
//! impl Kitchen {
//!     /// One cook at a time.
//!     pub async fn cook(&mut self) {
//!         let before = self.orders;
//!         quark::sleep(Duration::from_secs(60)).await;
//!         self.orders = before + 1; // nobody came between
//!     }
//!
//!     /// As many as like.
//!     pub async fn look(&self) -> u32 {
//!         self.glances.set(self.glances.get() + 1);
//!         quark::sleep(Duration::from_secs(60)).await;
//!         self.orders
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let kitchen = sim.actor::<Kitchen>("blue");
//!
//! // Five looks take a minute together ...
//! for _ in 0..5 {
//!     kitchen.look().tell()?;
//! }
//! sim.run_until_idle();
//! let looked = sim.now() - quark::Time::ZERO;
//! assert!(looked < Duration::from_secs(70));
//!
//! // ... and five dishes five minutes.
//! for _ in 0..5 {
//!     kitchen.cook().tell()?;
//! }
//! sim.run_until_idle();
//! let cooked = sim.now() - quark::Time::ZERO - looked;
//! assert!(cooked >= Duration::from_secs(300));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who goes first
//!
//! A `&mut self` message that waits holds back the `&self` messages behind it. Otherwise a steady
//! stream of readers, one overlapping the next, would starve it.
//!
//! # Chains and cycles
//!
//! An actor that calls another is not free meanwhile if its turn is `&mut self`. If the chain of
//! calls comes back to it, nobody could ever go on; such a call fails at once with
//! [`CallCycle`](crate::CallError::CallCycle) instead of at its deadline. If all turns of the
//! chain in that actor are `&self`, the call simply enters beside them, past whatever waits.
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Friend;
//!
//! #[actor]
//! impl Friend {
//!     pub fn name(&self, cx: &Cx<Self>) -> String {
//!         cx.key().to_string()
//!     }
//!
//!     /// Asks whoever calls for a name.
//!     pub async fn greet(&self, back: FriendRef) -> Result<String, CallError> {
//!         Ok(format!("hello {}", back.name().await?))
//!     }
//!
//!     pub async fn meet(&self, cx: &Cx<Self>, other: FriendRef) -> Result<String, CallError> {
//!         other.greet(cx.me()).await.map_err(inner)
//!     }
//!
//!     pub async fn meet_alone(
//!         &mut self,
//!         cx: &Cx<Self>,
//!         other: FriendRef,
//!     ) -> Result<String, CallError> {
//!         other.greet(cx.me()).await.map_err(inner)
//!     }
//! }
//!
//! /// The error that the called method met itself, or that of the call.
//! fn inner(error: CallError<CallError>) -> CallError {
//!     match error {
//!         CallError::Failed(inner) => inner,
//!         other => other.map(|_| unreachable!("that was the case above")),
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let (anna, ben) = (sim.actor::<Friend>("anna"), sim.actor::<Friend>("ben"));
//! sim.block_on(async {
//!     assert_eq!(anna.meet(ben.clone()).await, Ok("hello anna".to_owned()));
//!     let alone = anna.meet_alone(ben).await;
//!     assert_eq!(alone, Err(CallError::Failed(CallError::CallCycle)));
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two chains that cross (one holds A and wants B, the other holds B and wants A) are not seen as
//! a cycle. They end at their deadlines, which every ask has.
