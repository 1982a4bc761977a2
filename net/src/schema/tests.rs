use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::codec::{Arguments, Codec, DecodeError};

/// An actor whose only method has these arguments.
fn actor<A: Arguments>(names: &[&'static str]) -> ActorSchema {
    let mut book = Book::new();
    let method = MethodSchema {
        name: "call".into(),
        arguments: A::describe_arguments(names, &mut book),
        ok: Shape::Unit,
        err: Shape::Never,
    };
    ActorSchema::new("Callee", book, vec![method]).unwrap()
}

/// Whether a caller that has `W` may call one that has `R`, checked against what the codec does
/// with `values`.
#[track_caller]
fn reads<W, R>(values: impl IntoIterator<Item = W>) -> bool
where
    W: Clone + std::fmt::Debug,
    (W,): Arguments,
    (R,): Arguments,
{
    let (writer, reader) = (actor::<(W,)>(&["value"]), actor::<(R,)>(&["value"]));
    let agreement = writer.compare(&reader);
    let reads = agreement.methods[0].we_call.is_ok();
    assert_eq!(
        reader.compare(&writer).methods[0].they_call.is_ok(),
        reads,
        "each side sees the same"
    );
    if reads {
        for value in values {
            let mut out = BytesMut::new();
            let written = (value.clone(),).encode_arguments(&["value"], Codec::Tolerant, &mut out);
            written.unwrap();
            let read = <(R,)>::decode_arguments(&["value"], &out, Codec::Tolerant);
            assert!(read.is_ok(), "{value:?}: {:?}", read.err());
        }
    }
    reads
}

/// Which fits into which is said by hand; what is not listed does not.
macro_rules! integers {
    ($($from:ty => $($to:ty)*;)*) => {
        #[test]
        fn integers_widen_where_they_fit() {
            let mut fits = Vec::new();
            $($(
                assert!(
                    reads::<$from, $to>([<$from>::MIN, <$from>::MAX, 0, 1, 100]),
                    "{} as {}", stringify!($from), stringify!($to),
                );
                fits.push((int::<$from>(), int::<$to>()));
            )*)*
            let all = [$(int::<$from>()),*];
            for (from, to) in all.iter().flat_map(|from| all.iter().map(move |to| (from, to))) {
                assert_eq!(to.holds(*from), fits.contains(&(*from, *to)), "{from} as {to}");
            }
        }
    };
}

fn int<T: Schema>() -> Int {
    match T::describe(&mut Book::new()) {
        Shape::Int(int) => int,
        other => panic!("{other:?}"),
    }
}

integers! {
    u8 => u8 u16 u32 u64 u128 i16 i32 i64 i128;
    u16 => u16 u32 u64 u128 i32 i64 i128;
    u32 => u32 u64 u128 i64 i128;
    u64 => u64 u128 i128;
    u128 => u128;
    i8 => i8 i16 i32 i64 i128;
    i16 => i16 i32 i64 i128;
    i32 => i32 i64 i128;
    i64 => i64 i128;
    i128 => i128;
}

#[test]
fn other_changes_are_refused() {
    assert!(!reads::<u16, u8>([]));
    assert!(!reads::<i16, u16>([]));
    assert!(!reads::<u16, i16>([]));
    assert!(!reads::<i64, u128>([]));
    assert!(!reads::<u8, f64>([]));
    assert!(!reads::<f64, f32>([]));
    assert!(!reads::<u8, bool>([]));
    assert!(!reads::<String, Vec<u8>>([]));
    assert!(!reads::<Option<u8>, u8>([]));
    assert!(!reads::<[u8; 2], [u8; 3]>([]));
    assert!(!reads::<(u8, u8), (u8, u8, u8)>([]));
    assert!(!reads::<Vec<u8>, std::collections::BTreeSet<u8>>([]));
}

#[test]
fn kind_changes_are_read() {
    use std::collections::{BTreeMap, BTreeSet};
    use std::num::NonZero;
    assert!(reads::<f32, f64>([1.5, f32::MAX]));
    assert!(reads::<u8, Option<u16>>([0, 255]));
    assert!(reads::<Box<u8>, u8>([Box::new(3)]));
    assert!(reads::<Vec<u8>, Vec<Option<i64>>>([vec![1, 2, 255]]));
    assert!(reads::<BTreeSet<u8>, Vec<u8>>([BTreeSet::from([1, 2])]));
    assert!(reads::<NonZero<u8>, u16>([NonZero::<u8>::MAX]));
    assert!(!reads::<u16, NonZero<u32>>([]));
    assert!(reads::<BTreeMap<u8, f32>, BTreeMap<u16, f64>>([
        BTreeMap::from([(1, 2.0)])
    ]));
    assert!(reads::<Result<u8, String>, Result<u64, String>>([
        Ok(1),
        Err("no".into())
    ]));
    assert!(reads::<(u8, [u16; 2]), (u16, [u32; 2])>([(1, [2, 3])]));
    assert!(reads::<usize, u64>([usize::MAX]));
}

#[test]
fn an_argument_may_come_and_go_if_it_is_optional() {
    let one = actor::<(u8,)>(&["one"]);
    let more = actor::<(u8, Option<String>)>(&["one", "more"]);
    for (writer, reader) in [(&one, &more), (&more, &one)] {
        let agreement = writer.compare(reader);
        assert_eq!(agreement.codec, Codec::Tolerant);
        assert_eq!(agreement.methods[0].we_call, Ok(()));
    }
    let needed = actor::<(u8, String)>(&["one", "more"]);
    let agreement = one.compare(&needed);
    assert_eq!(agreement.methods[0].they_call, Ok(()));
    let refused = agreement.methods[0].we_call.clone().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the arguments of `Callee::call` lack `more` of `call`, which its reader requires: give \
         the field `#[message(default)]`, or make it an `Option`"
    );
}

