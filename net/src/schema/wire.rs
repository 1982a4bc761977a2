//! A schema on the wire. Its form is canonical: the fingerprint is taken of it.
//!
//! Counts and numbers are 32 bits, little-endian; a name is a byte for its length, and UTF-8.

use super::actor::{ActorSchema, Argument, MethodSchema};
use super::book::{Body, Definition, Field, Fields, Variant};
use super::limits::{BYTES_MOST, COUNT_MOST, DEPTH_MOST, NAME_BYTES_MOST};
use super::shape::{Float, Int, Shape};

/// The form that is described here.
const VERSION: u8 = 1;

/// Why some bytes are no schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is of another version of Quark.
    #[error("the schema's form is {0}, and this version of quark knows only {VERSION}")]
    Version(u8),
    /// It ends too early.
    #[error("the schema ends in the middle")]
    Short,
    /// More than a schema.
    #[error("{0} bytes follow the schema")]
    Trailing(usize),
    /// It is larger than any may be.
    #[error("the schema has {bytes} bytes, and {BYTES_MOST} are the most")]
    Large {
        /// How large it is.
        bytes: usize,
    },
    /// More of something than there may be.
    #[error("the schema counts {count} of what may be there {COUNT_MOST} times at most")]
    Many {
        /// How many.
        count: u32,
    },
    /// Shapes within shapes within shapes.
    #[error(
        "the schema's types are nested more than {DEPTH_MOST} deep: give a part of them a \
             struct of its own"
    )]
    Deep,
    /// A name that is not UTF-8.
    #[error("a name in the schema is not UTF-8")]
    Name,
    /// A mark that says nothing.
    #[error("the schema has a mark {0} that says nothing")]
    Mark(u8),
    /// A definition that is not there.
    #[error("the schema refers to its definition {0}, which it has not")]
    Reference(u32),
    /// Methods are not in the order of their names, or one is there twice.
    #[error("the schema's methods are not in order")]
    Order,
}

pub(super) fn encode(schema: &ActorSchema, out: &mut Vec<u8>) {
    out.push(VERSION);
    name(out, &schema.name);
    count(out, schema.definitions.len());
    for definition in &schema.definitions {
        name(out, &definition.name);
        match &definition.body {
            Body::Struct(parts) => {
                out.push(0);
                fields(out, parts);
            }
            Body::Enum(variants) => {
                out.push(1);
                count(out, variants.len());
                for variant in variants {
                    name(out, &variant.name);
                    fields(out, &variant.fields);
                }
            }
        }
    }
    count(out, schema.methods.len());
    for method in &schema.methods {
        name(out, &method.name);
        count(out, method.arguments.len());
        for argument in &method.arguments {
            name(out, &argument.name);
            shape(out, &argument.shape);
        }
        shape(out, &method.ok);
        shape(out, &method.err);
    }
}

fn name(out: &mut Vec<u8>, name: &str) {
    let bytes = name.as_bytes();
    let bytes = &bytes[..bytes.len().min(NAME_BYTES_MOST)];
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

fn count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
}

fn fields(out: &mut Vec<u8>, fields: &Fields) {
    match fields {
        Fields::Unit => out.push(0),
        Fields::Unnamed(shapes) => {
            out.push(1);
            all(out, shapes);
        }
        Fields::Named(fields) => {
            out.push(2);
            count(out, fields.len());
            for field in fields {
                name(out, &field.name);
                out.push(u8::from(field.required));
                shape(out, &field.shape);
            }
        }
    }
}

fn all(out: &mut Vec<u8>, shapes: &[Shape]) {
    count(out, shapes.len());
    for one in shapes {
        shape(out, one);
    }
}

fn shape(out: &mut Vec<u8>, what: &Shape) {
    match what {
        Shape::Unit => out.push(0),
        Shape::Bool => out.push(1),
        Shape::Char => out.push(2),
        Shape::String => out.push(3),
        Shape::Bytes => out.push(4),
        Shape::Duration => out.push(5),
        Shape::Never => out.push(6),
        Shape::Int(int) => {
            let kind = u8::from(int.signed) | u8::from(int.nonzero) << 1;
            out.extend_from_slice(&[7, kind, int.bits]);
        }
        Shape::Float(Float::Single) => out.push(8),
        Shape::Float(Float::Double) => out.push(9),
        Shape::Option(inner) => one(out, 10, inner),
        Shape::Boxed(inner) => one(out, 11, inner),
        Shape::List(inner) => one(out, 12, inner),
        Shape::Set(inner) => one(out, 13, inner),
        Shape::Array(inner, length) => {
            one(out, 14, inner);
            out.extend_from_slice(&length.to_le_bytes());
        }
        Shape::Map(key, value) => {
            one(out, 15, key);
            shape(out, value);
        }
        Shape::Result(ok, err) => {
            one(out, 16, ok);
            shape(out, err);
        }
        Shape::Tuple(shapes) => {
            out.push(17);
            all(out, shapes);
        }
        Shape::Named(index) => {
            out.push(18);
            out.extend_from_slice(&index.to_le_bytes());
        }
    }
}

fn one(out: &mut Vec<u8>, mark: u8, inner: &Shape) {
    out.push(mark);
    shape(out, inner);
}

