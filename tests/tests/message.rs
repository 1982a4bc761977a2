//! What leaves the process: types with `#[message]`, and the methods that are made of such.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use quark::__private::{Actor, Method};
use quark::prelude::*;
use quark_net::codec::{Codec, DecodeError, Travel};
use quark_net::schema::{ActorSchema, Body, Book, Fields, Shape};

const CODECS: [Codec; 2] = [Codec::Exact, Codec::Tolerant];

#[message]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Buy,
    Sell,
}

#[message]
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub symbol: String,
    side: Side,
    lots: u32,
    limit: Option<f64>,
    #[message(default)]
    tags: Vec<String>,
    r#type: (u8, char),
}

#[message]
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    Closed,
    TooMany { most: u32, of: Side },
    Because(String, Duration),
}

#[message]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lots(u32);

#[message]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Marker;

/// It contains itself, in all the ways that there are.
#[message]
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    name: String,
    left: Option<Box<Tree>>,
    children: Vec<Self>,
    leaves: BTreeMap<Side, Leaf>,
}

/// And this one contains that.
#[message]
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    Bare,
    Grown(Vec<Tree>),
}

/// No message.
#[derive(Debug, Clone)]
pub struct Plain(pub u32);

#[derive(Default)]
pub struct Market;

#[actor]
impl Market {
    pub fn place(&mut self, order: Order, lots: Lots) -> Result<u64, Refused> {
        let _ = order;
        Ok(u64::from(lots.0))
    }

    pub async fn tree(&self, tree: Tree, depth: Option<usize>) -> Tree {
        let _ = depth;
        tree
    }

    pub fn nothing(&self) {}

    pub fn plain(&self, plain: Plain) -> u32 {
        plain.0
    }

    pub fn answers_plain(&self, of: u32) -> Plain {
        Plain(of)
    }

    pub fn fails_plainly(&self) -> Result<u32, Plain> {
        Err(Plain(1))
    }

    pub fn twice_optional(&self, of: Option<Option<u32>>) -> bool {
        of.is_some()
    }

    pub fn hollow(&self, of: Vec<Marker>) -> usize {
        of.len()
    }
}

fn order() -> Order {
    Order {
        symbol: "QRK".into(),
        side: Side::Sell,
        lots: 7,
        limit: Some(1.5),
        tags: vec!["a".into(), "a longer one that is not kept inline".into()],
        r#type: (3, 'ß'),
    }
}

fn tree() -> Tree {
    let leaf = |name: &str| Tree {
        name: name.into(),
        left: None,
        children: Vec::new(),
        leaves: BTreeMap::new(),
    };
    Tree {
        left: Some(Box::new(leaf("left"))),
        children: vec![leaf("one"), leaf("two")],
        leaves: BTreeMap::from([
            (Side::Buy, Leaf::Bare),
            (Side::Sell, Leaf::Grown(vec![leaf("grown")])),
        ]),
        ..leaf("root")
    }
}

#[track_caller]
fn comes_back<T: Travel + Clone + PartialEq + std::fmt::Debug>(value: T) {
    for codec in CODECS {
        for offset in 0..9 {
            let mut out = BytesMut::from(&[0xAA; 9][..offset]);
            value.encode(codec, &mut out).unwrap();
            let read = T::decode(&out[offset..], codec);
            assert_eq!(read, Ok(value.clone()), "{codec:?} at {offset}");
        }
    }
}

#[test]
fn values_come_back() {
    comes_back(order());
    comes_back(tree());
    comes_back(Marker);
    comes_back(vec![Lots(1), Lots(u32::MAX)]);
    comes_back(vec![
        Refused::Closed,
        Refused::TooMany {
            most: 4,
            of: Side::Buy,
        },
        Refused::Because("of".into(), Duration::from_millis(1500)),
    ]);
}

