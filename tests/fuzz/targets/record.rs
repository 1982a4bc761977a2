//! Any bytes as a record, and as the headers around it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_storage::embedded::fuzzing::record(data));