pub(super) fn decode(bytes: &[u8]) -> Result<ActorSchema, SchemaError> {
    if bytes.len() > BYTES_MOST {
        return Err(SchemaError::Large { bytes: bytes.len() });
    }
    let mut reader = Reader {
        bytes,
        highest: None,
    };
    let version = reader.byte()?;
    if version != VERSION {
        return Err(SchemaError::Version(version));
    }
    let name = reader.name()?;
    let definitions = reader.list(Reader::definition)?;
    let methods = reader.list(Reader::method)?;
    if !reader.bytes.is_empty() {
        return Err(SchemaError::Trailing(reader.bytes.len()));
    }
    if let Some(highest) = reader.highest
        && highest as usize >= definitions.len()
    {
        return Err(SchemaError::Reference(highest));
    }
    if !methods.is_sorted_by(|one, other| one.name < other.name) {
        return Err(SchemaError::Order);
    }
    Ok(ActorSchema {
        name,
        definitions,
        methods,
    })
}

/// What is left to be read.
struct Reader<'a> {
    bytes: &'a [u8],
    /// The highest definition that was referred to.
    highest: Option<u32>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], SchemaError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(SchemaError::Short)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, SchemaError> {
        let (byte, rest) = self.bytes.split_first().ok_or(SchemaError::Short)?;
        self.bytes = rest;
        Ok(*byte)
    }

    fn number(&mut self) -> Result<u32, SchemaError> {
        let (number, rest) = self.bytes.split_first_chunk().ok_or(SchemaError::Short)?;
        self.bytes = rest;
        Ok(u32::from_le_bytes(*number))
    }

    fn name(&mut self) -> Result<String, SchemaError> {
        let length = self.byte()?;
        let bytes = self.take(usize::from(length))?;
        let name = std::str::from_utf8(bytes).map_err(|_| SchemaError::Name)?;
        Ok(name.to_owned())
    }

    /// As many as are said to be there. Memory is taken as they are found.
    fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, SchemaError>,
    ) -> Result<Vec<T>, SchemaError> {
        let count = self.number()?;
        if count as usize > COUNT_MOST {
            return Err(SchemaError::Many { count });
        }
        (0..count).map(|_| one(self)).collect()
    }

    fn definition(&mut self) -> Result<Definition, SchemaError> {
        let name = self.name()?;
        let body = match self.byte()? {
            0 => Body::Struct(self.fields()?),
            1 => Body::Enum(self.list(|reader| {
                Ok(Variant {
                    name: reader.name()?,
                    fields: reader.fields()?,
                })
            })?),
            mark => return Err(SchemaError::Mark(mark)),
        };
        Ok(Definition { name, body })
    }

    fn fields(&mut self) -> Result<Fields, SchemaError> {
        Ok(match self.byte()? {
            0 => Fields::Unit,
            1 => Fields::Unnamed(self.list(|reader| reader.shape(0))?),
            2 => Fields::Named(self.list(|reader| {
                let name = reader.name()?;
                let required = reader.flag()?;
                Ok(Field {
                    name,
                    shape: reader.shape(0)?,
                    required,
                })
            })?),
            mark => return Err(SchemaError::Mark(mark)),
        })
    }

    fn method(&mut self) -> Result<MethodSchema, SchemaError> {
        Ok(MethodSchema {
            name: self.name()?,
            arguments: self.list(|reader| {
                Ok(Argument {
                    name: reader.name()?,
                    shape: reader.shape(0)?,
                })
            })?,
            ok: self.shape(0)?,
            err: self.shape(0)?,
        })
    }

    fn flag(&mut self) -> Result<bool, SchemaError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            mark => Err(SchemaError::Mark(mark)),
        }
    }

    fn shape(&mut self, depth: usize) -> Result<Shape, SchemaError> {
        if depth > DEPTH_MOST {
            return Err(SchemaError::Deep);
        }
        let deeper = depth + 1;
        Ok(match self.byte()? {
            0 => Shape::Unit,
            1 => Shape::Bool,
            2 => Shape::Char,
            3 => Shape::String,
            4 => Shape::Bytes,
            5 => Shape::Duration,
            6 => Shape::Never,
            7 => Shape::Int(self.int()?),
            8 => Shape::Float(Float::Single),
            9 => Shape::Float(Float::Double),
            10 => Shape::Option(self.inner(deeper)?),
            11 => Shape::Boxed(self.inner(deeper)?),
            12 => Shape::List(self.inner(deeper)?),
            13 => Shape::Set(self.inner(deeper)?),
            14 => Shape::Array(self.inner(deeper)?, self.number()?),
            15 => Shape::Map(self.inner(deeper)?, self.inner(deeper)?),
            16 => Shape::Result(self.inner(deeper)?, self.inner(deeper)?),
            17 => Shape::Tuple(self.list(|reader| reader.shape(deeper))?),
            18 => {
                let index = self.number()?;
                self.highest = self.highest.max(Some(index));
                Shape::Named(index)
            }
            mark => return Err(SchemaError::Mark(mark)),
        })
    }

    fn inner(&mut self, depth: usize) -> Result<Box<Shape>, SchemaError> {
        Ok(Box::new(self.shape(depth)?))
    }

    fn int(&mut self) -> Result<Int, SchemaError> {
        let kind = self.byte()?;
        let bits = self.byte()?;
        if kind > 3 {
            return Err(SchemaError::Mark(kind));
        }
        if !matches!(bits, 8 | 16 | 32 | 64 | 128) {
            return Err(SchemaError::Mark(bits));
        }
        Ok(Int {
            signed: kind & 1 != 0,
            bits,
            nonzero: kind & 2 != 0,
        })
    }
}
