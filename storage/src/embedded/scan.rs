//! Reads a segment from its beginning to its end, a piece in memory at a time, and tells what is
//! whole from what is not.

use std::io;
use std::rc::Rc;

use bytes::BytesMut;
use quark_shards::io::File;
use quark_shards::shard::Shard;

use super::format::{
    BATCH_HEADER, BLOCK, BatchHeader, GRAIN, LogId, RECORD_HEADER, RecordHeader, body_crc,
};
use super::read::read_some;

/// Read at once, in bytes.
const PIECE: usize = 1 << 20;

/// What is known of a segment before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bounds {
    /// Where the first batch begins that is to be read; 0 for the segment's first.
    pub(super) from: u64,
    /// The number of the next batch there, if that is known.
    pub(super) first: Option<u64>,
    /// The number of the next segment's first batch: from there on it is leftovers.
    pub(super) limit: Option<u64>,
}

/// Goes through one segment.
pub(super) struct Scanner {
    shard: Rc<Shard>,
    file: Rc<File>,
    log: LogId,
    salt: u32,
    segment: u32,
    size: u64,
    /// The number of the next batch; `None` if the segment does not say.
    expected: Option<u64>,
    /// The number of the next segment's first batch: from there on it is leftovers.
    limit: Option<u64>,
    at: u64,
    /// Where what is no batch begins.
    gap: Option<u64>,
    /// Whether something was found there.
    junk: bool,
    done: bool,
    window: Window,
}

#[derive(Default)]
struct Window {
    base: u64,
    bytes: BytesMut,
}

/// A record whose header is whole.
pub(super) struct Told {
    /// Where it begins in its segment.
    pub(super) offset: u64,
    pub(super) header: RecordHeader,
    /// Whether its body is, too.
    pub(super) is_whole: bool,
}

/// A stretch of a segment.
pub(super) enum Piece {
    /// A whole batch.
    Batch { at: u64, header: BatchHeader },
    /// There were `missing` batches here (where that is known), and they are not whole.
    Rot {
        from: u64,
        to: u64,
        missing: Option<u64>,
    },
    /// Something that never became a batch: nothing follows it.
    Torn { from: u64 },
}

impl Scanner {
    pub(super) fn new(
        shard: Rc<Shard>,
        file: Rc<File>,
        log: LogId,
        segment: u32,
        size: u64,
        bounds: Bounds,
    ) -> Self {
        Scanner {
            shard,
            file,
            log,
            salt: log.salt(),
            segment,
            size,
            expected: bounds.first,
            limit: bounds.limit,
            at: bounds.from.max(BLOCK as u64),
            gap: None,
            junk: false,
            done: false,
            window: Window::default(),
        }
    }

