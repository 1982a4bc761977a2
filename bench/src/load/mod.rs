//! Load on a server over TCP: many connections with so many requests under way on each, all kept up
//! by one thread that never sleeps. What is said on them is a [`Speech`], so that servers which
//! speak otherwise meet the same generator.

pub mod certificates;
pub(crate) mod command;
mod connection;
#[cfg(feature = "redis")]
mod durable;
mod error;
mod generator;
mod resp;
pub(crate) mod serve;
mod session;
mod speech;

pub use command::Generate;
pub use error::LoadError;
pub use generator::{Load, Loaded};
pub use resp::Resp;
pub use serve::Serve;
pub use session::{Cluster, Sessions};
pub use speech::Speech;

/// Whom certificates of a run's own are for.
pub(crate) const NAME: &str = "quark-bench";
