use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::num::NonZero;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

const CODECS: [Codec; 2] = [Codec::Exact, Codec::Tolerant];

/// Much of what the standard library has.
type Much = (
    Vec<(u8, String)>,
    BTreeMap<i64, Option<Box<u16>>>,
    BTreeSet<char>,
    Result<Bytes, (bool, f64)>,
    [NonZero<u32>; 3],
    (u128, i128, usize, isize),
    Duration,
);

fn much() -> impl Strategy<Value = Much> {
    (
        prop::collection::vec((any::<u8>(), any::<String>()), 0..9),
        prop::collection::btree_map(any::<i64>(), prop::option::of(any::<Box<u16>>()), 0..40),
        prop::collection::btree_set(any::<char>(), 0..9),
        prop_oneof![
            any::<Vec<u8>>().prop_map(|bytes| Ok(bytes.into())),
            (any::<bool>(), -1e9..1e9).prop_map(Err),
        ],
        any::<[NonZero<u32>; 3]>(),
        any::<(u128, i128, usize, isize)>(),
        any::<Duration>(),
    )
}

/// Encodes `value` behind `offset` other bytes, and reads it from there.
#[track_caller]
fn comes_back<T: Travel + Debug + PartialEq>(value: &T, codec: Codec, offset: usize) {
    let mut out = BytesMut::from(&[0xc1; 16][..offset]);
    value.encode(codec, &mut out).unwrap();
    assert!(out[..offset].iter().all(|byte| *byte == 0xc1));
    assert_eq!(T::decode(&out[offset..], codec).as_ref(), Ok(value));
}

proptest! {
    #[test]
    fn values_come_back_from_wherever_they_lie(value in much(), offset in 0_usize..16) {
        for codec in CODECS {
            comes_back(&value, codec, offset);
        }
    }

    #[test]
    fn arguments_come_back(value in much(), text in any::<String>()) {
        const NAMES: &[&str] = &["value", "text"];
        let arguments = (value, text);
        for codec in CODECS {
            let mut out = BytesMut::new();
            arguments.encode_arguments(NAMES, codec, &mut out).unwrap();
            let read = <(Much, String)>::decode_arguments(NAMES, &out, codec);
            prop_assert_eq!(read, Ok(arguments.clone()));
        }
        // In another order, and more of them.
        let mut out = BytesMut::new();
        let (value, text) = &arguments;
        (text.clone(), value.clone(), 7).encode_arguments(&["text", "value", "more"], Codec::Tolerant, &mut out)?;
        prop_assert_eq!(<(Much, String)>::decode_arguments(NAMES, &out, Codec::Tolerant), Ok(arguments));
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for codec in CODECS {
            let _ = Much::decode(&bytes, codec);
            let _ = <Vec<Vec<BTreeMap<String, u8>>>>::decode(&bytes, codec);
            let _ = <Option<Result<String, Duration>>>::decode(&bytes, codec);
            let _ = <(u8, Much)>::decode_arguments(&["one", "other"], &bytes, codec);
            let _ = decode_reply::<Much, String>(&bytes, codec);
        }
    }

    #[test]
    fn damage_is_a_value_or_an_error(
        value in much(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
    ) {
        for codec in CODECS {
            let mut out = BytesMut::new();
            value.encode(codec, &mut out).unwrap();
            for (place, byte) in &flips {
                let place = place.index(out.len());
                out[place] ^= byte;
            }
            let _ = Much::decode(&out, codec);
            let _ = Much::decode(&out[..end.index(out.len())], codec);
        }
    }

    #[test]
    fn the_skim_knows_what_the_reader_reads(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        // What reads any value without building one.
        let mut reader = rmp_serde::Deserializer::from_read_ref(&bytes[..]);
        let read = <serde::de::IgnoredAny as serde::Deserialize>::deserialize(&mut reader);
        if skim::check(&bytes).is_ok() {
            prop_assert!(read.is_ok(), "{read:?}");
        }
    }
}

#[test]
fn a_list_takes_no_memory_for_what_does_not_come() {
    // A list, and a map, of four milliards.
    for bytes in [b"\xdd\xff\xff\xff\xff\x01", b"\xdf\xff\xff\xff\xff\x01"] {
        let refused = <Vec<[u64; 32]>>::decode(bytes, Codec::Tolerant);
        assert_eq!(refused, Err(DecodeError::NotMessagePack { at: 5 }));
    }
    // Bytes and strings of as many.
    for bytes in [b"\xc6\xff\xff\xff\xff\x01", b"\xdb\xff\xff\xff\xff\x01"] {
        let refused = Bytes::decode(bytes, Codec::Tolerant);
        assert_eq!(refused, Err(DecodeError::NotMessagePack { at: 5 }));
    }
    let refused = <Vec<[u64; 32]>>::decode(&[0xff; 16], Codec::Exact);
    assert_eq!(refused, Err(DecodeError::Malformed));
}

#[test]
fn what_follows_a_value_is_refused() {
    let refused = u8::decode(&[1, 2], Codec::Tolerant);
    assert_eq!(refused, Err(DecodeError::NotMessagePack { at: 1 }));
    assert_eq!(
        u8::decode(&[], Codec::Tolerant),
        Err(DecodeError::NotMessagePack { at: 0 })
    );
    assert_eq!(u8::decode(&[], Codec::Exact), Err(DecodeError::Malformed));
}

#[test]
fn nesting_ends_somewhere() {
    let nested = |depth| {
        let mut bytes = vec![0x91; depth];
        bytes.push(0x90);
        skim::check(&bytes)
    };
    assert_eq!(nested(DEPTH_MOST), Ok(()));
    assert_eq!(nested(DEPTH_MOST + 1), Err(DecodeError::TooDeep));
    assert_eq!(nested(1_000_000), Err(DecodeError::TooDeep));
}

#[test]
fn an_error_says_what_is_missing() {
    let mut out = BytesMut::new();
    (1_u8,)
        .encode_arguments(&["one"], Codec::Tolerant, &mut out)
        .unwrap();
    let refused = <(u8, u8)>::decode_arguments(&["one", "other"], &out, Codec::Tolerant);
    assert_eq!(
        refused,
        Err(DecodeError::OtherType("missing field `other`".into()))
    );
    let read = <(u8, Option<u8>)>::decode_arguments(&["one", "other"], &out, Codec::Tolerant);
    assert_eq!(read, Ok((1, None)));
}

#[test]
fn a_value_that_fails_leaves_nothing() {
    // MessagePack's lists have no more than 32 bits of length; serde's own errors come in between.
    struct Refuses;
    impl serde::Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut list = to.serialize_seq(Some(2))?;
            serde::ser::SerializeSeq::serialize_element(&mut list, "one")?;
            Err(serde::ser::Error::custom("no more"))
        }
    }
    let mut out = BytesMut::from(&b"before"[..]);
    let refused = tolerant::encode(&Refuses, &mut out);
    assert_eq!(refused, Err(EncodeError::Unencodable("no more".into())));
    assert_eq!(&out[..], b"before");
}
