//! An actor type's messages as a list, for those who meet them by name.

use quark_net::schema::{Book, MethodSchema};

use crate::actor::Method;

/// One of an actor type's messages.
#[derive(Debug, Clone, Copy)]
pub struct MethodEntry {
    /// The method's name.
    pub name: &'static str,
    /// What it looks like on its way; `None` if it can't leave the process.
    pub describe: Option<fn(&mut Book) -> MethodSchema>,
}

impl MethodEntry {
    /// That of `M`.
    #[must_use]
    pub fn of<M: Method>() -> Self {
        MethodEntry {
            name: M::NAME,
            describe: M::WIRE.map(|wire| wire.describe),
        }
    }
}
