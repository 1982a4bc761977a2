//! The `#[actor]` attribute of Quark, which users import as `quark::actor`, and what goes with it.
//!
//! One idea per file: `target` finds the impl block, `contract` makes one of a trait, `options` reads
//! the attribute's own arguments, `model` says what the block declares, `check` refuses what cannot be a message
//! and says the remedy, `types` looks into types, `expand` writes the code. `state` is the derive
//! of what an actor keeps, `message` the attribute of what leaves the process.

mod check;
mod contract;
mod expand;
mod list;
mod message;
mod model;
mod options;
mod problems;
mod state;
mod target;
mod turn;
mod types;

use proc_macro::TokenStream;
use quote::{ToTokens, quote};

use crate::{model::Model, options::Options, problems::Problems, target::Target};

/// Turns the public methods of a type into messages, and the type into an actor.
///
/// ```text
/// #[derive(Default)]
/// pub struct Account { cents: i64 }
///
/// #[actor]
/// impl Account {
///     /// `&mut self`: alone in the actor until it returns, across its awaits too.
///     pub async fn deposit(&mut self, cents: i64) -> i64 { self.cents += cents; self.cents }
///
///     /// `&self`: may interleave with other `&self` turns at their awaits.
///     pub fn balance(&self) -> i64 { self.cents }
///
///     /// The context, when a method asks for it, comes from the engine.
///     pub async fn transfer(
///         &mut self, cx: &Cx<Self>, to: String, cents: i64,
///     ) -> Result<(), TransferError> {
///         self.cents -= cents;
///         cx.actor::<Account>(to).deposit(cents).await?;
///         Ok(())
///     }
/// }
/// ```
///
/// For `Account` the attribute writes `AccountRef`, the typed reference that
/// `engine.actor::<Account>(key)` returns. It has one method per message, with the same name,
/// the same documentation and the same arguments, and each returns a `Call`:
/// `account.deposit(5).await`.
///
/// # What is a message
///
/// - A `pub` method with `&mut self` or `&self` is a message, `async` or not. Everything else
///   in the block (private and `pub(crate)` methods, functions without `self`, constants)
///   stays as it is. Methods in other impl blocks of the type are never messages.
/// - A first argument `cx: &Cx<Self>` is given by the engine; callers don't see it.
/// - The other arguments and the reply move between cores by value: they are owned
///   (`&'static` is fine), `Send`, and of a concrete type. The actor's own state need not be
///   `Send`, nor the futures of its methods.
/// - A method whose return type is called `Result` (also an alias such as `io::Result<T>`)
///   answers its caller with that error; any other return type is an answer that cannot fail
///   by itself.
/// - A message is neither generic nor `const`, `unsafe` or `extern`, and is not called
///   `clone`, `core` or `key`, which the reference itself has.
/// - `#[cfg]`, `#[deprecated]` and documentation on a method hold for the reference too.
///
/// # Hooks
///
/// Three names are hooks instead of messages, whatever their visibility:
///
/// - `on_activate(&mut self)` runs before the first message. It returns nothing, or a
///   `Result<(), E>` whose error goes to the caller that woke the actor.
/// - `on_deactivate(&mut self)` runs before the actor is put to sleep, and returns nothing.
/// - `on_reminder(&mut self, due: quark::Due)` runs when a reminder is due, and returns nothing.
///
/// All may be `async` and may take `cx: &Cx<Self>` first.
///
/// # Options
///
/// `#[actor(name = "bank.account", mailbox = 64, when_full = "wait")]`, in any order. A number
/// is plain and whole, and from 1 up where nothing else is said.
///
/// | option | meaning |
/// |---|---|
/// | `name = "…"` | the registered name, which places every key of the type; by default the type's own name. Keep it when you rename the type |
/// | `placement = "hash"`, `"random"` or `"local"` | an actor lives where its key's hash falls (the default), where chance puts it, or where it is called first |
/// | `pinned = N` | every key lives on shard N, from 0 |
/// | `near = "node:N"` or `"core:N"` | actors are spread over the shards of a NUMA node, or of those that share a core's caches |
/// | `workers = N` | actors have no state of their own: each shard that calls a key has instances of it, N at most |
/// | `affinity = group_of` | actors live where their group does: `fn group_of(key: &Key) -> Key` says which that is |
/// | `mailbox = N` | messages that may wait |
/// | `when_full = "refuse"`, `"wait"`, `"drop_oldest"` or `"drop_newest"` | what happens when a message finds the mailbox full: its sender hears of it (the default), or waits; or the oldest that waits becomes a dead letter, or this one |
/// | `adaptive_ms = N` | no more messages may wait than the actor works off in N milliseconds |
/// | `rate_limit = N`, `burst = N` | calls of the type that a shard takes in a second, and at once after a pause: `burst` is as much as a second's, unless said otherwise |
/// | `breaker(failures = N, within_ms = N, open_ms = N)` | so many failures within the time, and a shard refuses calls of the type for the other |
/// | `idle_after_ms = N` | milliseconds without a message after which the actor is put to sleep |
/// | `keep = true` | it is not, nor when memory runs short |
/// | `timeout_ms = N` | milliseconds a caller waits for an answer when it says nothing else |
/// | `supervise(…)` | what becomes of an actor's children that fail, and of itself if it has no parent |
///
/// `placement`, `pinned`, `near` and `workers` exclude each other, and `affinity` goes with
/// placement by hash and with `near`.
///
/// Within `supervise(…)`, each with its default:
///
/// | option | meaning |
/// |---|---|
/// | `strategy = "one_for_one"`, `"all_for_one"` or `"rest_for_one"` | whom the failure of one child concerns: itself (the default), all its siblings too, or those that came after it |
/// | `on_failure = "restart"`, `"resume"`, `"stop"` or `"escalate"` | what is done with one that fails; the first by default |
/// | `restarts = 10`, `within_ms = 60000` | more restarts than this within the time are a failure of the supervisor itself; from 0 |
/// | `backoff_ms = 1..=10000` | how long a restart waits: the first time, and at most |
/// | `jitter_percent = 20` | what part of that chance may take away, 0 to 100 |
///
/// # Contracts
///
/// On a trait, the attribute declares an actor's messages without the actor, for programs that call
/// it and have nothing of its implementation:
///
/// ```text
/// #[actor(name = "bank.account")]
/// pub trait Account {
///     /// Adds to the balance, and tells it.
///     fn deposit(&mut self, cents: i64) -> i64;
///     async fn transfer(&mut self, to: String, cents: i64) -> Result<(), TransferError>;
/// }
/// ```
///
/// `client.actor::<dyn Account>(key)` is an `AccountRef`, with a method for each. The actor is
/// whatever has the trait, in another crate perhaps:
///
/// ```text
/// #[actor(mailbox = 64)]
/// impl Account for Ledger {
///     fn deposit(&mut self, cents: i64) -> i64 { … }
///     async fn transfer(
///         &mut self, cx: &Cx<Self>, to: String, cents: i64,
///     ) -> Result<(), TransferError> { … }
///     async fn on_activate(&mut self) { … }
/// }
/// ```
///
/// - All methods of the block are messages, but for the hooks. They are those of the trait, with
///   arguments of the same names, and may take the context.
/// - What a contract's messages are made of leaves the process: see [`message`](macro@message).
/// - A contract has the options `name` and `timeout_ms`; the implementation has all others.
/// - Where the implementation is, `dyn Account` finds it too: its type is registered before launch. An
///   engine has one type for each contract.
///
/// # Turns
///
/// A method may say how its turns are taken, by [`#[turn]`](macro@turn).
///
/// # Errors
///
/// What cannot be a message is a compile error on the line that says it, with the remedy.
/// Generic types cannot be actors, nor generic traits contracts, and a type has one `#[actor]` block.
#[proc_macro_attribute]
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    actor_tokens(options.into(), item.into()).into()
}

