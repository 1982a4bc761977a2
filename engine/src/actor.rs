//! What an actor and a message are, to the engine. The `#[actor]` attribute writes these.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use quark_net::schema::{ActorSchema, Book};
use quark_shards::stall::TurnLabel;
use xxhash_rust::const_xxh3::xxh3_64;

use crate::context::Cx;
use crate::methods::{MethodEntry, schema_of};
use crate::options::{ActorOptions, Priority};
use crate::reference::RefCore;
use crate::reminders::Due;
use crate::state::{Field, Saving};
use crate::wire::Wire;

/// A type whose instances are virtual actors. Written by [`#[actor]`](macro@crate::actor).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no actor",
    label = "this has no `#[actor]`",
    note = "put `#[actor]` on its impl block, or on the trait if this is `dyn` one"
)]
pub trait Actor: Sized + 'static {
    /// The typed reference.
    type Ref: ActorRef<Actor = Self>;
    /// The registered name; one type has it in an engine.
    const NAME: &'static str;
    /// Whether `activate` does anything.
    const HAS_ACTIVATE: bool;
    /// Whether `deactivate` does anything.
    const HAS_DEACTIVATE: bool;
    /// Whether any of its fields are kept in a store.
    const HAS_STATES: bool = false;
    /// Whether any of those are saved at the end of each turn.
    const SAVES_EACH_TURN: bool = false;

    /// Whether `remind` does anything.
    const HAS_REMINDER: bool = false;
    /// Whether it only stands for its messages: there are no instances.
    const IS_CONTRACT: bool = false;

    /// The type's own token.
    fn token() -> &'static TypeToken;

    /// The contract whose messages it takes.
    #[must_use]
    fn implements() -> Option<&'static TypeToken> {
        None
    }

    /// The options written in the attribute.
    #[must_use]
    fn options() -> ActorOptions {
        ActorOptions::new()
    }

    /// Its messages, in the order in which they are written.
    #[must_use]
    fn methods() -> Vec<MethodEntry> {
        Vec::new()
    }

    /// An instance, for types that are `Default`.
    fn fallback() -> Option<Self>;

    /// The fields that are kept in a store.
    fn states(&mut self) -> Vec<Field<'_>> {
        Vec::new()
    }

    /// Saves what has changed of those that are saved at the end of each turn.
    fn unsaved(&mut self) -> Vec<Saving<'_>> {
        Vec::new()
    }

    /// Runs before the first message.
    fn activate<'a>(
        &'a mut self,
        cx: &'a Cx<Self>,
    ) -> impl Future<Output = Result<(), ActivateError>> + 'a;

    /// Runs after the last.
    fn deactivate<'a>(&'a mut self, cx: &'a Cx<Self>) -> impl Future<Output = ()> + 'a;

    /// Runs when a reminder is due.
    fn remind<'a>(&'a mut self, cx: &'a Cx<Self>, due: Due) -> impl Future<Output = ()> + 'a {
        let _ = (cx, due);
        std::future::ready(())
    }
}

/// An actor that has `on_reminder`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be reminded",
    label = "this actor has no `on_reminder`",
    note = "write `async fn on_reminder(&mut self, due: quark::Due)` in its #[actor] block"
)]
pub trait Reminded: Actor {}

/// Whatever has an `#[actor]` block. Its name is what the compiler quotes where there are two.
pub trait OneBlockHoldsAllMessagesOfAnActor {}

/// A typed reference to an actor.
pub trait ActorRef: From<RefCore> + Clone {
    /// What it refers to.
    type Actor: Actor;

    /// The untyped part.
    fn core(&self) -> &RefCore;
}

