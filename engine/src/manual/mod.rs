//! The manual: a page for each idea, in the order in which they are met.
//!
//! 1. [Identity](identity): actors exist by name, and are in memory when somebody calls them.
//! 2. [Calls](calls): ask, tell, send, wait; what can become of a call, and in which order they
//!    arrive.
//! 3. [Turns](turns): how an actor works off what it is sent, and how it shares its core.
//! 4. [Borrowing](borrowing): `&self` and `&mut self` say which turns may overlap.
//! 5. [Mailboxes](mailboxes): what waits for an actor, and what happens when too much does.
//! 6. [Supervision](supervision): who decides what becomes of an actor that fails.
//! 7. [Placement](placement): on which shard an actor lives, and how to have a say in it.
//! 8. [States](states): what an actor keeps when it sleeps, and when the process ends.
//! 9. [Journals](journals): state as the sum of what happened.
//! 10. [Reminders](reminders): calls that come even if everything ends in between.
//! 11. [Machines](machines): calls from other processes.
//! 12. [Testing](testing): without threads, without waiting, and by seed.
//!
//! The examples run in the [simulator](testing): an engine in one thread, whose time
//! costs nothing to wait for. There, `sim.block_on(async { … })` stands for your program. With a
//! real engine, made by [`Engine::launch`](crate::Engine::launch), you would await the same calls
//! in any async code, or [wait](crate::Call::wait) for them on a plain thread.
//!
//! # Coming from elsewhere
//!
//! | Orleans | Akka | Quark |
//! |---|---|---|
//! | silo | actor system | [`Engine`](crate::Engine); its threads, one to a core, are *shards* |
//! | grain class | behaviour, sharded entity | a struct, and its impl block under [`#[actor]`](macro@crate::actor) |
//! | grain interface, `GetGrain` | protocol, `EntityRef` | the [reference](identity#references) that the attribute writes |
//! | awaited call | ask | [`alice.deposit(5).await`](calls) |
//! | `[OneWay]` | tell | [`.tell()`](crate::Call::tell), [`.send()`](crate::Call::send) |
//! | `[Reentrant]`, `[ReadOnly]`, `[AlwaysInterleave]` | – | [`&self`](borrowing) |
//! | `IPersistentState<T>` | durable state behaviour | [`State<T>`](states) |
//! | `OnActivateAsync` | – | [`on_activate`](identity#a-life) |
//! | `JournaledGrain` | event-sourced behaviour | [`Journal<S>`](journals) |
//! | `RegisterOrUpdateReminder` | – | [`cx.remind`](reminders) |
//! | grain timer | timers, `receiveTimeout` | [`cx.after`](crate::Cx::after), [`cx.every`](crate::Cx::every) |
//! | collection age | passivation | [`idle_after_ms`](identity#a-life) |
//! | `RequestContext` | – | [`Context`](crate::Context) |
//! | placement attributes, `[StatelessWorker]` | shard allocation, routers | [placement], [workers](placement#workers) |
//! | – | bounded mailbox | [mailboxes] are bounded, always |
//! | – | supervisor strategy, death watch | [`supervise(…)`](supervision), [`cx.watch`](crate::Cx::watch) |
//! | – | dead letters | [`Engine::dead_letters`](crate::Engine::dead_letters) |
//! | cluster client | – | [`Client`](machines) |
//! | `TestCluster` | TestKit | [the simulator](testing), doubles, fault points |
//!
//! What those who switch stumble over most: a call does nothing until it is awaited or told;
//! turns *do* overlap where methods take `&self`; and actors of one shard run on one thread, so
//! that a method which blocks or computes for long holds up all of them.

pub mod borrowing;
pub mod calls;
pub mod identity;
pub mod journals;
pub mod machines;
pub mod mailboxes;
pub mod placement;
pub mod reminders;
pub mod states;
pub mod supervision;
pub mod testing;
pub mod turns;
