//! The first block of a segment.

use super::super::index::SEQUENCES_MOST;
use super::batch::NEXT_SEQUENCES_MOST;
use super::{BLOCK, Fault, LogId, VERSION, put, u16_at, u32_at, u64_at};

const MAGIC: &[u8; 8] = b"QUARKLOG";
const CRC: usize = 48;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct SegmentHeader {
    pub(in crate::embedded) log: LogId,
    pub(in crate::embedded) segment: u32,
    /// The oldest segment that was still of the log: those before are to be deleted.
    pub(in crate::embedded) oldest: u32,
    /// The number of its first batch. What the segment before it holds from that number on was
    /// never acknowledged: it was left behind by a crash.
    pub(in crate::embedded) first_batch: u64,
    /// No record before this segment has this sequence or a higher one.
    pub(in crate::embedded) next_sequence: u64,
}

impl SegmentHeader {
    pub(in crate::embedded) fn encode(&self, block: &mut [u8]) {
        put(block, 0, MAGIC);
        put(block, 8, &VERSION.to_le_bytes());
        put(block, 10, &self.log.shard.to_le_bytes());
        put(block, 12, &self.log.generation.to_le_bytes());
        put(block, 16, &self.log.directory.to_le_bytes());
        put(block, 24, &self.segment.to_le_bytes());
        put(block, 28, &self.oldest.to_le_bytes());
        put(block, 32, &self.first_batch.to_le_bytes());
        put(block, 40, &self.next_sequence.to_le_bytes());
        let crc = crc32c::crc32c(&block[..CRC]);
        put(block, CRC, &crc.to_le_bytes());
    }

    /// The header at the beginning of `block`, which must be that of `segment` of `log`.
    pub(in crate::embedded) fn parse(
        block: &[u8],
        log: LogId,
        segment: u32,
    ) -> Result<Self, Fault> {
        let header = Self::parse_any(block)?;
        if header.log == log && header.segment == segment {
            Ok(header)
        } else {
            Err(Fault::Foreign)
        }
    }

    /// The header at the beginning of `block`, of whatever log.
    pub(in crate::embedded) fn parse_any(block: &[u8]) -> Result<Self, Fault> {
        if block.len() < BLOCK || &block[..8] != MAGIC {
            return Err(Fault::Damaged);
        }
        if u32_at(block, CRC) != crc32c::crc32c(&block[..CRC]) {
            return Err(Fault::Damaged);
        }
        let version = u16_at(block, 8);
        if version != VERSION {
            return Err(Fault::Newer(version));
        }
        let header = SegmentHeader {
            log: LogId {
                directory: u64_at(block, 16),
                generation: u32_at(block, 12),
                shard: u16_at(block, 10),
            },
            segment: u32_at(block, 24),
            oldest: u32_at(block, 28),
            first_batch: u64_at(block, 32),
            next_sequence: u64_at(block, 40),
        };
        let within =
            header.first_batch < SEQUENCES_MOST && header.next_sequence < NEXT_SEQUENCES_MOST;
        within.then_some(header).ok_or(Fault::Damaged)
    }
}