/// A message: the arguments of one method, by value.
pub trait Method: Send + Sized + 'static {
    /// Whose method it is.
    type Actor: Actor;
    /// How it borrows the actor: [`Exclusive`] or [`Shared`].
    type Receiver: Receiver;
    /// What the method returns, as written.
    type Output;
    /// What a successful call gives.
    type Ok: Send + 'static;
    /// The method's own error.
    type Err: Send + 'static;
    /// Its arguments.
    type Args: 'static;
    /// The method's name.
    const NAME: &'static str;
    /// Never suspends.
    const SYNC: bool;
    /// Which of those that wait for the actor goes first.
    const PRIORITY: Priority = Priority::Normal;
    /// How identical calls in flight become one; `None`: not at all.
    const COALESCE: Option<Coalesce<Self>> = None;
    /// How it leaves the process; `None`: not at all.
    const WIRE: Option<&'static Wire<Self>> = None;
    /// The names of its arguments, in order.
    const ARGUMENTS: &'static [&'static str] = &[];
    /// Which of its actor's messages it is to other processes.
    #[must_use]
    fn number() -> u16 {
        u16::MAX
    }
    /// What it does where a double stands in for the actor: the engine's own messages.
    const BARE: Option<Bare<Self>> = None;

    /// Calls the method.
    fn call<'a>(
        self,
        actor: <Self::Receiver as Receiver>::Of<'a, Self::Actor>,
        cx: &'a Cx<Self::Actor>,
    ) -> impl Future<Output = Self::Output> + 'a;

    /// Splits what the method returned.
    fn reply(output: Self::Output) -> Result<Self::Ok, Self::Err>;

    /// The arguments, taken out.
    fn into_args(self) -> Self::Args;

    /// The message of these arguments, if they are all that it consists of: the engine's own, which
    /// never leave the process, may be more.
    fn from_args(args: Self::Args) -> Option<Self> {
        drop(args);
        None
    }

    /// The message once more, if all its arguments are `Clone`.
    fn copy(&self) -> Option<Self> {
        None
    }

    /// The arguments in words, as far as they are `Debug`.
    fn show(&self) -> String {
        String::new()
    }
}

/// A message's doing without an actor.
pub type Bare<M> = fn(M, &Cx<<M as Method>::Actor>) -> <M as Method>::Output;

/// What it takes to answer several identical calls by one turn.
pub struct Coalesce<M: Method> {
    /// Whether two messages ask the same.
    pub same: fn(&M, &M) -> bool,
    /// The message once more: one is used up by its turn.
    pub copy: fn(&M) -> M,
    /// The answer once more.
    pub copy_reply: fn(&Answer<M>) -> Answer<M>,
}

/// A method's own answer, or its own error.
type Answer<M> = Result<<M as Method>::Ok, <M as Method>::Err>;

/// How a method borrows its actor.
pub trait Receiver: sealed::Sealed + 'static {
    /// The borrow.
    type Of<'a, A: 'a>;
    /// Whether the turn must be alone in the actor.
    const EXCLUSIVE: bool;
    /// Narrows the exclusive borrow that the engine holds, or made for this purpose.
    #[doc(hidden)]
    fn narrow<'a, A>(actor: sealed::Borrow<'a, A>) -> Self::Of<'a, A>;
}

/// `&mut self`: alone in the actor until it returns.
pub enum Exclusive {}

/// `&self`: may interleave with other `&self` turns.
pub enum Shared {}

pub(crate) mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Exclusive {}
    impl Sealed for super::Shared {}

    /// The borrow that a turn's admission allows.
    pub enum Borrow<'a, A> {
        Exclusive(&'a mut A),
        Shared(&'a A),
    }
}

impl Receiver for Exclusive {
    type Of<'a, A: 'a> = &'a mut A;
    const EXCLUSIVE: bool = true;

    #[inline]
    fn narrow<'a, A>(actor: sealed::Borrow<'a, A>) -> &'a mut A {
        match actor {
            sealed::Borrow::Exclusive(actor) => actor,
            sealed::Borrow::Shared(_) => unreachable!("an exclusive turn was admitted as shared"),
        }
    }
}

impl Receiver for Shared {
    type Of<'a, A: 'a> = &'a A;
    const EXCLUSIVE: bool = false;

    #[inline]
    fn narrow<'a, A>(actor: sealed::Borrow<'a, A>) -> &'a A {
        match actor {
            sealed::Borrow::Exclusive(actor) => actor,
            sealed::Borrow::Shared(actor) => actor,
        }
    }
}

