//! Calls from other processes, and other machines.
//!
//! An engine that [listens](crate::EngineBuilder::listen) can be called by programs that host no
//! actors. Such a program has a [`Client`](crate::Client) in the place of an engine; references and
//! calls are the same.
//!
//! ```
//! use quark::prelude::*;
//! use quark::{ActorOptions, Client, Listen};
//!
//! #[message]
//! #[derive(Debug, PartialEq)]
//! pub struct Order {
//!     symbol: String,
//!     lots: u32,
//! }
//!
//! #[derive(Default)]
//! pub struct Desk {
//!     lots: u32,
//! }
//!
//! #[actor]
//! impl Desk {
//!     pub fn place(&mut self, order: Order) -> u32 {
//!         self.lots += order.lots;
//!         self.lots
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::builder()
//!     .configure::<Desk>(ActorOptions::new()) // known from the start
//!     .listen(Listen::at("127.0.0.1:0".parse()?).cluster("trading"))
//!     .launch()?;
//!
//! // In another process:
//! let client = Client::builder()
//!     .cluster("trading")
//!     .connect(engine.addresses()[0])?;
//! let desk = client.actor::<Desk>("fx");
//! let order = Order { symbol: "EURUSD".into(), lots: 3 };
//! assert_eq!(desk.place(order).wait()?, 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Contracts
//!
//! A program that only calls needs nothing of what it calls but the messages. A trait declares those, in
//! a crate that both sides use; what implements it is the server's alone:
//!
//! ```
//! /// The crate that both sides use.
//! mod exchange {
//!     use quark::prelude::*;
//!
//!     #[actor(name = "exchange.desk")]
//!     pub trait Desk {
//!         /// Buys, and says how many lots that makes.
//!         fn buy(&mut self, lots: u32) -> u32;
//!     }
//! }
//!
//! /// The server.
//! mod server {
//!     use quark::prelude::*;
//!     use quark::{ActorOptions, Listen};
//!
//!     #[derive(Default)]
//!     struct Book {
//!         lots: u32,
//!     }
//!
//!     #[actor]
//!     impl super::exchange::Desk for Book {
//!         fn buy(&mut self, lots: u32) -> u32 {
//!             self.lots += lots;
//!             self.lots
//!         }
//!     }
//!
//!     pub fn launch() -> Result<Engine, Box<dyn std::error::Error>> {
//!         let builder = Engine::builder().configure::<Book>(ActorOptions::new());
//!         Ok(builder.listen(Listen::at("127.0.0.1:0".parse()?)).launch()?)
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use exchange::Desk;
//!
//! let engine = server::launch()?;
//!
//! // The client.
//! let client = quark::Client::connect(engine.addresses()[0])?;
//! assert_eq!(client.actor::<dyn Desk>("fx").buy(3).wait()?, 3);
//!
//! // Beside the server's actors, the same code takes the short way.
//! assert_eq!(engine.actor::<dyn Desk>("fx").buy(1).wait()?, 4);
//! # Ok(())
//! # }
//! ```
//!
//! Where a contract is implemented, nothing is encoded. A message by it looks up where its actor is each
//! time; references to the type itself learn that. An actor is watched by its contract as by itself; what else one
//! does with an actor (move it, make it a child) is done by its type.
//!
//! # What can travel
//!
//! Arguments and replies of numbers, strings and the standard library's collections can, and types
//! of your own that are marked with [`message`](macro@crate::message). Nothing else has to change: a
//! method all of whose parts can travel can be called from elsewhere, another can't, and says so
//! ([`CallError::NotRemote`](crate::CallError::NotRemote)). Within a process nothing is ever encoded.
//!
//! # Where calls go
//!
//! Each shard listens on a port of its own, from the given one on. A client gets to know all of them
//! by connecting to any, and sends each call to the very shard where its actor's home is.
//!
//! # What can become of a call
//!
//! What can become of it [in the process](super::calls), and besides:
//!
//! - [`Disconnected`](crate::CallError::Disconnected): the connection broke before the answer had
//!   come. Whether the turn ran is unknown; nothing is sent again by itself.
//! - [`Unreachable`](crate::CallError::Unreachable): it has not left, and did not run.
//! - [`CutOff`](crate::CallError::CutOff): its actor's node has lost sight of the cluster's majority; it
//!   did not run.
//! - [`NotRemote`](crate::CallError::NotRemote): it can't be understood there, and did not run.
//! - [`Unreadable`](crate::CallError::Unreadable): it ran, but its answer can't be sent or read.
//!
//! A connection that broke is opened again at the next call, after a rest of 10 ms to 1 s. Messages
//! wait for it, and for room: each side says how much it takes at once (1,024 messages in 16 MiB),
//! and up to 4,096 more wait in order in the process that sends them. What would be more is refused
//! with [`Overloaded`](crate::CallError::Overloaded).
//!
//! # Clusters
//!
//! Several engines that share a [`Cluster`](crate::Cluster) have all keys among them: each is a node
//! that owns a part of the 65,536 *slots* into which keys fall, and a call from any node, or from a
//! client, goes to the one that has its actor. Nothing changes in how actors are written or called.
//!
//! ```
//! use std::time::Duration;
//!
//! use quark::membership::MemoryTable;
//! use quark::prelude::*;
//! use quark::{ActorOptions, Client, Cluster, Listen};
//!
//! #[derive(Default)]
//! pub struct Room {
//!     guests: u32,
//! }
//!
//! #[actor]
//! impl Room {
//!     pub fn enter(&mut self) -> u32 {
//!         self.guests += 1;
//!         self.guests
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // For nodes of one process; on several machines it is a `RedisTable`, or a fixed list.
//! let table = MemoryTable::default();
//! let node = |name: &str| {
//!     Engine::builder()
//! #       .topology(Topology::detect()?.shards(1))
//!         .seed(4711) // the same for all nodes, and a secret
//!         .configure::<Room>(ActorOptions::new())
//!         .listen(Listen::at("127.0.0.1:0".parse()?).cluster("hotel"))
//!         .cluster(Cluster::new(name, table.clone()))
//!         .launch()
//!         .map_err(Box::<dyn std::error::Error>::from)
//! };
//! let (a, b) = (node("a")?, node("b")?);
//! assert!(a.wait_until_serving(Duration::from_secs(10)));
//!
//! let client = Client::builder().cluster("hotel").connect(a.addresses()[0])?;
//! for room in 0..10_u64 {
//!     // Before long half of them live on either node, whoever calls.
//!     client.actor::<Room>(room).enter().wait()?;
//!     b.actor::<Room>(room).enter().wait()?;
//! }
//! b.shutdown(); // gives what it has to the other
//! # a.shutdown();
//! # Ok(())
//! # }
//! ```
//!
//! A node that joins takes its fair share of slots, one that shuts down gives its own away first, and
//! no call fails by that: their actors are put to sleep as ever, and wake up where the slots are. One
//! that dies is missed after two seconds, and what it had is served by others some three seconds later
//! ([`Timing`](crate::membership::Timing)); calls to its actors wait until then, as long as they may.
//!
//! What actors are to keep across that belongs into a [store](super::states) that all nodes reach.
//! Among nodes that have lost sight of each other, only the side of the majority goes on; others
//! answer [`CutOff`](crate::CallError::CutOff), and come back by themselves. Even where clocks or
//! machines go wrong, of two nodes that take themselves for a slot's owner only the newer can save
//! anything.
//!
//! # Two versions
//!
//! Where both sides have the same idea of an actor type, messages go as they lie in memory. Where
//! they differ, the caller asks for the other's idea at its first call, and messages go by the names
//! of their fields: those that are new and have a default (`#[message(default)]`, or an `Option`) may
//! be missing, and those that the reader does not know are left out. Methods may come and go. A call
//! that can't be understood is refused with the type and the field that stand in the way, before it
//! is sent; others of the same type go on.
//!
//! # Who may listen
//!
//! By itself what is said on a connection is plain text: checked for damage, and useless if it is
//! played again later, but anyone on the network could read and forge it. So an engine listens on
//! loopback only, unless it has certificates, or [`insecure`](crate::Listen::insecure) is said of a
//! network that is trusted.
//!
//! With certificates it speaks TLS 1.3:
//!
//! ```no_run
//! use quark::prelude::*;
//! use quark::tls::{Pem, Source, Tls};
//! use quark::{Client, Listen};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = |name: &str| Pem::File(format!("/etc/quark/{name}.pem").into());
//! let tls = Tls::new(Source {
//!     authorities: file("ca"),
//!     identity: Some((file("chain"), file("key"))),
//!     mutual: true, // clients must show a certificate, too
//! })?;
//! let listen = Listen::at("0.0.0.0:7000".parse()?).tls(tls.clone());
//! let engine = Engine::builder().listen(listen).launch()?;
//! tls.reload()?; // when the files have changed: for all sessions from now on
//!
//! let client = Client::builder().tls(tls, "quark.example.com");
//! # let _ = (engine, client);
//! # Ok(())
//! # }
//! ```
//!
//! # Strangers
//!
//! Whoever can reach a port can knock. What that costs is bounded: handshakes in
//! [number](crate::Listen::handshakes) and in [time](crate::Listen::handshake_within), those who were let
//! in in [number](crate::Listen::sessions) and in the [memory](crate::Listen::memory) that they have
//! their shard keep. Who says nothing, speaks another protocol, names another cluster or shows another
//! authority's certificate is turned away, and who breaks the rules of a session is cut off from it.
//! The log has one line for each kind of that a minute; [`Engine::connections`](crate::Engine::connections)
//! counts all.
//!
//! Who was let in may call whatever is served: Quark knows who belongs to the cluster, not who may do
//! what. That is for the methods themselves.
