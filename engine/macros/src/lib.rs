//! The `#[actor]` attribute of Quark, which users import as `quark::actor`.
//!
//! One idea per file: `target` finds the impl block, `options` reads the attribute's own
//! arguments, `model` says what the block declares, `check` refuses what cannot be a message
//! and says the remedy, `types` looks into types, `expand` writes the code.

mod check;
mod expand;
mod model;
mod options;
mod problems;
mod target;
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
/// Two names are hooks instead of messages, whatever their visibility:
///
/// - `on_activate(&mut self)` runs before the first message. It returns nothing, or a
///   `Result<(), E>` whose error goes to the caller that woke the actor.
/// - `on_deactivate(&mut self)` runs before the actor is put to sleep, and returns nothing.
///
/// Both may be `async` and may take `cx: &Cx<Self>`.
///
/// # Options
///
/// `#[actor(name = "bank.account", mailbox = 64, when_full = "wait")]`, in any order:
///
/// | option | meaning |
/// |---|---|
/// | `name = "…"` | the registered name, which places every key of the type; by default the type's own name. Keep it when you rename the type |
/// | `mailbox = N` | messages that may wait, 1 to 4,294,967,295 |
/// | `when_full = "refuse"` or `"wait"` | what happens to the message that finds the mailbox full |
/// | `idle_after_ms = N` | milliseconds without a message after which the actor is put to sleep, at least 1 |
/// | `timeout_ms = N` | milliseconds a caller waits for an answer when it says nothing else, at least 1 |
/// | `pinned = N` | every key lives on shard N, 0 to 65,535, instead of where its hash falls |
///
/// # Errors
///
/// What cannot be a message is a compile error on the line that says it, with the remedy.
/// Generic types cannot be actors, and a type has one `#[actor]` block.
#[proc_macro_attribute]
pub fn actor(options: TokenStream, item: TokenStream) -> TokenStream {
    actor_tokens(options.into(), item.into()).into()
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
    let target = match Target::parse(item.clone()) {
        Ok(target) => target,
        Err(error) => {
            problems.push(error);
            return quote!(#item #problems);
        }
    };
    let model = Model::read(&target, &mut problems);
    let expanded = expand::expand(&target, &model, &options);
    let mut tokens = problems.to_token_stream();
    tokens.extend(expanded);
    tokens
}
