//! One record, read from where the index says it lies.
//!
//! By the driver, not through a memory map of its segment, for maps lose where they are to help. A
//! fault would stall the core, so the driver has to fault the pages in first (`MADV_POPULATE_READ`),
//! and the kernel hands that to a worker thread. Records of 176 bytes at random places of 512 MiB,
//! on two busy virtual cores, in microseconds each:
//!
//! | | read | map, populated by the ring |
//! |---|---|---|
//! | not in the cache, one at a time | 95 to 168 | 258 to 417 |
//! | not in the cache, 64 at a time | 19 to 29 | 65 to 119 |
//! | in the cache, one at a time | 4.7 to 6.7 | 14 to 20 |
//! | in the cache, 64 at a time | 2.9 to 3.6 | 2.0 to 3.3, and the worker's core |
//!
//! What does help is to read no more than the record: 4096 bytes take 4.8 to 5.6 in the last row.

use std::io;

use bytes::{Bytes, BytesMut};
use quark_shards::io::File;
use quark_shards::shard::Shard;

use super::format::{RECORD_HEADER, RecordHeader, body_crc, names_match};
use super::index::{Entry, Marked};
use super::log::Log;
use crate::provider::{RecordKey, StoreError};

/// Read at first of a record of events, of which it is not known how long they are together.
const FIRST_READ: usize = 4096;

impl Log {
    /// The record that `entry` points to, if it is of `key`. Where it is to have a sequence, it is
    /// compared.
    pub(super) async fn read(
        &self,
        entry: Entry,
        sequence: Option<u64>,
        key: &RecordKey,
    ) -> Result<(RecordHeader, Bytes), StoreError> {
        let (header, body) = self.read_any(entry, sequence).await?;
        if header.fingerprint != key.fingerprint() || !names_match(&header, &body, key) {
            return Err(StoreError::Refused {
                place: self.folder.display().to_string(),
                why: format!("{key} can't be told from another record: call it something else"),
            });
        }
        Ok((header, body))
    }

    /// The record that `entry` points to, whole, whoever's it is.
    pub(super) async fn read_any(
        &self,
        entry: Entry,
        sequence: Option<u64>,
    ) -> Result<(RecordHeader, Bytes), StoreError> {
        let place = entry.place();
        let damaged = |why: &str| StoreError::Damaged {
            what: format!(
                "the record at {} of {}",
                place.offset,
                self.path(place.segment).display()
            ),
            why: why.to_owned(),
        };
        let file = {
            let state = self.state.borrow();
            let segment = state.segments.get(&place.segment);
            let segment = segment.ok_or_else(|| damaged("its file is gone"))?;
            segment.file.clone()
        };
        let unreadable = |error: io::Error| StoreError::Unavailable {
            place: self.folder.display().to_string(),
            why: error.to_string(),
        };
        let first = match entry.kind() {
            Marked::State | Marked::Reminder => entry.size_most(),
            Marked::Journal | Marked::Event => FIRST_READ,
        };
        let first = read_some(&self.shard, &file, first, place.offset);
        let mut bytes = first.await.map_err(unreadable)?;
        let header = RecordHeader::parse(&bytes, self.salt);
        let header = header.ok_or_else(|| damaged("its header is not what was written"))?;
        if sequence.is_some_and(|sequence| sequence != header.sequence) {
            return Err(damaged("another record lies there"));
        }
        let end = RECORD_HEADER + header.body_len as usize;
        if bytes.len() < end {
            let at = place.offset + bytes.len() as u64;
            let rest = read_some(&self.shard, &file, end - bytes.len(), at);
            bytes.extend_from_slice(&rest.await.map_err(unreadable)?);
        }
        if bytes.len() < end {
            return Err(damaged("its file ends within it"));
        }
        bytes.truncate(end);
        let body = &bytes[RECORD_HEADER..];
        if body_crc(body, self.salt) != header.body_crc {
            return Err(damaged("its checksum does not match"));
        }
        // A small value must not keep a whole read's memory.
        let body = if end < bytes.capacity() / 2 {
            Bytes::copy_from_slice(body)
        } else {
            bytes.freeze().slice(RECORD_HEADER..)
        };
        Ok((header, body))
    }
}

/// Up to `len` bytes: fewer only at the file's end.
pub(super) async fn read_some(
    shard: &Shard,
    file: &File,
    len: usize,
    offset: u64,
) -> io::Result<BytesMut> {
    let mut bytes = BytesMut::with_capacity(len);
    while bytes.len() < len {
        let before = bytes.len();
        bytes = file.read_at(shard, bytes, offset + before as u64).await?;
        if bytes.len() == before {
            break;
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}
