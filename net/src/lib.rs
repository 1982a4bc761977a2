//! Many machines: what nodes and clients say to each other. Knows of actors only their names.
//!
//! [`frame`] is how messages lie on a connection; [`cursor`] reads what their bodies say.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]
#![forbid(unsafe_code)]

pub mod cursor;
pub mod frame;
pub mod message;
pub mod session;
pub mod transport;
