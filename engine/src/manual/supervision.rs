//! Who decides what becomes of an actor that fails.
//!
//! An actor *fails* when one of its turns panics, or says so by [`cx.fail`](crate::Cx::fail). From
//! then on nobody enters it; what is sent to it waits. Its *supervisor* decides:
//!
//! | `on_failure` | what happens |
//! |---|---|
//! | `"restart"` (the default) | a fresh instance, after a pause; mailbox and references stay |
//! | `"resume"` | it goes on as it is |
//! | `"stop"` | its life ends: who waits for it hears [`ActorStopped`](crate::CallError::ActorStopped) |
//! | `"escalate"` | its supervisor fails in its stead |
//!
//! The supervisor of an actor is its parent, if it has one, and else the engine, which goes by
//! the options of the actor's own type.
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Ledger {
//!     cents: i64,
//! }
//!
//! #[actor(supervise(restarts = 2, within_ms = 60_000, backoff_ms = 10..=1_000))]
//! impl Ledger {
//!     pub fn add(&mut self, cents: i64) -> i64 {
//!         self.cents += cents;
//!         assert!(self.cents >= 0, "more was taken than was there");
//!         self.cents
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let ledger = sim.actor::<Ledger>(1);
//! sim.block_on(async {
//!     assert_eq!(ledger.add(5).await, Ok(5));
//!     assert_eq!(ledger.add(-9).await, Err(CallError::Panicked));
//!     assert_eq!(ledger.add(1).await, Ok(1)); // waited for the fresh instance
//! });
//! assert_eq!(sim.list()[0].restarts, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Restarts
//!
//! A restart drops what was suspended in the actor (its callers hear
//! [`Restarted`](crate::CallError::Restarted): the outcome is unknown) and makes a new instance,
//! for which `on_activate` runs. Then the messages that waited go on, in their order. Nobody who
//! has a reference needs to know.
//!
//! Each restart within the window `within_ms` waits twice as long as the one before, from the
//! first to the longest of `backoff_ms`, shortened by chance (`jitter_percent`), so that those
//! who fail together don't come back together. More than `restarts` of them within the window are
//! more than the supervisor bears: it fails itself.
//!
//! What the engine bears no more is given up: its life ends, the log says so, and
//! [`on_escalation`](crate::EngineBuilder::on_escalation) hears of it. Even then its name is
//! good: the next call begins a new life.
//!
//! # Parents and children
//!
//! [`cx.child::<Part>("left")`](crate::Cx::child) makes an actor a child of this one. It neither
//! creates nor wakes it: that a child is one lasts while both sleep and wake and restart, on
//! whatever shards they live, until one of them is stopped. The parent's type says, by the same
//! options, what becomes of its children, and whom the failure of one concerns:
//!
//! | `strategy` | restarted, or stopped |
//! |---|---|
//! | `"one_for_one"` (the default) | the child that failed |
//! | `"all_for_one"` | all children |
//! | `"rest_for_one"` | that child, and those that became children after it |
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//!
//! #[derive(Default)]
//! pub struct Part {
//!     steps: u32,
//! }
//!
//! #[actor]
//! impl Part {
//!     pub fn step(&mut self) -> u32 {
//!         self.steps += 1;
//!         self.steps
//!     }
//!
//!     pub fn jam(&mut self, cx: &Cx<Self>) {
//!         cx.fail("a cog came loose");
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct Machine;
//!
//! #[actor(supervise(strategy = "rest_for_one"))]
//! impl Machine {
//!     pub fn build(&mut self, cx: &Cx<Self>) -> [PartRef; 3] {
//!         ["motor", "belt", "arm"].map(|name| cx.child::<Part>(name))
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let machine = sim.actor::<Machine>("press");
//! let [motor, belt, arm] = sim.block_on(async { machine.build().await })?;
//! sim.block_on(async {
//!     for part in [&motor, &belt, &arm] {
//!         assert_eq!(part.step().await, Ok(1));
//!     }
//!     belt.jam().await
//! })?;
//! sim.run_until_idle();
//! sim.block_on(async {
//!     assert_eq!(motor.step().await, Ok(2)); // before the belt: not concerned
//!     assert_eq!(belt.step().await, Ok(1));
//!     assert_eq!(arm.step().await, Ok(1));
//! });
//! let shown = sim.tree().to_string();
//! assert!(shown.contains("Machine/press") && shown.contains("  Part/arm"), "{shown}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A parent that restarts has its children restart too; one that [stops](crate::Cx::stop), stops
//! them. As long as a child is awake, its parent is not put to sleep for being idle.
//! [`Engine::tree`](crate::Engine::tree) lists who belongs to whom.
//!
//! # Watching
//!
//! To hear that another actor's life has ended, [watch](crate::Cx::watch) it; it need not be a
//! child. The word comes as a message of your own, in a turn as any other.
//!
//! ```
//! use quark::prelude::*;
//! use quark::testing::SimOptions;
//! use quark::{Down, DownReason};
//!
//! #[derive(Default)]
//! pub struct Player;
//!
//! #[actor]
//! impl Player {
//!     pub fn wave(&self) {}
//!
//!     pub fn quit(&mut self, cx: &Cx<Self>) {
//!         cx.stop();
//!     }
//! }
//!
//! #[derive(Default)]
//! pub struct Lobby {
//!     gone: Vec<Down>,
//! }
//!
//! #[actor]
//! impl Lobby {
//!     pub async fn join(&mut self, cx: &Cx<Self>, player: PlayerRef) -> Result<(), CallError> {
//!         player.wave().await?; // is it there?
//!         cx.watch(&player, |me, down| me.on_down(down));
//!         Ok(())
//!     }
//!
//!     pub fn on_down(&mut self, down: Down) {
//!         self.gone.push(down);
//!     }
//!
//!     pub fn gone(&self) -> Vec<Down> {
//!         self.gone.clone()
//!     }
//! }
//!
//! let sim = Engine::builder().simulate(1, SimOptions::default())?;
//! let (lobby, player) = (sim.actor::<Lobby>("main"), sim.actor::<Player>("ann"));
//! sim.block_on(async {
//!     lobby.join(player.clone()).await.unwrap();
//!     player.quit().await.unwrap();
//! });
//! sim.run_until_idle();
//! let gone = sim.block_on(async { lobby.gone().await })?;
//! assert_eq!(gone.len(), 1);
//! assert_eq!(gone[0].actor.to_string(), "Player/ann");
//! assert_eq!(gone[0].reason, DownReason::Stopped);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors are not failures
//!
//! A method that returns `Err` has answered its caller; its actor is well. Fail where the *state*
//! may be wrong, and return errors where only the request was.
