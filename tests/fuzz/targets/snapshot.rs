//! Any bytes as the snapshot of a log that is whole: the log serves what it did without.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_storage::embedded::fuzzing::snapshot(data));