/// One for each actor type: its name, the name's stable hash, and a number that engines of this
/// process index their tables by.
#[derive(Debug)]
pub struct TypeToken {
    name: &'static str,
    hash: u64,
    /// Whether there are actors of this type at all, and not only of one that implements it.
    has_actors: bool,
    index: AtomicU32,
    /// What the type's messages look like to other processes, once somebody wants to know.
    schema: OnceLock<ActorSchema>,
}

static NEXT_TYPE: AtomicU32 = AtomicU32::new(1);

impl TypeToken {
    /// The token of a type registered as `name`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self::with(name, true)
    }

    /// The token of a contract for the types registered as `name`.
    #[must_use]
    pub const fn of_contract(name: &'static str) -> Self {
        Self::with(name, false)
    }

    const fn with(name: &'static str, has_actors: bool) -> Self {
        TypeToken {
            name,
            hash: xxh3_64(name.as_bytes()),
            has_actors,
            index: AtomicU32::new(0),
            schema: OnceLock::new(),
        }
    }

    /// The hash of a registered name.
    pub(crate) fn hash_of(name: &str) -> u64 {
        xxhash_rust::xxh3::xxh3_64(name.as_bytes())
    }

    /// The registered name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the messages of its type `A` look like to other processes.
    pub(crate) fn schema<A: Actor>(&'static self) -> &'static ActorSchema {
        self.schema.get_or_init(|| {
            schema_of::<A>().unwrap_or_else(|error| {
                tracing::error!(actor = A::NAME, %error, "no other process can call this type");
                ActorSchema::new(A::NAME, Book::new(), Vec::new()).expect("it says nothing")
            })
        })
    }

    /// The name's hash: the same on every machine and in every version.
    #[must_use]
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// False for contracts.
    pub(crate) fn has_actors(&self) -> bool {
        self.has_actors
    }

    #[inline]
    pub(crate) fn index(&self) -> usize {
        match self.index.load(Ordering::Relaxed) {
            0 => self.assign(),
            index => index as usize,
        }
    }

    #[cold]
    fn assign(&self) -> usize {
        let fresh = NEXT_TYPE.fetch_add(1, Ordering::Relaxed);
        match self
            .index
            .compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => fresh as usize,
            Err(index) => index as usize,
        }
    }
}

/// Why an actor could not be activated. Any error becomes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivateError(String);

impl ActivateError {
    /// An error that reads `message`.
    pub fn new(message: impl Into<String>) -> Self {
        ActivateError(message.into())
    }
}

impl fmt::Display for ActivateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What `on_activate` may return: nothing, or a `Result<(), E>` whose error can be shown.
#[diagnostic::on_unimplemented(
    message = "`on_activate` cannot return `{Self}`",
    label = "return nothing, or a `Result<(), E>`",
    note = "the error `E` is any type that is `Display`"
)]
pub trait IntoActivation {
    /// As the engine wants it.
    ///
    /// # Errors
    /// The user's own.
    fn into_activation(self) -> Result<(), ActivateError>;
}

impl IntoActivation for () {
    fn into_activation(self) -> Result<(), ActivateError> {
        Ok(())
    }
}

impl<E: fmt::Display> IntoActivation for Result<(), E> {
    fn into_activation(self) -> Result<(), ActivateError> {
        self.map_err(|error| ActivateError(error.to_string()))
    }
}

/// The two sides of a `Result`, whatever alias it is written by.
#[diagnostic::on_unimplemented(
    message = "a message's return type that is called `Result` must be the standard library's",
    label = "this is another type called `Result`",
    note = "rename the type, or return a `core::result::Result`"
)]
pub trait ResultParts {
    /// The success.
    type Ok;
    /// The error.
    type Err;
    /// Itself.
    ///
    /// # Errors
    /// Its own.
    fn into_result(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;

    #[inline]
    fn into_result(self) -> Result<T, E> {
        self
    }
}

/// What a stall report and a dead letter call a turn.
#[derive(Debug)]
pub(crate) struct MethodInfo {
    /// Its name.
    pub(crate) label: TurnLabel,
    /// What its calls are answered with.
    pub(crate) reply: fn() -> TypeId,
}
