//! Frames in any bytes: the same, and the same error, wherever what arrives was cut.
#![no_main]

use quark_net::frame::{FrameError, FrameReader, Header, Integrity};

/// The longest that is read.
const MOST: u32 = 4096;

/// All frames in `bytes`, which arrive in parts of `part` bytes, and what ends them.
fn read(
    bytes: &[u8],
    integrity: Integrity,
    part: usize,
) -> (Vec<(Header, Vec<u8>)>, Option<FrameError>) {
    let mut reader = FrameReader::new(integrity, MOST);
    let mut frames = Vec::new();
    for mut chunk in bytes.chunks(part) {
        loop {
            match reader.next(&mut chunk) {
                Ok(Some(frame)) => frames.push((frame.header, frame.body.to_vec())),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(chunk.is_empty(), "what is no whole frame is kept");
    }
    (frames, None)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let integrity = if first & 1 == 0 {
        Integrity::Connection
    } else {
        Integrity::Checksum { salt: 0 }
    };
    let part = usize::from(first >> 1) + 1;
    let whole = read(bytes, integrity, bytes.len().max(1));
    assert_eq!(read(bytes, integrity, part), whole);
});