#[test]
fn the_same_is_exact_and_less_is_refused() {
    let one = actor::<(u8,)>(&["one"]);
    let agreement = one.compare(&one.clone());
    assert_eq!(agreement.codec, Codec::Exact);
    let nothing = ActorSchema::new("Callee", Book::new(), Vec::new()).unwrap();
    let agreement = one.compare(&nothing);
    assert!(matches!(
        agreement.methods[0].we_call,
        Err(Mismatch::NoMethod { .. })
    ));
    assert!(agreement.methods[0].they_call.is_err());
    // The exact codec knows arguments by their places, and boxes from what is in them.
    for other in [
        actor::<(u8,)>(&["other"]),
        actor::<(Box<u8>,)>(&["one"]),
        actor::<(u16,)>(&["one"]),
    ] {
        assert_ne!(one.fingerprint(), other.fingerprint());
    }
}

/// A type that a stranger made up: each mentions the next, and the last the first.
fn ring(length: u32) -> Book {
    let mut bytes = vec![1, 0];
    bytes.extend(length.to_le_bytes());
    for index in 0..length {
        // A struct without a name, and with one field "a" that is required.
        bytes.extend([0, 0, 2, 1, 0, 0, 0, 1, b'a', 1, 12, 18]);
        bytes.extend(((index + 1) % length).to_le_bytes());
    }
    bytes.extend([0; 4]);
    let schema = ActorSchema::decode(&bytes).unwrap();
    let mut book = Book::new();
    book.replace(schema.definitions);
    book
}

#[test]
fn types_that_mention_each_other_are_compared_once() {
    let of = |length| {
        let method = MethodSchema {
            name: "call".into(),
            arguments: Vec::new(),
            ok: Shape::Named(0),
            err: Shape::Never,
        };
        ActorSchema::new("Callee", ring(length), vec![method]).unwrap()
    };
    // As long as may be: comparing them where they are met would exhaust the stack.
    let agreement = of(1).compare(&of(4096));
    assert_eq!(agreement.methods[0].we_call, Ok(()));
    let agreement = of(7).compare(&of(11));
    assert_eq!(agreement.methods[0].they_call, Ok(()));
}

proptest! {
    #[test]
    fn any_bytes_are_a_schema_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = ActorSchema::decode(&bytes);
        let mut version = bytes;
        version.insert(0, 1);
        let _ = ActorSchema::decode(&version);
    }

    #[test]
    fn a_damaged_schema_is_one_or_an_error(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in any::<prop::sample::Index>(),
    ) {
        type Args = (Vec<(u8, String)>, Option<Result<f64, [i128; 3]>>);
        let whole = actor::<Args>(&["one", "other"]);
        let mut bytes = whole.encode();
        prop_assert_eq!(ActorSchema::decode(&bytes), Ok(whole.clone()));
        prop_assert!(ActorSchema::decode(&bytes[..end.index(bytes.len())]).is_err());
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= byte;
        }
        if let Ok(other) = ActorSchema::decode(&bytes) {
            let _ = whole.compare(&other);
            prop_assert_eq!(ActorSchema::decode(&other.encode()), Ok(other));
        }
    }
}

#[test]
fn a_schema_has_limits() {
    let error = |bytes: &[u8]| ActorSchema::decode(bytes).unwrap_err();
    assert_eq!(error(&[]), SchemaError::Short);
    assert_eq!(error(&[9]), SchemaError::Version(9));
    assert!(matches!(
        error(&vec![1; limits::BYTES_MOST + 1]),
        SchemaError::Large { .. }
    ));
    assert!(matches!(
        error(&[1, 0, 0xff, 0xff, 0xff, 0xff]),
        SchemaError::Many { .. }
    ));
    // No definitions, one method without a name or arguments, whose answer is an option of an
    // option of …
    let mut deep = vec![1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    deep.extend([10; 1000]);
    assert_eq!(error(&deep), SchemaError::Deep);
    // Or a definition that is not there.
    deep.truncate(15);
    deep.extend([18, 0, 0, 0, 0, 0]);
    assert_eq!(error(&deep), SchemaError::Reference(0));
    deep.truncate(15);
    deep.extend([0, 0, 0]);
    assert_eq!(error(&deep), SchemaError::Trailing(1));
}

#[test]
fn an_unknown_name_is_passed_over_and_another_type_is_an_error() {
    let refused = <(u8,)>::decode_arguments(&["one"], b"\x81\xa3one\xa3two", Codec::Tolerant);
    assert!(matches!(refused, Err(DecodeError::OtherType(_))));
    let read =
        <(u8,)>::decode_arguments(&["one"], b"\x82\xa3two\x91\x07\xa3one\x05", Codec::Tolerant);
    assert_eq!(read, Ok((5,)));
}
