//! What the fuzz targets call: bytes that may be anything are read as what lies on disk.
//!
//! Each function takes any bytes, and panics where the log does what it must not. `image` makes
//! files of them, `truth` says of its own knowledge of the format what is whole in those, `segment`
//! has the log read them, and `snapshot` a snapshot of them.

mod image;
mod segment;
mod snapshot;
mod truth;

use bytes::Bytes;

pub use self::segment::{sample, segment};
pub use self::snapshot::snapshot;
use super::format::{
    BatchHeader, LogId, Meta, RECORD_HEADER, RecordHeader, SegmentHeader, events_of, key_of,
    parse_reminder, value_of,
};

/// Any bytes as what a directory says of itself.
///
/// # Panics
/// If what was read is not written back as it was.
pub fn meta(data: &[u8]) {
    if let Ok(meta) = Meta::parse(data) {
        assert_eq!(Meta::parse(&meta.encode()), Ok(meta));
    }
}

/// Any bytes as headers and records. The first four are what checksums begin with.
///
/// # Panics
/// If what was read is not written back as it was.
pub fn record(data: &[u8]) {
    let Some((salt, bytes)) = data.split_first_chunk() else {
        return;
    };
    let salt = u32::from_le_bytes(*salt);
    let mut sealed = bytes.to_vec();
    truth::seal_record(&mut sealed, salt);
    for bytes in [bytes, &sealed] {
        let Some(header) = RecordHeader::parse(bytes, salt) else {
            continue;
        };
        let mut again = [0; RECORD_HEADER];
        header.encode(&mut again, salt);
        assert_eq!(RecordHeader::parse(&again, salt), Some(header));
        let end = RECORD_HEADER.saturating_add(header.body_len as usize);
        let body = bytes.get(RECORD_HEADER..end.min(bytes.len()));
        let body = Bytes::copy_from_slice(body.unwrap_or_default());
        if let Some(key) = key_of(&header, &body) {
            assert_eq!(key.fingerprint(), header.fingerprint);
        }
        let value = value_of(&header, &body);
        let _ = parse_reminder(&value);
        let events = events_of(&header, &body);
        let bytes: usize = events.iter().map(|event| event.value.len()).sum();
        assert!(bytes <= value.len() && events.len() <= usize::from(header.count));
    }
    let log = LogId {
        directory: u64::from(salt),
        generation: 1,
        shard: 0,
    };
    let _ = BatchHeader::parse(bytes, log, 1, super::format::BLOCK as u64);
    let _ = SegmentHeader::parse_any(bytes);
    let _ = super::batch_sizes(bytes);
}
