//! Any bytes as the segments of a log.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quark_storage::embedded::fuzzing::segment(data));
