//! Many machines: what nodes and clients say to each other. Knows of actors only their names.
//!
//! [`frame`] is how messages lie on a connection, [`message`] what of theirs lies before their
//! arguments, [`session`] what two sides may say when, and [`transport`] carries that over
//! connections. [`schema`] describes what messages look like, so that two sides can find out
//! whether they mean the same, and [`codec`] writes and reads them accordingly. [`cursor`] reads
//! what strangers say, and [`seldom`] keeps them from filling the log.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]
#![deny(unsafe_code)]

pub mod cluster;
pub mod codec;
pub mod cursor;
pub mod frame;
pub mod message;
pub mod schema;
pub mod seldom;
pub mod session;
pub mod tls;
pub mod transport;

/// What the code that `#[message]` writes stands on. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use rkyv;
    pub use serde;
}
