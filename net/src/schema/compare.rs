//! Whether two versions of an actor type understand each other, method by method.

use std::collections::BTreeSet;
use std::fmt;

use super::actor::{ActorSchema, MethodSchema};
use super::book::{Body, Definition, Field, Fields, Variant};
use super::shape::{Float, Shape};
use crate::codec::Codec;

/// What comes of comparing our schema of an actor type with another node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The codec for calls of it, either way.
    pub codec: Codec,
    /// The methods that either side has, in the order of their names.
    pub methods: Vec<MethodAgreement>,
}

/// Whether a method can be called, each way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodAgreement {
    /// Its name.
    pub name: String,
    /// Whether we can call it there.
    pub we_call: Result<(), Mismatch>,
    /// Whether they can call it here.
    pub they_call: Result<(), Mismatch>,
}

/// Why a method can't be called between two versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The side that is called has no such method, or it can't be called from outside there.
    #[error("`{actor}` has no method `{method}` that can be called there: update that node first")]
    NoMethod {
        /// The actor type.
        actor: String,
        /// The method.
        method: String,
    },
    /// The side that reads requires what the other does not write.
    #[error(
        "the {way} of `{actor}::{method}` {} `{field}` of `{of}`, which its reader requires: \
         give the field `#[message(default)]`, or make it an `Option`",
        if *way == Way::Arguments { "lack" } else { "lacks" }
    )]
    Lacks {
        /// The actor type.
        actor: String,
        /// The method.
        method: String,
        /// Where on the way.
        way: Way,
        /// The type that has the field; the method, if it is an argument.
        of: String,
        /// The field.
        field: String,
    },
    /// The side that reads expects another type than the one that is written.
    #[error(
        "in the {way} of `{actor}::{method}`, `{field}` of `{of}` is written as {written} and \
         read as {read}: keep the type it had, and give what is new a field of its own"
    )]
    Differs {
        /// The actor type.
        actor: String,
        /// The method.
        method: String,
        /// Where on the way.
        way: Way,
        /// The type that has the field; the method, if it is no type's.
        of: String,
        /// The field, variant or argument.
        field: String,
        /// What its writer calls it.
        written: String,
        /// What its reader calls it.
        read: String,
    },
}

/// What of a call is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the caller.
    Arguments,
    /// To the caller.
    Reply,
    /// To the caller, which is told of the method's own error.
    Error,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Arguments => "arguments",
            Way::Reply => "reply",
            Way::Error => "error",
        })
    }
}

impl ActorSchema {
    /// How we and the other node, whose schema of the same actor is `theirs`, can talk.
    ///
    /// A variant that is new in an enum is no mismatch: who meets it without knowing it gets a
    /// [`DecodeError`](crate::codec::DecodeError).
    #[must_use]
    pub fn compare(&self, theirs: &ActorSchema) -> Agreement {
        let codec = if self.fingerprint() == theirs.fingerprint() {
            Codec::Exact
        } else {
            Codec::Tolerant
        };
        let names: BTreeSet<&str> = [self, theirs]
            .iter()
            .flat_map(|schema| &schema.methods)
            .map(|method| method.name.as_str())
            .collect();
        let methods = names
            .into_iter()
            .map(|name| MethodAgreement {
                name: name.to_owned(),
                we_call: callable(self, theirs, name).map_err(|found| *found),
                they_call: callable(theirs, self, name).map_err(|found| *found),
            })
            .collect();
        Agreement { codec, methods }
    }

    fn method(&self, name: &str) -> Option<&MethodSchema> {
        let found = self
            .methods
            .binary_search_by(|method| method.name.as_str().cmp(name));
        found.ok().map(|index| &self.methods[index])
    }
}

/// Boxed on its way out of many functions: there is one at most, and it is large.
type Found = Result<(), Box<Mismatch>>;