#[test]
fn calls_and_replies_come_back() {
    type Place = MarketPlaceMessage;
    let wire = Place::WIRE.expect("all of it are messages");
    for codec in CODECS {
        let mut out = BytesMut::from(&b"head"[..]);
        let message = Place::from_args((order(), Lots(9))).unwrap();
        (wire.encode)(message, codec, &mut out).unwrap();
        let read = (wire.decode)(&out[4..], codec).unwrap();
        assert_eq!(read.into_args(), (order(), Lots(9)));

        for reply in [Ok(12), Err(Refused::Closed)] {
            let mut out = BytesMut::from(&b"hea"[..]);
            (wire.encode_reply)(&reply, codec, &mut out).unwrap();
            assert_eq!((wire.decode_reply)(&out[3..], codec), Ok(reply));
        }
        assert_eq!(
            (wire.decode_reply)(&[], codec),
            Err(DecodeError::NoReply(None))
        );
    }
    let wire = MarketTreeMessage::WIRE.expect("all of it are messages");
    for codec in CODECS {
        let mut out = BytesMut::new();
        let message = MarketTreeMessage::from_args((tree(), Some(3))).unwrap();
        (wire.encode)(message, codec, &mut out).unwrap();
        let read = (wire.decode)(&out, codec).unwrap();
        assert_eq!(read.into_args(), (tree(), Some(3)));
        out.clear();
        (wire.encode_reply)(&Ok(tree()), codec, &mut out).unwrap();
        assert_eq!((wire.decode_reply)(&out, codec), Ok(Ok(tree())));
    }
    let wire = MarketNothingMessage::WIRE.expect("there is nothing that could not");
    for codec in CODECS {
        let mut out = BytesMut::new();
        (wire.encode)(
            MarketNothingMessage::from_args(()).unwrap(),
            codec,
            &mut out,
        )
        .unwrap();
        assert!((wire.decode)(&out, codec).is_ok());
        out.clear();
        (wire.encode_reply)(&Ok(()), codec, &mut out).unwrap();
        assert_eq!((wire.decode_reply)(&out, codec), Ok(Ok(())));
        assert_eq!(
            (wire.decode_reply)(&[1], codec),
            Err(DecodeError::NoReply(Some(1)))
        );
    }
}

#[test]
fn what_cannot_travel_stays() {
    let travelling: Vec<_> = Market::methods()
        .iter()
        .map(|method| (method.name, method.describe.is_some()))
        .collect();
    assert_eq!(
        travelling,
        [
            ("place", true),
            ("tree", true),
            ("nothing", true),
            ("plain", false),
            ("answers_plain", false),
            ("fails_plainly", false),
            ("twice_optional", false),
            ("hollow", false),
        ]
    );
}

#[test]
fn an_absent_argument_is_none() {
    let wire = MarketTreeMessage::WIRE.unwrap();
    let mut out = BytesMut::new();
    // A map of one argument: {"tree": …}.
    out.extend_from_slice(b"\x81\xa4tree");
    tree().encode(Codec::Tolerant, &mut out).unwrap();
    let read = (wire.decode)(&out, Codec::Tolerant).unwrap();
    assert_eq!(read.into_args(), (tree(), None));
    // An argument that nobody knows is passed over, and one that is needed is missed.
    let refused = (wire.decode)(b"\x81\xa5depth\x03", Codec::Tolerant);
    assert!(matches!(&refused.err(), Some(DecodeError::OtherType(why)) if why.contains("`tree`")),);
}

#[test]
fn an_actor_describes_itself() {
    let mut book = Book::new();
    let methods: Vec<_> = Market::methods()
        .iter()
        .filter_map(|method| Some(method.describe?(&mut book)))
        .collect();
    let schema = ActorSchema::new(Market::NAME, book, methods).unwrap();
    let names: Vec<_> = schema
        .methods()
        .iter()
        .map(|method| &*method.name)
        .collect();
    assert_eq!(names, ["nothing", "place", "tree"]);
    assert_eq!(schema.methods()[0].err, Shape::Never);
    let order = &schema.definitions()[0];
    assert_eq!(order.name, "Order");
    let Body::Struct(Fields::Named(fields)) = &order.body else {
        panic!("{order:?}");
    };
    let fields: Vec<_> = fields
        .iter()
        .map(|field| (&*field.name, field.required))
        .collect();
    assert_eq!(
        fields,
        [
            ("symbol", true),
            ("side", true),
            ("lots", true),
            ("limit", false),
            ("tags", false),
            ("type", true),
        ]
    );
    assert_eq!(ActorSchema::decode(&schema.encode()), Ok(schema));
}
