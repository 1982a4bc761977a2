//! A snapshot of what is known of a log's records: a header, and parts of items of one kind.
//!
//! Each part has a checksum, the number of its place in the file, and stands on blocks of its own;
//! the last one says that it is. Without that, a snapshot is none.

use super::super::index::SEQUENCES_MOST;
use super::batch::NEXT_SEQUENCES_MOST;
use super::{BLOCK, Fault, LogId, VERSION, blocks, put, u16_at, u32_at, u64_at};

const MAGIC: &[u8; 8] = b"QUARKSNP";
const CRC: usize = 72;
const PART_MAGIC: u32 = 0x5450_4e53;
const PART_HEADER: usize = 24;
const PART_CRC: usize = 20;
const ITEM: usize = 24;

/// Items of a part at most; few in tests, so that what happens between parts does.
pub(in crate::embedded) const PART_ITEMS: usize = if cfg!(test) { 16 } else { 5456 };
/// No part is longer, in bytes.
pub(in crate::embedded) const PART_BYTES: usize = blocks(PART_HEADER + PART_ITEMS * ITEM);

/// An item, as words; what they are depends on the kind of its part.
pub(in crate::embedded) type Item = [u64; 3];

/// Where in its log a snapshot was taken: it has what every batch before has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Position {
    pub(in crate::embedded) segment: u32,
    /// Where the next batch begins; 0 if the segment was not begun yet.
    pub(in crate::embedded) offset: u64,
    /// The next batch's number.
    pub(in crate::embedded) batch: u64,
}

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct SnapshotHeader {
    pub(in crate::embedded) log: LogId,
    /// Its number: later ones have higher ones.
    pub(in crate::embedded) number: u32,
    pub(in crate::embedded) position: Position,
    /// The oldest segment that was still of the log.
    pub(in crate::embedded) oldest: u32,
    /// No record before its position has this sequence or a higher one.
    pub(in crate::embedded) next_sequence: u64,
    /// About how many records it knows.
    pub(in crate::embedded) records: u64,
}

impl SnapshotHeader {
    pub(in crate::embedded) fn encode(&self, block: &mut [u8]) {
        put(block, 0, MAGIC);
        put(block, 8, &VERSION.to_le_bytes());
        put(block, 10, &self.log.shard.to_le_bytes());
        put(block, 12, &self.log.generation.to_le_bytes());
        put(block, 16, &self.log.directory.to_le_bytes());
        put(block, 24, &self.number.to_le_bytes());
        put(block, 28, &self.oldest.to_le_bytes());
        put(block, 32, &self.position.segment.to_le_bytes());
        put(block, 40, &self.position.offset.to_le_bytes());
        put(block, 48, &self.position.batch.to_le_bytes());
        put(block, 56, &self.next_sequence.to_le_bytes());
        put(block, 64, &self.records.to_le_bytes());
        let crc = crc32c::crc32c(&block[..CRC]);
        put(block, CRC, &crc.to_le_bytes());
    }

    /// The header at the beginning of `block`, which must be that of snapshot `number` of `log`.
    pub(in crate::embedded) fn parse(block: &[u8], log: LogId, number: u32) -> Result<Self, Fault> {
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
        let header = SnapshotHeader {
            log: LogId {
                directory: u64_at(block, 16),
                generation: u32_at(block, 12),
                shard: u16_at(block, 10),
            },
            number: u32_at(block, 24),
            position: Position {
                segment: u32_at(block, 32),
                offset: u64_at(block, 40),
                batch: u64_at(block, 48),
            },
            oldest: u32_at(block, 28),
            next_sequence: u64_at(block, 56),
            records: u64_at(block, 64),
        };
        let within =
            header.position.batch < SEQUENCES_MOST && header.next_sequence < NEXT_SEQUENCES_MOST;
        match header.log == log && header.number == number {
            true if within => Ok(header),
            true => Err(Fault::Damaged),
            false => Err(Fault::Foreign),
        }
    }
}

/// What a part's items are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum PartKind {
    /// Entries of the index.
    Records,
    /// Slots' epochs.
    Fences,
    /// When reminders are due.
    Due,
    /// Nothing: it is the last part.
    End,
}

/// Some items of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Part<'a> {
    pub(in crate::embedded) kind: PartKind,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// The part at the beginning of `bytes`, which must be the `place`-th of its file.
    pub(in crate::embedded) fn parse(
        bytes: &'a [u8],
        log: LogId,
        snapshot: u32,
        place: u32,
    ) -> Result<Self, Fault> {
        if bytes.len() < PART_HEADER || u32_at(bytes, 0) != PART_MAGIC {
            return Err(Fault::Damaged);
        }
        let kind = match u32_at(bytes, 4) {
            1 => PartKind::Records,
            2 => PartKind::Fences,
            3 => PartKind::Due,
            4 => PartKind::End,
            _ => return Err(Fault::Damaged),
        };
        let items = u32_at(bytes, 16) as usize;
        if items > PART_ITEMS {
            return Err(Fault::Damaged);
        }
        let body = bytes.get(PART_HEADER..PART_HEADER + items * ITEM);
        let body = body.ok_or(Fault::Damaged)?;
        if u32_at(bytes, PART_CRC) != part_crc(&bytes[..PART_CRC], body, log) {
            return Err(Fault::Damaged);
        }
        if u32_at(bytes, 8) != snapshot || u32_at(bytes, 12) != place {
            return Err(Fault::Foreign);
        }
        Ok(Part { kind, bytes: body })
    }

    pub(in crate::embedded) fn items(self) -> impl Iterator<Item = Item> + 'a {
        let items = self.bytes.chunks_exact(ITEM);
        items.map(|item| [u64_at(item, 0), u64_at(item, 8), u64_at(item, 16)])
    }

    /// Bytes up to where the next part begins.
    pub(in crate::embedded) fn len(self) -> usize {
        part_len(self.bytes.len() / ITEM)
    }
}

