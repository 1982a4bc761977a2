//! What is whole in a log's files, told from the format's description alone: version 1, layout and
//! checksums written down a second time, so that the log is held against something.

use crate::provider::RecordKey;

/// Bytes of a record's header, with its checksum at the end.
pub(super) const RECORD: usize = 56;
/// Bytes of a batch's.
pub(super) const BATCH: usize = 64;
/// Where a segment's header ends, before its checksum.
const SEGMENT_CRC: usize = 48;
/// The same of a snapshot's.
const SNAPSHOT_CRC: usize = 72;
/// Bytes of the header of a snapshot's part, with its checksum at the end.
const PART: usize = 24;
const BLOCK: usize = 4096;

/// A record that is whole.
pub(super) struct Whole {
    kind: u8,
    sequence: u64,
    fingerprint: u128,
    number: u64,
    count: u16,
    body: Vec<u8>,
}

/// All records in `file` that are whole.
pub(super) fn whole_records(file: &[u8], salt: u32) -> Vec<Whole> {
    let starts = (0..file.len().saturating_sub(RECORD)).step_by(16);
    starts.filter_map(|at| whole(&file[at..], salt)).collect()
}

fn whole(bytes: &[u8], salt: u32) -> Option<Whole> {
    let crc = crc32c::crc32c_append(salt, bytes.get(..RECORD - 4)?);
    if u32_at(bytes, RECORD - 4) != crc {
        return None;
    }
    let body = bytes.get(RECORD..RECORD + u32_at(bytes, 0) as usize)?;
    (u32_at(bytes, 48) == crc32c::crc32c_append(salt, body)).then(|| Whole {
        kind: bytes[4],
        sequence: u64_at(bytes, 8),
        fingerprint: u128::from(u64_at(bytes, 16)) | u128::from(u64_at(bytes, 24)) << 64,
        number: u64_at(bytes, 32),
        count: u16::from_le_bytes([bytes[46], bytes[47]]),
        body: body.to_vec(),
    })
}

impl Whole {
    /// What is kept of `key`, if this is a record of it and of `kind`.
    fn value(&self, kind: u8, key: &RecordKey) -> Option<&[u8]> {
        let names = [key.actor(), key.key(), key.name()].concat();
        let is_it = self.kind == kind && self.fingerprint == key.fingerprint();
        self.body.strip_prefix(names.as_bytes()).filter(|_| is_it)
    }

    /// Whether this is the state of `key` with such a value and E-tag.
    pub(super) fn is_state(&self, key: &RecordKey, etag: u64, value: &[u8]) -> bool {
        self.sequence == etag && self.value(1, key) == Some(value)
    }

    /// Whether this is the reminder of `key`, due then, with such an E-tag.
    pub(super) fn is_reminder(&self, key: &RecordKey, etag: u64, due: u64) -> bool {
        let is_due = |value: &[u8]| value.len() == 17 && u64_at(value, 0) == due;
        self.sequence == etag && self.value(4, key).is_some_and(is_due)
    }

    /// Whether this has event `number` of `key`, and it is `event`.
    pub(super) fn has_event(&self, key: &RecordKey, number: u64, event: &[u8]) -> bool {
        let Some(value) = self.value(3, key) else {
            return false;
        };
        let nth = number.wrapping_sub(self.number);
        if nth >= u64::from(self.count) || value.len() < 4 * usize::from(self.count) {
            return false;
        }
        let len = |nth: usize| u32_at(value, nth * 4) as usize;
        let nth = nth as usize;
        let before: usize = (0..nth).map(len).sum();
        let from = 4 * usize::from(self.count) + before;
        value.get(from..from + len(nth)) == Some(event)
    }
}

/// Makes the checksums right of the record that `bytes` begin with.
pub(super) fn seal_record(bytes: &mut [u8], salt: u32) {
    if bytes.len() < RECORD {
        return;
    }
    let end = RECORD.saturating_add(u32_at(bytes, 0) as usize);
    if let Some(body) = bytes.get(RECORD..end) {
        let crc = crc32c::crc32c_append(salt, body);
        bytes[48..52].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32c::crc32c_append(salt, &bytes[..RECORD - 4]);
    bytes[RECORD - 4..RECORD].copy_from_slice(&crc.to_le_bytes());
}

/// Makes the checksums right of the batch that `bytes` begin with.
pub(super) fn seal_batch(bytes: &mut [u8], salt: u32) {
    if bytes.len() < BATCH {
        return;
    }
    let end = BATCH.saturating_add(u32_at(bytes, 4) as usize);
    if let Some(body) = bytes.get(BATCH..end) {
        let crc = crc32c::crc32c_append(salt, body);
        bytes[48..52].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = crc32c::crc32c_append(salt, &bytes[..BATCH - 4]);
    bytes[BATCH - 4..BATCH].copy_from_slice(&crc.to_le_bytes());
}

/// Makes the checksum right of the segment's header that `bytes` begin with.
pub(super) fn seal_segment(bytes: &mut [u8]) {
    if bytes.len() >= SEGMENT_CRC + 4 {
        let crc = crc32c::crc32c(&bytes[..SEGMENT_CRC]);
        bytes[SEGMENT_CRC..SEGMENT_CRC + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Makes the checksums right of a snapshot's header and of its parts, as long as their lengths lead
/// from one to the next.
pub(super) fn seal_snapshot(file: &mut [u8], salt: u32) {
    if file.len() < SNAPSHOT_CRC + 4 {
        return;
    }
    let crc = crc32c::crc32c(&file[..SNAPSHOT_CRC]);
    file[SNAPSHOT_CRC..SNAPSHOT_CRC + 4].copy_from_slice(&crc.to_le_bytes());
    let mut at = BLOCK;
    while at + PART <= file.len() {
        let end = (u32_at(file, at + 16) as usize).saturating_mul(24);
        let end = (at + PART).saturating_add(end);
        let Some(body) = file.get(at + PART..end) else {
            return;
        };
        let crc = crc32c::crc32c_append(salt, &file[at..at + PART - 4]);
        let crc = crc32c::crc32c_append(crc, body);
        file[at + PART - 4..at + PART].copy_from_slice(&crc.to_le_bytes());
        at = end.next_multiple_of(BLOCK);
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let there = bytes.get(at..).and_then(|rest| rest.first_chunk());
    u32::from_le_bytes(there.copied().unwrap_or_default())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let there = bytes.get(at..).and_then(|rest| rest.first_chunk());
    u64::from_le_bytes(there.copied().unwrap_or_default())
}