    /// The number that the next batch would have.
    pub(super) fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// The next stretch; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Piece>> {
        while !self.done && self.at < self.size {
            self.ensure(self.at, BLOCK).await?;
            let block = self.window.get(self.at, BLOCK);
            if block.len() < BATCH_HEADER {
                break;
            }
            let header = BatchHeader::parse(block, self.log, self.segment, self.at);
            let is_empty = block.iter().all(|byte| *byte == 0);
            match header {
                Some(header) if self.is_leftover(header.number) => {
                    self.done = true;
                    break;
                }
                Some(header) if self.is_next(&header) && self.is_whole(&header).await? => {
                    if let Some(rot) = self.rot_before(header.number) {
                        return Ok(Some(rot));
                    }
                    let at = self.at;
                    self.at += header.len().next_multiple_of(BLOCK) as u64;
                    self.expected = Some(header.number + 1);
                    self.gap = None;
                    self.junk = false;
                    return Ok(Some(Piece::Batch { at, header }));
                }
                _ => {
                    self.gap.get_or_insert(self.at);
                    self.junk |= !is_empty;
                    self.at += BLOCK as u64;
                }
            }
        }
        self.done = true;
        Ok(self.end())
    }

    /// What lies behind the last batch.
    fn end(&mut self) -> Option<Piece> {
        let from = self.gap.take();
        let missing = match (self.expected, self.limit) {
            (Some(expected), Some(limit)) => limit.saturating_sub(expected),
            _ => 0,
        };
        self.expected = self.limit.or(self.expected);
        if missing > 0 {
            return Some(Piece::Rot {
                from: from.unwrap_or(self.at).min(self.size),
                to: self.size,
                missing: Some(missing),
            });
        }
        (self.junk && self.limit.is_none()).then_some(Piece::Torn { from: from? })
    }

    fn is_leftover(&self, number: u64) -> bool {
        self.limit.is_some_and(|limit| number >= limit)
    }

    fn is_next(&self, header: &BatchHeader) -> bool {
        self.expected
            .is_none_or(|expected| header.number >= expected)
    }

    async fn is_whole(&mut self, header: &BatchHeader) -> io::Result<bool> {
        self.ensure(self.at, header.len()).await?;
        let batch = self.window.get(self.at, header.len());
        Ok(batch.len() == header.len() && header.holds(&batch[BATCH_HEADER..], self.log))
    }

    /// What was to come before batch `number`, if it is not there.
    fn rot_before(&mut self, number: u64) -> Option<Piece> {
        let missing = self.expected.map(|expected| number - expected);
        // Batches lie close together, so even a gap of zeros says that one is missing.
        let unknown = self.expected.is_none() && self.gap.is_some();
        if missing.unwrap_or(0) == 0 && !unknown && !self.junk {
            return None;
        }
        let from = self.gap.take().unwrap_or(self.at);
        self.expected = Some(number);
        self.junk = false;
        Some(Piece::Rot {
            from,
            to: self.at,
            missing,
        })
    }

    /// The records of `piece` that can be told.
    pub(super) async fn records(&mut self, piece: &Piece) -> io::Result<Vec<Told>> {
        match *piece {
            Piece::Batch { at, header } => {
                let from = at + BATCH_HEADER as u64;
                self.walk(from, at + header.len() as u64, true).await
            }
            Piece::Rot { from, to, .. } => self.walk(from, to, false).await,
            Piece::Torn { .. } => Ok(Vec::new()),
        }
    }

    /// Every record between `from` and `to` whose header is whole; also those within one whose body
    /// is not, unless all `are_whole`.
    async fn walk(&mut self, from: u64, to: u64, are_whole: bool) -> io::Result<Vec<Told>> {
        let mut found = Vec::new();
        let mut at = from;
        while at + RECORD_HEADER as u64 <= to {
            self.ensure(at, RECORD_HEADER).await?;
            let bytes = self.window.get(at, RECORD_HEADER);
            if bytes.len() < RECORD_HEADER {
                break;
            }
            match RecordHeader::parse(bytes, self.salt) {
                Some(header) if at + RECORD_HEADER as u64 + u64::from(header.body_len) <= to => {
                    let is_whole = are_whole || self.is_whole_record(at, &header).await?;
                    found.push(Told {
                        offset: at,
                        header,
                        is_whole,
                    });
                    // A length that was written for another place must hide nothing.
                    let len = if is_whole {
                        header.len()
                    } else {
                        RECORD_HEADER.next_multiple_of(GRAIN)
                    };
                    at += len as u64;
                }
                _ => at += GRAIN as u64,
            }
        }
        Ok(found)
    }

    async fn is_whole_record(&mut self, at: u64, header: &RecordHeader) -> io::Result<bool> {
        let (salt, len) = (self.salt, header.body_len as usize);
        let body = self.bytes(at + RECORD_HEADER as u64, len).await?;
        Ok(body.len() == len && body_crc(body, salt) == header.body_crc)
    }

    /// Up to `len` bytes from `at` on, as they lie there.
    pub(super) async fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        self.ensure(at, len).await?;
        Ok(self.window.get(at, len))
    }

    async fn ensure(&mut self, at: u64, len: usize) -> io::Result<()> {
        let len = len.min(usize::try_from(self.size.saturating_sub(at)).unwrap_or(len));
        if self.window.get(at, len).len() >= len {
            return Ok(());
        }
        let bytes = read_some(&self.shard, &self.file, len.max(PIECE), at).await?;
        self.window = Window { base: at, bytes };
        Ok(())
    }
}

impl Window {
    /// What there is of `len` bytes from `at` on.
    fn get(&self, at: u64, len: usize) -> &[u8] {
        let Some(start) = at
            .checked_sub(self.base)
            .and_then(|at| usize::try_from(at).ok())
        else {
            return &[];
        };
        let end = start.saturating_add(len).min(self.bytes.len());
        self.bytes.get(start..end).unwrap_or_default()
    }
}
