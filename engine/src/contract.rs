//! Contracts: what is called is known by its messages alone.
//!
//! `#[actor]` on a trait writes an actor type that has no instances, with a reference and messages
//! like any other's. Other processes call by it as by the type that implements it, since both have
//! the same name and the same messages. Where that type is, a message of the contract becomes one
//! of it on the way: its arguments and its reply stay as they are, and so does whoever waits.

use std::any::Any;
use std::marker::PhantomData;

use quark_shards::shard::Shard;

use crate::activation::Resident;
use crate::actor::{Actor, Method, TypeToken};
use crate::error::{Refusal, RegisterError};
use crate::key::Key;
use crate::message::Incoming;
use crate::methods::travelling;
use crate::reference::RefCore;
use crate::routing::Local;
use crate::runtime::Runtime;
use crate::types::TypeShard;

/// What a reference can be asked for: an actor type, or `dyn` a trait that has `#[actor]`.
pub trait Addressed {
    /// The type whose messages are sent.
    type Actor: Actor;
}

impl<A: Actor> Addressed for A {
    type Actor = A;
}

/// The reference to an `A`: `AccountRef` for `Account` and for `dyn Account`.
pub type RefOf<A> = <<A as Addressed>::Actor as Actor>::Ref;

/// `dyn` a trait that has `#[actor]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no contract",
    label = "this trait has no `#[actor]`",
    note = "put `#[actor]` on the trait, or leave it away here"
)]
pub trait Contract: Addressed {
    /// Its messages.
    const MESSAGES: &'static [ContractMessage];
}

/// What of a contract's message the compiler does not compare.
#[derive(Debug)]
pub struct ContractMessage {
    /// The method's name.
    pub name: &'static str,
    /// The names of its arguments, by which other versions know them.
    pub arguments: &'static [&'static str],
    /// Whether its return type is called `Result`.
    pub fails: bool,
}

impl ContractMessage {
    /// Whether the message `name`, if it is among `all`, has arguments of these names.
    #[must_use]
    pub const fn has_arguments(all: &[Self], name: &str, arguments: &[&str]) -> bool {
        let Some(message) = Self::find(all, name) else {
            return true;
        };
        // Of another number: the compiler says so.
        let mut number = 0;
        while number < arguments.len() && number < message.arguments.len() {
            if !same(arguments[number], message.arguments[number]) {
                return false;
            }
            number += 1;
        }
        true
    }

    /// Whether the message `name`, if it is among `all`, has an error of its own or not, as is said.
    #[must_use]
    pub const fn has_error(all: &[Self], name: &str, fails: bool) -> bool {
        match Self::find(all, name) {
            Some(message) => message.fails == fails,
            None => true,
        }
    }

    const fn find<'a>(all: &'a [Self], name: &str) -> Option<&'a Self> {
        let mut number = 0;
        while number < all.len() {
            if same(all[number].name, name) {
                return Some(&all[number]);
            }
            number += 1;
        }
        None
    }
}

/// `==`, which is not there for constants.
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The type that implements a contract, to a shard.
pub(crate) struct Implementer {
    token: &'static TypeToken,
    lane: Lane,
    has_room: HasRoom,
    /// By the messages' numbers, each a [`Takes`].
    messages: Vec<Box<dyn Any>>,
}

/// The shard to which a message is sent as it is; `None`: see [`take`](Implementer::take).
type Lane = fn(&Shard, &Runtime, &Key, u64) -> Result<Option<u16>, Refusal>;

/// Whether a one-way message from this shard has room.
type HasRoom = fn(&Shard, &Runtime, &Key, u64) -> Result<bool, Refusal>;

/// Makes a message's [`Takes`].
pub(crate) type Taking = fn() -> Box<dyn Any>;

/// How a type takes a message with these arguments, and this reply.
struct Takes<Args, Ok, Err> {
    take: fn(&Shard, &Runtime, Key, u64, Incoming<Args>),
    reply: PhantomData<fn() -> Result<Ok, Err>>,
}

impl Implementer {
    pub(crate) fn of<A: Actor>() -> Self {
        let travelling = travelling::<A>();
        Implementer {
            token: A::token(),
            lane: |shard, runtime, key, hash| {
                let types = runtime.types.get::<A>(runtime)?;
                Ok(runtime.ways(shard, types).lane(key, hash))
            },
            has_room: |shard, runtime, key, hash| {
                let types = runtime.types.get::<A>(runtime)?;
                let ways = runtime.ways(shard, types);
                Ok(match ways.find(key, hash)? {
                    Local::Here(resident) => types.takes_told(resident),
                    Local::Lane(_) | Local::Behind => ways.has_room(key, hash),
                })
            },
            messages: travelling
                .iter()
                .map(|message| (message.taking)())
                .collect(),
        }
    }

    /// The shard to which messages for `key` are sent as they are, for want of anything to be done
    /// with them here.
    pub(crate) fn lane(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        key: &Key,
        hash: u64,
    ) -> Result<Option<u16>, Refusal> {
        (self.lane)(shard, runtime, key, hash)
    }

