//! An actor type's messages as a list, for those who meet them by name.

use quark_net::schema::{ActorSchema, Book, MethodSchema, SchemaError};

use crate::actor::{Actor, Method};
use crate::contract::{Taking, taking};
use crate::remote::{Invoke, invoke};

/// One of an actor type's messages.
#[derive(Debug, Clone, Copy)]
pub struct MethodEntry {
    /// The method's name.
    pub name: &'static str,
    /// What it looks like on its way; `None` if it can't leave the process.
    pub describe: Option<fn(&mut Book) -> MethodSchema>,
    pub(crate) invoke: Invoke,
    pub(crate) taking: Taking,
}

impl MethodEntry {
    /// That of `M`.
    #[must_use]
    pub fn of<M: Method>() -> Self {
        MethodEntry {
            name: M::NAME,
            describe: M::WIRE.map(|wire| wire.describe),
            invoke: invoke::<M>,
            taking: taking::<M>,
        }
    }
}

/// Those of `A`'s messages that can leave the process, in the order of their names, by which they
/// are numbered there.
pub(crate) fn travelling<A: Actor>() -> Vec<MethodEntry> {
    let mut methods = A::methods();
    methods.retain(|method| method.describe.is_some());
    methods.sort_by_key(|method| method.name);
    methods
}

/// The number of `M` among them; past all if it can't leave the process.
#[must_use]
pub fn number_of<M: Method>() -> u16 {
    let all = travelling::<M::Actor>();
    let place = all.iter().position(|method| method.name == M::NAME);
    place
        .and_then(|place| u16::try_from(place).ok())
        .unwrap_or(u16::MAX)
}

/// What messages of `A` look like to others.
pub(crate) fn schema_of<A: Actor>() -> Result<ActorSchema, SchemaError> {
    let mut book = Book::new();
    let described = travelling::<A>();
    let described = described.iter().filter_map(|method| method.describe);
    let methods = described.map(|describe| describe(&mut book)).collect();
    ActorSchema::new(A::NAME, book, methods)
}
