//! Shapes: what a type looks like where it is used.

use std::fmt;

/// What a value looks like on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `()`.
    Unit,
    /// `bool`.
    Bool,
    /// `char`.
    Char,
    /// `String`.
    String,
    /// `bytes::Bytes`.
    Bytes,
    /// `std::time::Duration`.
    Duration,
    /// A type without values: the error of a method that has none.
    Never,
    /// A whole number.
    Int(Int),
    /// A number with a fraction.
    Float(Float),
    /// `Option<T>`.
    Option(Box<Shape>),
    /// `Box<T>`: the same as `T`, but for the exact codec.
    Boxed(Box<Shape>),
    /// `Vec<T>`.
    List(Box<Shape>),
    /// `BTreeSet<T>`.
    Set(Box<Shape>),
    /// `[T; N]`.
    Array(Box<Shape>, u32),
    /// `BTreeMap<K, V>`.
    Map(Box<Shape>, Box<Shape>),
    /// `Result<T, E>`.
    Result(Box<Shape>, Box<Shape>),
    /// `(A, B, …)`.
    Tuple(Vec<Shape>),
    /// A struct or enum: the definition of this number, from 0, in the book.
    Named(u32),
}

impl Shape {
    /// The shape itself, out of the boxes it may be in.
    pub(super) fn unboxed(&self) -> &Shape {
        let mut shape = self;
        while let Shape::Boxed(inner) = shape {
            shape = inner;
        }
        shape
    }

    /// Whether a value that is missing stands for `None`.
    pub(super) fn is_option(&self) -> bool {
        matches!(self.unboxed(), Shape::Option(_))
    }
}

/// The whole numbers. `usize` and `isize` travel as 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Int {
    /// Whether it has a sign.
    pub signed: bool,
    /// Its width: 8, 16, 32, 64 or 128.
    pub bits: u8,
    /// Whether it is never zero.
    pub nonzero: bool,
}

impl Int {
    /// Whether each value of `from` is one of this type too.
    pub(super) fn holds(self, from: Int) -> bool {
        let zero = !self.nonzero || from.nonzero;
        let range = match (self.signed, from.signed) {
            (true, true) | (false, false) => from.bits <= self.bits,
            (true, false) => from.bits < self.bits,
            (false, true) => false,
        };
        // 128 bits have a form of their own, which only 128 bits can be read from and which reads
        // smaller ones too.
        zero && range
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.signed { 'i' } else { 'u' };
        if self.nonzero {
            write!(f, "NonZero<{sign}{}>", self.bits)
        } else {
            write!(f, "{sign}{}", self.bits)
        }
    }
}

/// The numbers with a fraction, by their width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Float {
    /// `f32`.
    Single,
    /// `f64`.
    Double,
}
