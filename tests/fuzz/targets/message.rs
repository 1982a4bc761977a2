//! A message, by either codec: a value that is encoded as it was, or an error.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::num::NonZero;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use quark::message;
use quark_net::codec::{Arguments, Codec, Travel, decode_reply};

#[message]
#[derive(Debug)]
enum Tree {
    Leaf,
    Text(String),
    Branch {
        left: Option<Box<Tree>>,
        rest: Vec<Tree>,
    },
    Table(BTreeMap<String, Tree>),
}

#[message]
#[derive(Debug)]
struct Much {
    bytes: Bytes,
    set: BTreeSet<char>,
    array: [NonZero<u16>; 3],
    wide: (u128, i128, usize, f32),
    result: Result<Duration, bool>,
    #[message(default)]
    late: Vec<(u8, String)>,
}

fuzz_target!(|bytes: &[u8]| {
    for codec in [Codec::Exact, Codec::Tolerant] {
        comes_back::<Tree>(bytes, codec);
        comes_back::<Much>(bytes, codec);
        let _ = decode_reply::<Tree, Much>(bytes, codec);
        let _ = <(Tree, Option<u32>)>::decode_arguments(&["tree", "depth"], bytes, codec);
    }
});

/// What was read is written and read once more, and then looks as it did.
fn comes_back<T: Travel + Debug>(bytes: &[u8], codec: Codec) {
    let Ok(value) = T::decode(bytes, codec) else {
        return;
    };
    let mut out = BytesMut::new();
    value.encode(codec, &mut out).expect("it was read");
    let again = T::decode(&out, codec).expect("it was written");
    assert_eq!(format!("{value:?}"), format!("{again:?}"));
}
