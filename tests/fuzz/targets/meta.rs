//! Any bytes as what a directory says of itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_storage::embedded::fuzzing::meta(data));
