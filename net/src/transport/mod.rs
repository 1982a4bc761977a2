//! Sessions on connections: what a shard does to carry their frames.
//!
//! A [`Link`] is a session with its connection, and belongs to one shard. Three tasks serve it: one
//! reads, one writes what has been gathered since it last wrote, and one minds the time. Whoever
//! uses it is told what happens by its [`Handler`].

mod acceptor;
mod link;
mod shield;

pub use self::acceptor::{Acceptor, ListenLimits, ListenReport};
pub use self::link::{Handler, Link, LinkError};
pub use self::shield::Shield;

#[cfg(test)]
mod tests;
