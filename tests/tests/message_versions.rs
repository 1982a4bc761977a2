//! Types of two versions: what the schemas' comparison allows, the tolerant codec reads.
#![allow(missing_docs)]

use std::fmt::Debug;

use bytes::BytesMut;
use proptest::prelude::*;
use quark::message;
use quark_net::codec::{Arguments, Codec, DecodeError, Travel};
use quark_net::schema::{ActorSchema, Book, MethodSchema, Shape};

pub mod old {
    use super::*;

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Order {
        pub symbol: String,
        pub lots: u16,
        pub side: Side,
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub enum Side {
        Buy,
        Sell { short: bool },
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct List {
        pub value: u8,
        pub next: Option<Box<List>>,
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Pair(pub u8, pub f32);
}

pub mod new {
    use super::*;

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Order {
        pub side: Side,
        #[message(default)]
        pub tags: Vec<String>,
        pub note: Option<String>,
        pub lots: Option<u64>,
        pub symbol: String,
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub enum Side {
        Neither(u8),
        Sell { short: bool, by: Option<u32> },
        Buy,
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct List {
        pub next: Option<Box<List>>,
        pub value: i16,
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Pair(pub u64, pub f64);

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Stricter {
        pub symbol: String,
        pub lots: u16,
        pub side: Side,
        pub needed: u8,
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Narrower {
        pub symbol: String,
        pub lots: u8,
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub enum Bare {
        Buy,
        Sell,
    }
}

fn actor<T: Travel>() -> ActorSchema
where
    (T,): Arguments,
{
    let mut book = Book::new();
    let method = MethodSchema {
        name: "take".into(),
        arguments: <(T,)>::describe_arguments(&["it"], &mut book),
        ok: Shape::Unit,
        err: Shape::Never,
    };
    ActorSchema::new("Taker", book, vec![method]).unwrap()
}

/// What becomes of `written` where a `R` is read, and whether the schemas say so beforehand.
fn read<W: Travel, R: Travel>(written: &W) -> (Result<(), String>, Result<R, DecodeError>)
where
    (W,): Arguments,
    (R,): Arguments,
{
    let agreement = actor::<W>().compare(&actor::<R>());
    assert_eq!(agreement.codec, Codec::Tolerant);
    let allowed = agreement.methods[0].we_call.clone();
    let mut out = BytesMut::new();
    written.encode(Codec::Tolerant, &mut out).unwrap();
    (
        allowed.map_err(|mismatch| mismatch.to_string()),
        R::decode(&out, Codec::Tolerant),
    )
}

#[track_caller]
fn becomes<W: Travel, R: Travel + Debug + PartialEq>(written: &W, wanted: R)
where
    (W,): Arguments,
    (R,): Arguments,
{
    assert_eq!(read(written), (Ok(()), Ok(wanted)));
}

#[track_caller]
fn is_refused<W: Travel, R: Travel + Debug>(written: &W, why: &str)
where
    (W,): Arguments,
    (R,): Arguments,
{
    let (refused, read) = read::<W, R>(written);
    assert_eq!(refused, Err(why.to_owned()));
    assert!(read.is_err(), "{read:?}");
}

#[test]
fn fields_come_and_go() {
    let old = old::Order {
        symbol: "QRK".into(),
        lots: 7,
        side: old::Side::Sell { short: true },
    };
    let new = new::Order {
        symbol: "QRK".into(),
        lots: Some(7),
        side: new::Side::Sell {
            short: true,
            by: None,
        },
        tags: Vec::new(),
        note: None,
    };
    becomes(&old, new.clone());
    becomes(
        &old::List {
            value: 1,
            next: Some(Box::new(old::List {
                value: 2,
                next: None,
            })),
        },
        new::List {
            value: 1,
            next: Some(Box::new(new::List {
                value: 2,
                next: None,
            })),
        },
    );
    becomes(&old::Pair(3, 1.5), new::Pair(3, 1.5));
    // The other way, a number that may be missing is one that may be too large.
    is_refused::<_, old::Order>(
        &new::Order { lots: None, ..new },
        "in the arguments of `Taker::take`, `lots` of `Order` is written as Option<u64> and read \
         as u16: keep the type it had, and give what is new a field of its own",
    );
    is_refused::<_, new::Stricter>(
        &old,
        "the arguments of `Taker::take` lack `needed` of `Stricter`, which its reader requires: \
         give the field `#[message(default)]`, or make it an `Option`",
    );
    is_refused::<_, new::Narrower>(
        &old::Order { lots: 1000, ..old },
        "in the arguments of `Taker::take`, `lots` of `Narrower` is written as u16 and read as \
         u8: keep the type it had, and give what is new a field of its own",
    );
}

#[test]
fn variants_come() {
    becomes(&old::Side::Buy, new::Side::Buy);
    becomes(
        &new::Side::Sell {
            short: true,
            by: Some(3),
        },
        old::Side::Sell { short: true },
    );
    // Allowed, as nobody knows whether it will be sent; and then an error.
    let (allowed, read) = read::<_, old::Side>(&new::Side::Neither(1));
    assert_eq!(allowed, Ok(()));
    assert!(
        matches!(&read, Err(DecodeError::OtherType(why)) if why.contains("Neither")),
        "{read:?}"
    );
    is_refused::<_, new::Bare>(
        &old::Side::Sell { short: true },
        "in the arguments of `Taker::take`, `Sell` of `Bare` is written as named fields and read \
         as nothing: keep the type it had, and give what is new a field of its own",
    );
}

/// Types that mention themselves.
#[message]
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        (-1e9..1e9).prop_map(Json::Number),
        any::<String>().prop_map(Json::Text),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::List),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(Json::Object),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_nested_comes_back(value in json(), offset in 0_usize..9) {
        for codec in [Codec::Exact, Codec::Tolerant] {
            let mut out = BytesMut::from(&[0; 9][..offset]);
            value.encode(codec, &mut out).unwrap();
            prop_assert_eq!(Json::decode(&out[offset..], codec), Ok(value.clone()));
        }
    }

    #[test]
    fn damage_is_no_panic(
        value in json(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
    ) {
        for codec in [Codec::Exact, Codec::Tolerant] {
            let mut out = BytesMut::new();
            value.encode(codec, &mut out).unwrap();
            let _ = Json::decode(&out[..end.index(out.len())], codec);
            for (place, byte) in &flips {
                let place = place.index(out.len());
                out[place] ^= byte;
            }
            let _ = Json::decode(&out, codec);
        }
    }
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let nested = |depth| {
        let mut value = Json::Null;
        for _ in 0..depth {
            value = Json::List(vec![value]);
        }
        value
    };
    for codec in [Codec::Exact, Codec::Tolerant] {
        let read = |depth| {
            let mut out = BytesMut::new();
            nested(depth).encode(codec, &mut out).unwrap();
            Json::decode(&out, codec)
        };
        assert_eq!(read(60), Ok(nested(60)));
        let refused = match codec {
            Codec::Exact => DecodeError::Malformed,
            Codec::Tolerant => DecodeError::TooDeep,
        };
        assert_eq!(read(200), Err(refused));
    }
}