/// Whether `caller` can call the method at `callee`.
fn callable(caller: &ActorSchema, callee: &ActorSchema, name: &str) -> Found {
    let (Some(call), Some(called)) = (caller.method(name), callee.method(name)) else {
        return Err(Box::new(Mismatch::NoMethod {
            actor: callee.name.clone(),
            method: name.to_owned(),
        }));
    };
    let there = |way| Reading::new(caller, callee, name, way);
    let back = |way| Reading::new(callee, caller, name, way);
    let mut arguments = there(Way::Arguments);
    arguments.named(
        &call.arguments.as_fields(),
        &called.arguments.as_fields(),
        name,
    )?;
    arguments.finish()?;
    let mut reply = back(Way::Reply);
    reply.shape(&called.ok, &call.ok, name, "the answer")?;
    reply.finish()?;
    let mut error = back(Way::Error);
    error.shape(&called.err, &call.err, name, "the error")?;
    error.finish()
}

trait AsFields {
    fn as_fields(&self) -> Vec<Field>;
}

impl AsFields for Vec<super::Argument> {
    /// Arguments are read by their names too, and only options may be missing.
    fn as_fields(&self) -> Vec<Field> {
        let field = |argument: &super::Argument| Field {
            name: argument.name.clone(),
            required: !argument.shape.is_option(),
            shape: argument.shape.clone(),
        };
        self.iter().map(field).collect()
    }
}

/// One side reads what the other writes.
struct Reading<'a> {
    writer: &'a ActorSchema,
    reader: &'a ActorSchema,
    method: &'a str,
    way: Way,
    /// Pairs of definitions that have been met: types may mention themselves.
    met: BTreeSet<(u32, u32)>,
    /// Those that are still to be compared. Not compared where they are met, which could nest as
    /// deep as a stranger likes.
    left: Vec<(u32, u32)>,
}

impl<'a> Reading<'a> {
    fn new(writer: &'a ActorSchema, reader: &'a ActorSchema, method: &'a str, way: Way) -> Self {
        Reading {
            writer,
            reader,
            method,
            way,
            met: BTreeSet::new(),
            left: Vec::new(),
        }
    }

    /// Compares what was put off.
    fn finish(&mut self) -> Found {
        while let Some((written, read)) = self.left.pop() {
            let (Some(written), Some(read)) = (
                self.writer.definitions.get(written as usize),
                self.reader.definitions.get(read as usize),
            ) else {
                continue;
            };
            self.definition(written, read)?;
        }
        Ok(())
    }

    fn definition(&mut self, written: &Definition, read: &Definition) -> Found {
        match (&written.body, &read.body) {
            (Body::Struct(theirs), Body::Struct(ours)) => {
                self.fields(theirs, ours, &read.name, "its content")
            }
            (Body::Enum(theirs), Body::Enum(ours)) => {
                for variant in ours {
                    let same = |other: &&Variant| other.name == variant.name;
                    if let Some(theirs) = theirs.iter().find(same) {
                        self.fields(&theirs.fields, &variant.fields, &read.name, &variant.name)?;
                    }
                }
                Ok(())
            }
            (theirs, ours) => {
                let kind = |body: &Body| match body {
                    Body::Struct(_) => "a struct".to_owned(),
                    Body::Enum(_) => "an enum".to_owned(),
                };
                Err(self.differs(&read.name, "its content", kind(theirs), kind(ours)))
            }
        }
    }

    fn fields(&mut self, written: &Fields, read: &Fields, of: &str, what: &str) -> Found {
        match (written, read) {
            (Fields::Unit, Fields::Unit) => Ok(()),
            (Fields::Named(written), Fields::Named(read)) => self.named(written, read, of),
            (Fields::Unnamed(written), Fields::Unnamed(read)) if written.len() == read.len() => {
                let mut both = written.iter().zip(read).enumerate();
                both.try_for_each(|(place, (written, read))| {
                    self.shape(written, read, of, &place.to_string())
                })
            }
            _ => {
                let kind = |fields: &Fields| match fields {
                    Fields::Unit => "nothing".to_owned(),
                    Fields::Named(_) => "named fields".to_owned(),
                    Fields::Unnamed(values) => format!("{} values without names", values.len()),
                };
                Err(self.differs(of, what, kind(written), kind(read)))
            }
        }
    }

    fn named(&mut self, written: &[Field], read: &[Field], of: &str) -> Found {
        for field in read {
            match written.iter().find(|other| other.name == field.name) {
                Some(written) => self.shape(&written.shape, &field.shape, of, &field.name)?,
                None if field.required => {
                    return Err(Box::new(Mismatch::Lacks {
                        actor: self.reader.name.clone(),
                        method: self.method.to_owned(),
                        way: self.way,
                        of: of.to_owned(),
                        field: field.name.clone(),
                    }));
                }
                None => (),
            }
        }
        Ok(())
    }

