//! One record, read from where the index says it lies.

use std::io;

use bytes::{Bytes, BytesMut};
use quark_shards::io::File;
use quark_shards::shard::Shard;

use super::format::{RECORD_HEADER, RecordHeader, body_crc, names_match};
use super::index::{Entry, Place};
use super::log::Log;
use crate::provider::{RecordKey, StoreError};

/// Read at first; most records are smaller.
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
        let (header, body) = self.read_at(entry.place(), sequence).await?;
        if header.fingerprint != key.fingerprint() || !names_match(&header, &body, key) {
            return Err(StoreError::Refused {
                place: self.folder.display().to_string(),
                why: format!("{key} can't be told from another record: call it something else"),
            });
        }
        Ok((header, body))
    }

    /// The record at `place`, whole.
    pub(super) async fn read_at(
        &self,
        place: Place,
        sequence: Option<u64>,
    ) -> Result<(RecordHeader, Bytes), StoreError> {
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
        let first = read_some(&self.shard, &file, FIRST_READ, place.offset);
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
        let body = if end < FIRST_READ / 2 {
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