/// Says of one method in an `#[actor]` block how its turns are taken.
///
/// ```text
/// #[actor]
/// impl Book {
///     /// Goes before other messages that wait for the actor.
///     #[turn(priority = "high")]
///     pub fn cancel(&mut self, order: u64) -> bool { … }
///
///     /// Identical calls that come while one is under way get its answer.
///     #[turn(coalesce)]
///     pub async fn depth(&self, levels: usize) -> Depth { … }
/// }
/// ```
///
/// | option | meaning |
/// |---|---|
/// | `priority = "low"`, `"normal"` or `"high"` | which of the messages that wait goes first; the lower ones get their share however many higher ones come |
/// | `coalesce` | calls of the same arguments share one turn and its answer. The method is `async` and takes `&self`, its arguments are `PartialEq` and `Clone`, its answer and its error `Clone` |
///
/// `#[actor]` reads it; by itself it is an error.
#[proc_macro_attribute]
pub fn turn(_options: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    let stray = syn::Error::new(
        proc_macro2::Span::call_site(),
        "`#[turn]` is for the messages of an actor: put it on a `pub` method of an impl block \
         that has `#[actor]`",
    )
    .to_compile_error();
    quote!(#stray #item).into()
}

/// Says which fields of an actor are kept in a store: those with `#[state]`.
///
/// ```text
/// #[derive(Default, Stateful)]
/// pub struct Account {
///     #[state]
///     balance: State<Balance>,
///     #[state(name = "log", store = "slow")]
///     history: State<History>,
///     /// Forgotten with the activation, as any other field.
///     greeted: bool,
/// }
/// ```
///
/// | option | meaning |
/// |---|---|
/// | `name = "…"` | what it is kept as; by default the field's own name. Keep it when you rename the field |
/// | `store = "…"` | the store that the engine's builder knows by this name; by default the one that has no other |
/// | `save = "by_hand"` or `"each_turn"` | saved by its `save()` alone (the default), or also when a turn that changed it ends, before the reply leaves |
///
/// Its `#[actor]` block finds it by itself, and has the fields loaded before the first turn.
#[proc_macro_derive(Stateful, attributes(state))]
pub fn stateful(item: TokenStream) -> TokenStream {
    let derived = state::derive(item.into());
    derived
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Lets the values of a type leave the process.
///
/// ```text
/// #[message]
/// #[derive(Clone, Debug, PartialEq)]
/// pub struct Order {
///     symbol: String,
///     lots: u32,
///     #[message(default)]
///     urgent: bool,
/// }
/// ```
///
/// It goes above the type's derives, on structs and enums that are not generic. Their fields are
/// messages themselves, or of the standard library: numbers, `bool`, `char`, `String`, `()`,
/// `Option`, `Vec`, `Box`, arrays, tuples, `BTreeMap`, `BTreeSet`, `Result`, `Duration`; or
/// `bytes::Bytes`. Types may contain themselves.
///
/// A method of an actor can be called from other processes if its arguments, its answer and its
/// error are such types.
///
/// # Versions
///
/// Nodes whose types are the same use a fast form that knows no names. Between others, fields,
/// variants and arguments go by their names, and may change:
///
/// | change | is |
/// |---|---|
/// | a field with `#[message(default)]`, or an `Option`, is added or removed | fine |
/// | another field is removed | fine for those who no longer read it, refused by those who do |
/// | another field is added | refused by those who read it |
/// | a number becomes wider, or a type becomes an `Option` of it | fine for those who read it so |
/// | a variant is added | fine, until one who does not know it meets it: an error |
/// | a field, variant or method gets another name | it is another |
///
/// `None` within `Some`, and lists of values that hold nothing, have no form: they are errors.
#[proc_macro_attribute]
pub fn message(options: TokenStream, item: TokenStream) -> TokenStream {
    message::expand(options.into(), item.into()).into()
}

/// The attribute on the compiler-independent token type, so that unit tests can call it.
fn actor_tokens(
    options: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    let mut problems = Problems::default();
    let options = problems.or_default(Options::parse(options));

    // The user's own item is always written back, so that one mistake does not make every
    // other use of the type an error as well.
    let target = match Target::parse(item.clone(), &mut problems) {
        Ok(target) => target,
        Err(error) => {
            problems.push(error);
            return quote!(#item #problems);
        }
    };
    contract::agree(&target, &options, &mut problems);
    let model = Model::read(&target, &mut problems);
    let expanded = expand::expand(&target, &model, &options);
    let mut tokens = problems.to_token_stream();
    tokens.extend(expanded);
    tokens
}
