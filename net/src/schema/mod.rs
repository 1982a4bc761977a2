//! What messages look like: their types, and whether two nodes agree on them.
//!
//! A schema is computed when an actor type is registered, not folded into a constant: a constant
//! can't describe a type that contains itself.

mod actor;
mod book;
mod compare;
mod implementations;
mod limits;
mod shape;
#[cfg(test)]
mod tests;
mod wire;

pub use actor::{ActorSchema, Argument, MethodSchema};
pub use book::{Body, Book, Definition, Field, Fields, Variant};
pub use compare::{Agreement, MethodAgreement, Mismatch, Way};
pub(crate) use implementations::first;
pub use shape::{Float, Int, Shape};
pub use wire::SchemaError;

/// A type that can say what it looks like on its way. [`Book`] keeps what is said of structs and
/// enums.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't leave the process",
    label = "this type has no form for its way between processes",
    note = "put `#[message]` on its definition if it is yours; of the standard library's types, \
            numbers, strings, `Option`, `Vec`, `Box`, arrays, tuples, `BTreeMap`, `BTreeSet`, \
            `Result`, `Duration` and `bytes::Bytes` can travel"
)]
pub trait Schema: 'static {
    /// The type itself, by a way that only such types have: of others, the compiler says that and
    /// not what else they lack.
    type Itself;
    /// Whether a field of this type may be missing, because nothing stands for its absence.
    const OPTIONAL: bool = false;
    /// Whether one of its values is encoded as nothing at all, as `None` is.
    const NIL: bool = false;
    /// Why it can't travel though its parts can.
    const UNFIT: Option<&'static str> = None;

    /// Its shape; structs and enums are defined in `book`.
    fn describe(book: &mut Book) -> Shape;
}
