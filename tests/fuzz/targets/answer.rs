//! Any bytes as what a peer says became of a call: an error, or the call itself, sent back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((status, body)) = data.split_first() else {
        return;
    };
    quark::fuzzing::read_answer((*status).into(), body);
});
