//! The book of definitions: structs and enums in the order in which they are first mentioned.

use std::any::TypeId;

use super::limits;
use super::shape::Shape;

/// What structs and enums consist of. Each is defined once, and may mention itself.
#[derive(Debug, Clone, Default)]
pub struct Book {
    definitions: Vec<Definition>,
    known: Vec<TypeId>,
}

impl Book {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The shape of `T`, which `body` describes if it has not been yet.
    pub fn define<T: 'static>(
        &mut self,
        name: &str,
        body: impl FnOnce(&mut Book) -> Body,
    ) -> Shape {
        let id = TypeId::of::<T>();
        let known = self.known.iter().position(|known| *known == id);
        let index = known.unwrap_or_else(|| {
            // Its place is taken before its parts are described: they may mention it.
            let index = self.definitions.len();
            self.known.push(id);
            self.definitions.push(Definition {
                name: limits::cut(name),
                body: Body::Struct(Fields::Unit),
            });
            let body = body(self);
            self.definitions[index].body = body;
            index
        });
        Shape::Named(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// What has been defined, in the order of first mention.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    #[cfg(test)]
    pub(super) fn replace(&mut self, definitions: Vec<Definition>) {
        self.definitions = definitions;
    }

    pub(super) fn into_definitions(self) -> Vec<Definition> {
        self.definitions
    }
}

/// A struct or enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its own name, without the modules that it is in.
    pub name: String,
    /// Its parts.
    pub body: Body,
}

/// What a struct or enum consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A struct.
    Struct(Fields),
    /// An enum.
    Enum(Vec<Variant>),
}

/// One of an enum's variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// By which it is known.
    pub name: String,
    /// What it holds.
    pub fields: Fields,
}

/// What a struct or variant holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fields {
    /// Nothing.
    Unit,
    /// Values known by their places.
    Unnamed(Vec<Shape>),
    /// Values known by their names.
    Named(Vec<Field>),
}

/// A field with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// By which it is known.
    pub name: String,
    /// What it holds.
    pub shape: Shape,
    /// Whether a value without it can't be read.
    pub required: bool,
}

impl Field {
    /// The field `name` of type `T`, which has a default or not.
    pub fn of<T: super::Schema>(book: &mut Book, name: &str, has_default: bool) -> Self {
        Field {
            name: limits::cut(name),
            shape: T::describe(book),
            required: !has_default && !T::OPTIONAL,
        }
    }
}