/// Bytes that a part of so many items takes.
pub(in crate::embedded) fn part_len(items: usize) -> usize {
    blocks(PART_HEADER + items * ITEM)
}

/// Writes the `place`-th part of a snapshot at the beginning of `bytes`: as many as
/// [`part_len`] says, and zeros.
pub(in crate::embedded) fn encode_part(
    bytes: &mut [u8],
    kind: PartKind,
    items: &[Item],
    log: LogId,
    snapshot: u32,
    place: u32,
) {
    let kind: u32 = match kind {
        PartKind::Records => 1,
        PartKind::Fences => 2,
        PartKind::Due => 3,
        PartKind::End => 4,
    };
    put(bytes, 0, &PART_MAGIC.to_le_bytes());
    put(bytes, 4, &kind.to_le_bytes());
    put(bytes, 8, &snapshot.to_le_bytes());
    put(bytes, 12, &place.to_le_bytes());
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    put(bytes, 16, &count.to_le_bytes());
    for (item, into) in items
        .iter()
        .zip(bytes[PART_HEADER..].chunks_exact_mut(ITEM))
    {
        for (nth, word) in item.iter().enumerate() {
            put(into, nth * 8, &word.to_le_bytes());
        }
    }
    let (head, body) = bytes.split_at(PART_HEADER);
    let crc = part_crc(&head[..PART_CRC], &body[..items.len() * ITEM], log);
    put(bytes, PART_CRC, &crc.to_le_bytes());
}

fn part_crc(head: &[u8], body: &[u8], log: LogId) -> u32 {
    let crc = crc32c::crc32c_append(log.salt(), head);
    crc32c::crc32c_append(crc, body)
}

/// Every part of a whole snapshot, as `number` of `log`; what it takes of memory is bounded by
/// `bytes`.
#[cfg(test)]
pub(in crate::embedded) fn parse_snapshot(
    bytes: &[u8],
    log: LogId,
    number: u32,
) -> Result<(SnapshotHeader, Vec<Part<'_>>), Fault> {
    let header = SnapshotHeader::parse(bytes, log, number)?;
    let mut parts = Vec::new();
    let mut at = BLOCK;
    loop {
        let place = u32::try_from(parts.len()).map_err(|_| Fault::Damaged)?;
        let rest = bytes.get(at..).unwrap_or_default();
        let part = Part::parse(rest, log, number, place)?;
        if part.kind == PartKind::End {
            return Ok((header, parts));
        }
        at += part.len();
        parts.push(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId {
        directory: 7,
        generation: 2,
        shard: 1,
    };

    fn header() -> SnapshotHeader {
        SnapshotHeader {
            log: LOG,
            number: 3,
            position: Position {
                segment: 4,
                offset: 8192,
                batch: 55,
            },
            oldest: 2,
            next_sequence: 99,
            records: 17,
        }
    }

    fn whole() -> Vec<u8> {
        let mut bytes = vec![0; BLOCK];
        header().encode(&mut bytes);
        let items: Vec<Item> = (0..PART_ITEMS as u64).map(|nth| [nth, 1, 2]).collect();
        let parts = [
            (PartKind::Records, &items[..]),
            (PartKind::Records, &items[..1]),
            (PartKind::Fences, &items[..2]),
            (PartKind::Due, &items[..0]),
            (PartKind::End, &[]),
        ];
        for (place, (kind, items)) in parts.into_iter().enumerate() {
            let mut part = vec![0; part_len(items.len())];
            encode_part(&mut part, kind, items, LOG, 3, place as u32);
            bytes.extend(part);
        }
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = whole();
        let (found, parts) = parse_snapshot(&bytes, LOG, 3).expect("it is whole");
        assert_eq!(found, header());
        let kinds: Vec<_> = parts.iter().map(|part| part.kind).collect();
        let records = PartKind::Records;
        assert_eq!(kinds, [records, records, PartKind::Fences, PartKind::Due]);
        assert_eq!(parts[0].items().count(), PART_ITEMS);
        assert_eq!(parts[2].items().collect::<Vec<_>>(), [[0, 1, 2], [1, 1, 2]]);
    }

    #[test]
    fn whatever_is_cut_flipped_or_elsewhere_is_refused() {
        let bytes = whole();
        for cut in (0..bytes.len() - BLOCK).step_by(61) {
            assert!(parse_snapshot(&bytes[..cut], LOG, 3).is_err(), "{cut}");
        }
        let mut refused = 0;
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            // What nothing is in changes nothing.
            match parse_snapshot(&bytes, LOG, 3) {
                Ok((found, _)) => assert_eq!(found, header()),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 400, "{refused}");
        let other = LogId { shard: 2, ..LOG };
        assert_eq!(parse_snapshot(&bytes, other, 3), Err(Fault::Foreign));
        assert_eq!(parse_snapshot(&bytes, LOG, 4), Err(Fault::Foreign));
        let mut swapped = bytes.clone();
        let (one, other) = swapped[BLOCK..].split_at_mut(BLOCK);
        one[..BLOCK].swap_with_slice(&mut other[..BLOCK]);
        assert_eq!(parse_snapshot(&swapped, LOG, 3), Err(Fault::Foreign));
        let mut newer = bytes;
        newer[8] = 2;
        let crc = crc32c::crc32c(&newer[..CRC]);
        newer[CRC..CRC + 4].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(parse_snapshot(&newer, LOG, 3), Err(Fault::Newer(2)));
    }
}
