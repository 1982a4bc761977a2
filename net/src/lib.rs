//! Many machines: what nodes and clients say to each other. Knows of actors only their names.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]
#![forbid(unsafe_code)]

pub mod codec;
pub mod schema;

/// What the code that `#[message]` writes stands on. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use rkyv;
    pub use serde;
}
