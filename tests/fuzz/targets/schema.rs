//! An actor's schema: one that is encoded as it was and can be compared, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quark_net::schema::ActorSchema;

fuzz_target!(|bytes: &[u8]| {
    let Ok(schema) = ActorSchema::decode(bytes) else {
        return;
    };
    assert_eq!(schema.encode(), bytes);
    let (half, _) = bytes.split_at(bytes.len() / 2);
    let other = ActorSchema::decode(half).unwrap_or_else(|_| schema.clone());
    let _ = schema.compare(&other);
    let _ = other.compare(&schema);
});
