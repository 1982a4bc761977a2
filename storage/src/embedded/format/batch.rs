//! What is written at once: a header, and records behind it.

use quark_shards::planted::{Bug, planted};

use super::super::index::SEQUENCES_MOST;
use super::{BLOCK, LogId, put, u32_at, u64_at};

/// Bytes before a batch's first record.
pub(in crate::embedded) const BATCH_HEADER: usize = 64;
/// No batch is longer: the most that one operation needs, with room for what shares it.
const BODY_MOST: usize = 8 << 20;
/// The next sequence is below this; above [`SEQUENCES_MOST`] it is never given, but counted on.
pub(super) const NEXT_SEQUENCES_MOST: u64 = SEQUENCES_MOST << 4;
const MAGIC: u32 = 0x5441_4251;
const CRC: usize = 60;

/// What a batch says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct BatchHeader {
    /// Batches are numbered without gaps, through all segments.
    pub(in crate::embedded) number: u64,
    pub(in crate::embedded) segment: u32,
    /// Where it begins, in blocks: a batch that landed elsewhere is none.
    pub(in crate::embedded) block: u32,
    pub(in crate::embedded) body_len: u32,
    pub(in crate::embedded) records: u32,
    pub(in crate::embedded) oldest: u32,
    pub(in crate::embedded) next_sequence: u64,
    pub(in crate::embedded) body_crc: u32,
}

impl BatchHeader {
    /// Writes the header at the beginning of `batch`, whose records are in place.
    pub(in crate::embedded) fn encode(&self, batch: &mut [u8], log: LogId) {
        put(batch, 0, &MAGIC.to_le_bytes());
        put(batch, 4, &self.body_len.to_le_bytes());
        put(batch, 8, &self.number.to_le_bytes());
        put(batch, 16, &log.directory.to_le_bytes());
        put(batch, 24, &self.segment.to_le_bytes());
        put(batch, 28, &self.block.to_le_bytes());
        put(batch, 32, &self.next_sequence.to_le_bytes());
        put(batch, 40, &self.records.to_le_bytes());
        put(batch, 44, &self.oldest.to_le_bytes());
        put(batch, 48, &self.body_crc.to_le_bytes());
        let crc = crc32c::crc32c_append(log.salt(), &batch[..CRC]);
        put(batch, CRC, &crc.to_le_bytes());
    }

    /// The header of a batch at `offset` of `segment`, if there is one.
    pub(in crate::embedded) fn parse(
        bytes: &[u8],
        log: LogId,
        segment: u32,
        offset: u64,
    ) -> Option<Self> {
        if bytes.len() < BATCH_HEADER || u32_at(bytes, 0) != MAGIC {
            return None;
        }
        if u32_at(bytes, CRC) != crc32c::crc32c_append(log.salt(), &bytes[..CRC]) {
            return None;
        }
        let header = BatchHeader {
            number: u64_at(bytes, 8),
            segment: u32_at(bytes, 24),
            block: u32_at(bytes, 28),
            body_len: u32_at(bytes, 4),
            records: u32_at(bytes, 40),
            oldest: u32_at(bytes, 44),
            next_sequence: u64_at(bytes, 32),
            body_crc: u32_at(bytes, 48),
        };
        let at_home = u64_at(bytes, 16) == log.directory
            && header.segment == segment
            && u64::from(header.block) * BLOCK as u64 == offset;
        let within = header.body_len as usize <= BODY_MOST
            && header.number < SEQUENCES_MOST
            && header.next_sequence < NEXT_SEQUENCES_MOST;
        (at_home && within).then_some(header)
    }

    /// Whether `body` is what was written behind this header.
    pub(in crate::embedded) fn holds(&self, body: &[u8], log: LogId) -> bool {
        crc32c::crc32c_append(log.salt(), body) == self.body_crc || planted(Bug::ChecksumIgnored)
    }

    /// Header and body together, in bytes.
    pub(in crate::embedded) fn len(&self) -> usize {
        BATCH_HEADER + self.body_len as usize
    }
}
