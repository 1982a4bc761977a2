//! What lies on disk, as bytes: pure functions, and every length checked.
//!
//! A log is a run of segments, a segment a header and batches, a batch a header and records.
//! Batches begin on blocks of their own, so that writing one never touches what is durable. A
//! snapshot spares reading what was written before it.

mod batch;
mod meta;
mod record;
mod segment;
mod snapshot;

pub(super) use self::batch::{BATCH_HEADER, BatchHeader};
pub(super) use self::meta::{META_BYTES, Meta};
pub(super) use self::record::{
    Kind, Names, RECORD_HEADER, RecordHeader, body_crc, encode_body, encode_reminder, events_of,
    key_of, names_match, parse_reminder, value_of,
};
pub(super) use self::segment::SegmentHeader;
pub(super) use self::snapshot::{
    Item, PART_BYTES, PART_ITEMS, Part, PartKind, Position, SnapshotHeader, encode_part, part_len,
};

/// The unit that a disk writes: batches begin at multiples of it. In bytes.
pub(super) const BLOCK: usize = 4096;
/// The newest version of the format that this program knows.
pub(super) const VERSION: u16 = 1;
/// Records begin at multiples of this, in bytes, so that the index can say where in 24 bits.
pub(super) const GRAIN: usize = 16;

/// Which log: told apart in every checksum, so that bytes of one are never taken for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogId {
    pub(super) directory: u64,
    pub(super) generation: u32,
    pub(super) shard: u16,
}

impl LogId {
    /// What this log's checksums begin with.
    pub(super) fn salt(self) -> u32 {
        let mut salt = crc32c::crc32c(&self.directory.to_le_bytes());
        salt = crc32c::crc32c_append(salt, &self.generation.to_le_bytes());
        crc32c::crc32c_append(salt, &self.shard.to_le_bytes())
    }
}

/// Why a header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not what was written there, or nothing was.
    Damaged,
    /// Written by a program that knows more.
    Newer(u16),
    /// Whole, but of another directory, generation, shard or segment.
    Foreign,
}

/// `len` rounded up to whole blocks.
pub(super) const fn blocks(len: usize) -> usize {
    len.next_multiple_of(BLOCK)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

/// Zeros where there is nothing: checksums tell.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let there = bytes.get(at..).and_then(<[u8]>::first_chunk);
    there.copied().unwrap_or([0; N])
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
