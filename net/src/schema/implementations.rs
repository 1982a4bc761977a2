//! The shapes of the standard library's types.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::num::NonZero;
use std::time::Duration;

use bytes::Bytes;

use super::{Book, Float, Int, Schema, Shape};

/// Why a list of nothing stays at home: its length alone would make the reader work.
const HOLLOW: &str = "its elements hold nothing, so that its length alone would be sent: send the \
                      length as a number";
/// Why an option of an option stays at home.
const TWO_NONES: &str =
    "`None` within `Some` looks like `None` on its way: use an enum of your own";

macro_rules! simple {
    ($($type:ty => $shape:expr),* $(,)?) => {$(
        impl Schema for $type {
            type Itself = Self;

            fn describe(_: &mut Book) -> Shape {
                $shape
            }
        }
    )*};
}

simple! {
    bool => Shape::Bool,
    char => Shape::Char,
    String => Shape::String,
    Bytes => Shape::Bytes,
    Duration => Shape::Duration,
    Infallible => Shape::Never,
    f32 => Shape::Float(Float::Single),
    f64 => Shape::Float(Float::Double),
}

macro_rules! int {
    ($($type:ty: $signed:literal, $bits:literal;)*) => {
        simple! {$(
            $type => Shape::Int(Int { signed: $signed, bits: $bits, nonzero: false }),
            NonZero<$type> => Shape::Int(Int { signed: $signed, bits: $bits, nonzero: true }),
        )*}
    };
}

int! {
    u8: false, 8;
    u16: false, 16;
    u32: false, 32;
    u64: false, 64;
    u128: false, 128;
    usize: false, 64;
    i8: true, 8;
    i16: true, 16;
    i32: true, 32;
    i64: true, 64;
    i128: true, 128;
    isize: true, 64;
}

impl Schema for () {
    type Itself = Self;
    const NIL: bool = true;

    fn describe(_: &mut Book) -> Shape {
        Shape::Unit
    }
}

impl<T: Schema> Schema for Option<T> {
    type Itself = Self;
    const OPTIONAL: bool = true;
    const NIL: bool = true;
    const UNFIT: Option<&'static str> = if T::NIL { Some(TWO_NONES) } else { T::UNFIT };

    fn describe(book: &mut Book) -> Shape {
        Shape::Option(Box::new(T::describe(book)))
    }
}

impl<T: Schema> Schema for Box<T> {
    type Itself = Self;
    const OPTIONAL: bool = T::OPTIONAL;
    const NIL: bool = T::NIL;
    const UNFIT: Option<&'static str> = T::UNFIT;

    fn describe(book: &mut Book) -> Shape {
        Shape::Boxed(Box::new(T::describe(book)))
    }
}

impl<T: Schema> Schema for Vec<T> {
    type Itself = Self;
    const UNFIT: Option<&'static str> = full::<T>();

    fn describe(book: &mut Book) -> Shape {
        Shape::List(Box::new(T::describe(book)))
    }
}

impl<T: Schema> Schema for BTreeSet<T> {
    type Itself = Self;
    const UNFIT: Option<&'static str> = full::<T>();

    fn describe(book: &mut Book) -> Shape {
        Shape::Set(Box::new(T::describe(book)))
    }
}

impl<K: Schema, V: Schema> Schema for BTreeMap<K, V> {
    type Itself = Self;
    const UNFIT: Option<&'static str> = first([full::<K>(), V::UNFIT]);

    fn describe(book: &mut Book) -> Shape {
        Shape::Map(Box::new(K::describe(book)), Box::new(V::describe(book)))
    }
}

impl<T: Schema, const N: usize> Schema for [T; N] {
    type Itself = Self;
    const UNFIT: Option<&'static str> = T::UNFIT;

    fn describe(book: &mut Book) -> Shape {
        let length = u32::try_from(N).unwrap_or(u32::MAX);
        Shape::Array(Box::new(T::describe(book)), length)
    }
}

impl<T: Schema, E: Schema> Schema for Result<T, E> {
    type Itself = Self;
    const UNFIT: Option<&'static str> = first([T::UNFIT, E::UNFIT]);

    fn describe(book: &mut Book) -> Shape {
        Shape::Result(Box::new(T::describe(book)), Box::new(E::describe(book)))
    }
}

macro_rules! tuple {
    ($($name:ident)*) => {
        impl<$($name: Schema),*> Schema for ($($name,)*) {
            type Itself = Self;
            const UNFIT: Option<&'static str> = first([$($name::UNFIT),*]);

            fn describe(book: &mut Book) -> Shape {
                Shape::Tuple(vec![$($name::describe(book)),*])
            }
        }
    };
}

tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);
tuple!(A B C D E F G H I);
tuple!(A B C D E F G H I J);
tuple!(A B C D E F G H I J K);
tuple!(A B C D E F G H I J K L);

/// What keeps a list of `T` at home.
const fn full<T: Schema>() -> Option<&'static str> {
    if size_of::<T>() == 0 {
        Some(HOLLOW)
    } else {
        T::UNFIT
    }
}

/// The first reason of several.
pub(crate) const fn first<const N: usize>(
    reasons: [Option<&'static str>; N],
) -> Option<&'static str> {
    let mut at = 0;
    while at < N {
        if reasons[at].is_some() {
            return reasons[at];
        }
        at += 1;
    }
    None
}
