use bytes::BytesMut;
use proptest::prelude::*;

use super::*;

const MOST: u32 = 4096;

fn header(kind: Kind, call: u64) -> Header {
    Header {
        kind,
        flags: 3,
        call,
        left_us: Some(77),
        actor: 5,
        method: 6,
    }
}

fn write(out: &mut BytesMut, header: Header, integrity: Integrity, body: &[u8]) {
    let written = write_frame::<FrameError>(out, header, integrity, MOST, |out| {
        out.extend_from_slice(body);
        Ok(())
    });
    written.expect("it is short enough");
}

/// Reads all frames of `bytes`, which come in pieces that end at `cuts`.
fn read(
    bytes: &[u8],
    cuts: &[usize],
    integrity: Integrity,
) -> Result<Vec<(Header, Vec<u8>)>, FrameError> {
    let mut reader = FrameReader::new(integrity, MOST);
    let mut frames = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut chunk = &bytes[start..end];
        start = end;
        while let Some(frame) = reader.next(&mut chunk)? {
            frames.push((frame.header, frame.body.to_vec()));
        }
        assert!(chunk.is_empty(), "what holds no whole frame is kept");
    }
    assert!(!reader.is_within_frame());
    Ok(frames)
}

fn integrities() -> impl Strategy<Value = Integrity> {
    prop_oneof![
        any::<u32>().prop_map(|salt| Integrity::Checksum { salt }),
        Just(Integrity::Connection),
    ]
}

proptest! {
    #[test]
    fn frames_come_out_as_they_went_in_wherever_they_are_cut(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8),
        mut cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        integrity in integrities(),
    ) {
        let mut bytes = BytesMut::new();
        let mut sent = Vec::new();
        for (at, body) in bodies.into_iter().enumerate() {
            let header = header(Kind::Call, at as u64);
            write(&mut bytes, header, integrity, &body);
            sent.push((header, body));
        }
        let mut ends: Vec<_> = cuts.drain(..).map(|cut| cut.index(bytes.len())).collect();
        ends.sort_unstable();
        prop_assert_eq!(read(&bytes, &ends, integrity), Ok(sent));
    }

    #[test]
    fn a_bit_that_has_flipped_is_noticed(
        body in proptest::collection::vec(any::<u8>(), 0..100),
        salt: u32,
        at: proptest::sample::Index,
        bit in 0_u32..8,
    ) {
        let integrity = Integrity::Checksum { salt };
        let mut bytes = BytesMut::new();
        write(&mut bytes, header(Kind::Reply, 9), integrity, &body);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let mut reader = FrameReader::new(integrity, MOST);
        let mut chunk = &bytes[..];
        // A length that has grown waits for what never comes.
        let read = reader.next(&mut chunk);
        prop_assert!(matches!(read, Err(_) | Ok(None)), "{:?}", read);
    }

    #[test]
    fn any_bytes_are_refused_or_kept_within_bounds(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        integrity in integrities(),
    ) {
        let mut reader = FrameReader::new(integrity, 64);
        let mut chunk = &bytes[..];
        while let Ok(Some(_)) = reader.next(&mut chunk) {}
        prop_assert!(reader.begun.len() <= 64 + LENGTH_LEN);
    }
}

#[test]
fn what_was_recorded_in_one_session_is_damaged_in_another() {
    let mut bytes = BytesMut::new();
    let integrity = Integrity::Checksum { salt: 1 };
    write(&mut bytes, header(Kind::Call, 1), integrity, b"pay");
    let other = Integrity::Checksum { salt: 2 };
    assert_eq!(
        read(&bytes, &[], other),
        Err(FrameError::Damaged { kind: Kind::Call })
    );
}

#[test]
fn a_frame_that_comes_out_too_long_leaves_nothing_behind() {
    let mut out = BytesMut::from(&b"before"[..]);
    let header = Header::of(Kind::Tell);
    let written = write_frame::<FrameError>(&mut out, header, Integrity::Connection, MOST, |out| {
        out.resize(out.len() + MOST as usize, 0);
        Ok(())
    });
    assert!(matches!(written, Err(FrameError::Length { .. })));
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_body_that_panics_leaves_nothing_behind() {
    let mut out = BytesMut::from(&b"before"[..]);
    let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let header = Header::of(Kind::Tell);
        write_frame::<FrameError>(&mut out, header, Integrity::Connection, MOST, |out| {
            out.extend_from_slice(b"half");
            panic!("a codec does")
        })
    }));
    assert!(written.is_err());
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_stranger_is_told_by_his_first_bytes() {
    let mut reader = FrameReader::new(Integrity::Checksum { salt: 0 }, MOST);
    let mut chunk = &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..];
    assert!(matches!(
        reader.next(&mut chunk),
        Err(FrameError::Length { .. })
    ));
}

#[test]
fn a_large_frame_does_not_hold_its_memory() {
    let integrity = Integrity::Connection;
    let most = 1 << 20;
    let mut bytes = BytesMut::new();
    write_frame::<FrameError>(&mut bytes, Header::of(Kind::Call), integrity, most, |out| {
        out.resize(out.len() + (most as usize) / 2, 7);
        Ok(())
    })
    .expect("it is short enough");
    let (front, back) = bytes.split_at(100);
    let mut reader = FrameReader::new(integrity, most);
    assert_eq!(reader.next(&mut { front }), Ok(None));
    let mut chunk = back;
    assert!(reader.next(&mut chunk).expect("it is whole").is_some());
    assert_eq!(reader.next(&mut chunk), Ok(None));
    assert!(reader.begun.capacity() <= 64 << 10);
}
