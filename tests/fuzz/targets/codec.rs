//! Any bytes as what a peer has encoded, by either codec.
#![no_main]

use std::collections::BTreeMap;

use quark_net::codec::{Arguments, Codec, decode_reply};

type Ok = BTreeMap<String, Vec<Option<(u32, Box<String>)>>>;
type Args = (Vec<String>, Option<u64>, Result<(), [u16; 3]>);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for codec in [Codec::Exact, Codec::Tolerant] {
        let _ = decode_reply::<Ok, String>(data, codec);
        let _ = Args::decode(&["names", "number", "result"], data, codec);
    }
});
