//! The schema of an actor type: its methods, and what they mention.

use xxhash_rust::xxh3::xxh3_64;

use super::book::{Book, Definition};
use super::limits;
use super::shape::Shape;
use super::wire::{self, SchemaError};
use crate::codec::FORMAT;

/// What an actor type can be called with from other processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorSchema {
    pub(super) name: String,
    pub(super) definitions: Vec<Definition>,
    /// By name, in order.
    pub(super) methods: Vec<MethodSchema>,
}

/// A method on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodSchema {
    /// Its name.
    pub name: String,
    /// What it is called with, in order.
    pub arguments: Vec<Argument>,
    /// What it answers.
    pub ok: Shape,
    /// Its own error.
    pub err: Shape,
}

/// An argument of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// By which it is known.
    pub name: String,
    /// What it holds.
    pub shape: Shape,
}

impl ActorSchema {
    /// The schema of the actor type registered as `name`. The methods' shapes are of `book`.
    ///
    /// # Errors
    /// Nobody could read it: it is too large, or too deep.
    pub fn new(
        name: &str,
        book: Book,
        mut methods: Vec<MethodSchema>,
    ) -> Result<Self, SchemaError> {
        methods.sort_by(|one, other| one.name.cmp(&other.name));
        let schema = ActorSchema {
            name: limits::cut(name),
            definitions: book.into_definitions(),
            methods,
        };
        // Whoever reads it checks just this.
        ActorSchema::decode(&schema.encode())?;
        Ok(schema)
    }

    /// The actor type's registered name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its methods, in the order of their names.
    #[must_use]
    pub fn methods(&self) -> &[MethodSchema] {
        &self.methods
    }

    /// The definitions that its shapes refer to.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// What two nodes compare to know whether their exact codecs understand each other.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut bytes = FORMAT.as_bytes().to_vec();
        wire::encode(self, &mut bytes);
        xxh3_64(&bytes)
    }

    /// Its form on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::encode(self, &mut bytes);
        bytes
    }

    /// The schema that stands in `bytes`, which may come from anyone.
    ///
    /// # Errors
    /// It is no schema, or one beyond the limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, SchemaError> {
        wire::decode(bytes)
    }
}