    /// Whether a one-way message from this shard to `key` has room.
    pub(crate) fn has_room(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        key: &Key,
        hash: u64,
    ) -> Result<bool, Refusal> {
        (self.has_room)(shard, runtime, key, hash)
    }

    /// Makes a message of the contract one of the type's, and brings that on its way.
    pub(crate) fn take<M: Method>(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        key: Key,
        hash: u64,
        mut incoming: Incoming<M>,
    ) {
        let message = self.messages.get(usize::from(M::number()));
        match message.and_then(|message| message.downcast_ref::<Takes<M::Args, M::Ok, M::Err>>()) {
            Some(takes) => (takes.take)(shard, runtime, key, hash, incoming.map(M::into_args)),
            None => {
                // One of the engine's own, that moves an actor perhaps.
                incoming.toll.pay(shard);
                let name = M::Actor::NAME;
                let refusal = Refusal::Unregistered(RegisterError::ByContract { name });
                runtime.refuse_key(shard, key, incoming, refusal);
            }
        }
    }
}

/// How messages of `M` are taken that come by a contract.
pub(crate) fn taking<M: Method>() -> Box<dyn Any> {
    Box::new(Takes::<M::Args, M::Ok, M::Err> {
        take: take::<M>,
        reply: PhantomData,
    })
}

fn take<M: Method>(
    shard: &Shard,
    runtime: &Runtime,
    key: Key,
    hash: u64,
    incoming: Incoming<M::Args>,
) {
    let mut incoming = incoming.map(|args| {
        M::from_args(args).expect("what the attribute lists is made of its arguments alone")
    });
    let refusal = match runtime.types.get::<M::Actor>(runtime) {
        Ok(types) => {
            let ways = runtime.ways(shard, types);
            if incoming.is_relayed || incoming.from(shard) != shard.id() {
                return ways.dispatch(key, hash, incoming);
            }
            match ways.find(&key, hash) {
                Ok(Local::Here(resident)) => {
                    return take_here(shard, runtime, types, resident, incoming);
                }
                Ok(Local::Lane(_) | Local::Behind) => return ways.dispatch(key, hash, incoming),
                Err(refusal) => refusal,
            }
        }
        Err(refusal) => refusal,
    };
    incoming.toll.pay(shard);
    runtime.refuse_key(shard, key, incoming, refusal);
}

/// What was sent on this shard meets its actor as if it had been sent to that by name: behind what
/// was sent before.
fn take_here<M: Method>(
    shard: &Shard,
    runtime: &Runtime,
    types: &TypeShard<M::Actor>,
    resident: Resident<M::Actor>,
    incoming: Incoming<M>,
) {
    if incoming.reply.is_ask() {
        let may_inline = runtime.may_inline();
        return runtime.arrive_behind(shard, types, resident, incoming, may_inline);
    }
    let (key, hash) = (resident.key(), resident.hash());
    if resident.is_landing() {
        return runtime.ways(shard, types).dispatch(key, hash, incoming);
    }
    let (mut message, context) = (None, incoming.context.clone());
    let rest = incoming.map(|args| message = Some(args));
    let told = runtime.tell_closely(shard, resident, &mut message, || context);
    if let (Err(refusal), Some(args)) = (told, message) {
        runtime.refuse_key(shard, key, rest.map(|()| args), refusal);
    }
}

/// The actor itself that `core` refers to, an `A`'s reference: by a contract it is another type's.
pub(crate) fn implementing<A: Actor>(runtime: &Runtime, core: &RefCore) -> RefCore {
    let mut core = core.clone();
    if A::IS_CONTRACT
        && let Ok(types) = runtime.types.get::<A>(runtime)
        && let Some(implementer) = &types.implementer
    {
        core.token = implementer.token;
    }
    core
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &[ContractMessage] = &[
        ContractMessage {
            name: "deposit",
            arguments: &["cents"],
            fails: false,
        },
        ContractMessage {
            name: "transfer",
            arguments: &["to", "cents"],
            fails: true,
        },
    ];

    #[test]
    fn names_of_arguments_are_compared_in_order() {
        let has =
            |name, arguments: &[&str]| ContractMessage::has_arguments(MESSAGES, name, arguments);
        assert!(has("deposit", &["cents"]));
        assert!(!has("deposit", &["cent"]));
        assert!(!has("deposit", &["centss"]));
        assert!(has("transfer", &["to", "cents"]));
        assert!(!has("transfer", &["cents", "to"]));
        // Said elsewhere: another number, and a message that the contract has not.
        assert!(has("deposit", &["cents", "more"]));
        assert!(has("other", &["what"]));
    }

    #[test]
    fn whether_a_message_can_fail_is_compared() {
        assert!(ContractMessage::has_error(MESSAGES, "transfer", true));
        assert!(!ContractMessage::has_error(MESSAGES, "transfer", false));
        assert!(!ContractMessage::has_error(MESSAGES, "deposit", true));
        assert!(ContractMessage::has_error(MESSAGES, "other", true));
    }
}
