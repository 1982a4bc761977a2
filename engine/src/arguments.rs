//! What can be done with a message's arguments though nothing is known of their types: copying
//! those that are `Clone`, showing those that are `Debug`.
//!
//! The attribute's code asks with the argument's own type. A method of the wrapper itself is
//! found before the trait's, and is there for types that can only; so the trait's is what is left
//! for all others.

use std::fmt::Debug;

/// An argument that may be `Clone`.
pub struct Copied<'a, T>(pub &'a T);

impl<T: Clone> Copied<'_, T> {
    /// It once more.
    #[must_use]
    pub fn copied(&self) -> Option<T> {
        Some(self.0.clone())
    }
}

/// What an argument has that is not `Clone`.
pub trait NotClone<T> {
    /// Nothing.
    fn copied(&self) -> Option<T>;
}

impl<T> NotClone<T> for Copied<'_, T> {
    fn copied(&self) -> Option<T> {
        None
    }
}

/// An argument that may be `Debug`.
pub struct Shown<'a, T>(pub &'a T);

impl<'a, T: Debug> Shown<'a, T> {
    /// Itself.
    #[must_use]
    pub fn shown(&self) -> &'a dyn Debug {
        self.0
    }
}

/// What an argument has that is not `Debug`.
pub trait NotDebug {
    /// A mark in its place.
    fn shown(&self) -> &'static dyn Debug;
}

impl<T> NotDebug for Shown<'_, T> {
    fn shown(&self) -> &'static dyn Debug {
        const { &format_args!("_") }
    }
}

/// Arguments as they are written in a call.
#[must_use]
pub fn show(arguments: &[&dyn Debug]) -> String {
    let all: Vec<_> = arguments.iter().map(|one| format!("{one:?}")).collect();
    all.join(", ")
}
