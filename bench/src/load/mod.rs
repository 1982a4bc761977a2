//! Load on a server over TCP: many connections with so many requests under way on each, all kept up
//! by one thread that never sleeps. What is said on them is a [`Speech`], so that servers which
//! speak otherwise meet the same generator.

pub mod certificates;
mod connection;
mod error;
mod generator;
mod resp;
mod session;
mod speech;

pub use error::LoadError;
pub use generator::{Load, Loaded};
pub use resp::Resp;
pub use session::{Cluster, Sessions};
pub use speech::Speech;
