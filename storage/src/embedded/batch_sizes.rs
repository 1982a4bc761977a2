//! How a log was written: for those who hold its speed against the disk's.

use super::format::{BLOCK, BatchHeader, SegmentHeader, blocks};

/// What one batch of a log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize {
    /// Bytes that were written, in whole blocks of 4096.
    pub bytes: usize,
    /// Records that became durable with them.
    pub records: u32,
}

/// The batches in a segment, whose file's bytes are `segment`, in the order they were written; up
/// to the first that is none. Empty for a file that is no segment.
#[must_use]
pub fn batch_sizes(segment: &[u8]) -> Vec<BatchSize> {
    let mut sizes = Vec::new();
    let Ok(header) = SegmentHeader::parse_any(segment) else {
        return sizes;
    };
    let mut at = BLOCK;
    while let Some(batch) = segment
        .get(at..)
        .and_then(|bytes| BatchHeader::parse(bytes, header.log, header.segment, at as u64))
    {
        let bytes = blocks(batch.len());
        sizes.push(BatchSize {
            bytes,
            records: batch.records,
        });
        at += bytes;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::format::LogId;

    fn segment(sizes: &[(usize, u32)]) -> Vec<u8> {
        let log = LogId {
            directory: 7,
            generation: 2,
            shard: 1,
        };
        let header = SegmentHeader {
            log,
            segment: 3,
            oldest: 3,
            first_batch: 10,
            next_sequence: 99,
        };
        let mut bytes = vec![0; BLOCK];
        header.encode(&mut bytes);
        for (number, (body_len, records)) in sizes.iter().enumerate() {
            let header = BatchHeader {
                number: 10 + number as u64,
                segment: 3,
                block: (bytes.len() / BLOCK) as u32,
                body_len: *body_len as u32,
                records: *records,
                oldest: 3,
                next_sequence: 99,
                body_crc: 0,
            };
            let mut batch = vec![0; blocks(header.len())];
            header.encode(&mut batch, log);
            bytes.extend(batch);
        }
        bytes
    }

    #[test]
    fn batches_are_told_by_their_headers_up_to_the_first_that_is_none() {
        let mut bytes = segment(&[(100, 1), (5_000, 64), (4_032, 40)]);
        bytes.resize(bytes.len() + 3 * BLOCK, 0);
        let found: Vec<_> = batch_sizes(&bytes)
            .iter()
            .map(|size| (size.bytes, size.records))
            .collect();
        assert_eq!(found, [(BLOCK, 1), (2 * BLOCK, 64), (BLOCK, 40)]);
        bytes[BLOCK] ^= 1;
        assert_eq!(batch_sizes(&bytes), []);
        for cut in [0, 100, BLOCK] {
            assert_eq!(batch_sizes(&bytes[..cut]), []);
        }
        bytes[0] ^= 1;
        assert_eq!(batch_sizes(&bytes), []);
    }
}