    /// Whether `read` reads whatever is written as `written`.
    fn shape(&mut self, written: &Shape, read: &Shape, of: &str, field: &str) -> Found {
        let (written, read) = (written.unboxed(), read.unboxed());
        match (written, read) {
            (Shape::Named(theirs), Shape::Named(ours)) => {
                if self.met.insert((*theirs, *ours)) {
                    self.left.push((*theirs, *ours));
                }
                Ok(())
            }
            (Shape::Int(from), Shape::Int(to)) if to.holds(*from) => Ok(()),
            (Shape::Float(Float::Single), Shape::Float(Float::Double)) => Ok(()),
            (Shape::Option(written), Shape::Option(read))
            | (Shape::List(written) | Shape::Set(written), Shape::List(read))
            | (Shape::Set(written), Shape::Set(read)) => self.shape(written, read, of, field),
            // What is there is read as well by one that would do without.
            (written, Shape::Option(read)) => self.shape(written, read, of, field),
            (Shape::Array(written, theirs), Shape::Array(read, ours)) if theirs == ours => {
                self.shape(written, read, of, field)
            }
            (Shape::Map(key, value), Shape::Map(our_key, our_value)) => {
                self.shape(key, our_key, of, field)?;
                self.shape(value, our_value, of, field)
            }
            (Shape::Result(ok, err), Shape::Result(our_ok, our_err)) => {
                self.shape(ok, our_ok, of, field)?;
                self.shape(err, our_err, of, field)
            }
            (Shape::Tuple(written), Shape::Tuple(read)) if written.len() == read.len() => written
                .iter()
                .zip(read)
                .try_for_each(|(written, read)| self.shape(written, read, of, field)),
            // No value of it is ever written.
            (Shape::Never, _) => Ok(()),
            (written, read) if written == read => Ok(()),
            _ => Err(self.differs(
                of,
                field,
                self.writer.words(written),
                self.reader.words(read),
            )),
        }
    }

    fn differs(&self, of: &str, field: &str, written: String, read: String) -> Box<Mismatch> {
        Box::new(Mismatch::Differs {
            actor: self.reader.name.clone(),
            method: self.method.to_owned(),
            way: self.way,
            of: of.to_owned(),
            field: field.to_owned(),
            written,
            read,
        })
    }
}

impl ActorSchema {
    /// A shape as it is written in Rust.
    fn words(&self, shape: &Shape) -> String {
        let of = |name: &str, shapes: &[&Shape]| {
            let shapes: Vec<_> = shapes.iter().map(|shape| self.words(shape)).collect();
            format!("{name}<{}>", shapes.join(", "))
        };
        match shape {
            Shape::Unit => "()".to_owned(),
            Shape::Bool => "bool".to_owned(),
            Shape::Char => "char".to_owned(),
            Shape::String => "String".to_owned(),
            Shape::Bytes => "Bytes".to_owned(),
            Shape::Duration => "Duration".to_owned(),
            Shape::Never => "Infallible".to_owned(),
            Shape::Int(int) => int.to_string(),
            Shape::Float(Float::Single) => "f32".to_owned(),
            Shape::Float(Float::Double) => "f64".to_owned(),
            Shape::Option(inner) => of("Option", &[inner]),
            Shape::Boxed(inner) => of("Box", &[inner]),
            Shape::List(inner) => of("Vec", &[inner]),
            Shape::Set(inner) => of("BTreeSet", &[inner]),
            Shape::Array(inner, length) => format!("[{}; {length}]", self.words(inner)),
            Shape::Map(key, value) => of("BTreeMap", &[key, value]),
            Shape::Result(ok, err) => of("Result", &[ok, err]),
            Shape::Tuple(shapes) => {
                let shapes: Vec<_> = shapes.iter().map(|shape| self.words(shape)).collect();
                format!("({})", shapes.join(", "))
            }
            Shape::Named(index) => match self.definitions.get(*index as usize) {
                Some(definition) => definition.name.clone(),
                None => format!("type {index}"),
            },
        }
    }
}
