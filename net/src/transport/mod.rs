//! Sessions on connections: what a shard does to carry their frames.
//!
//! A [`Link`] is a session with its connection, and belongs to one shard. Three tasks serve it: one
//! reads, one writes what has been gathered since it last wrote, and one minds the time. Whoever
//! uses it is told what happens by its [`Handler`].

mod acceptor;
mod door;
mod error;
mod link;
mod report;
mod shield;

pub use self::acceptor::{Acceptor, ListenLimits};
pub use self::error::LinkError;
pub use self::link::{Handler, Link};
pub use self::report::ListenReport;
pub use self::shield::Shield;

#[cfg(test)]
mod tests;
