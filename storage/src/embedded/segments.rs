//! Segments as files: made, begun, opened.

use std::io;
use std::path::Path;
use std::rc::Rc;

use quark_shards::driver::OpenOptions;
use quark_shards::io::{File, names};
use quark_shards::planted::{Bug, planted};

use super::batch::aligned_block;
use super::format::{BLOCK, SegmentHeader};
use super::index::{SEGMENT_BYTES_MOST, SEGMENTS_MOST};
use super::log::Log;
use super::state::{Segment, Tail};
use crate::provider::StoreError;

/// Zeros written ahead at once, in bytes: batches go between.
const PIECE: usize = 256 << 10;
/// A launch begins with a segment of so many bytes, for whose zeros its first batches wait.
const FIRST: u64 = 8 << 20;
/// The next ones are such a part of the log: a small one is not zeroed and compacted in large steps.
const PART: u64 = 8;

/// Why something was not written.
#[derive(Clone, Debug)]
pub(super) enum WriteFault {
    /// There is no room; later there may be.
    Full,
    /// Nothing more is to be written.
    Broken(String),
}

impl WriteFault {
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => WriteFault::Full,
            _ => WriteFault::Broken(error.to_string()),
        }
    }

    pub(super) fn answer(&self, log: &Log) -> StoreError {
        match self {
            WriteFault::Full => StoreError::Full {
                place: log.folder.display().to_string(),
            },
            WriteFault::Broken(why) => StoreError::ReadOnly { why: why.clone() },
        }
    }
}

impl Log {
    /// Has room for a batch of `len` bytes at the tail.
    pub(super) async fn make_room(&self, len: u64) -> Result<(), WriteFault> {
        let fits = |tail: &Tail| tail.end + len <= tail.size;
        if self.state.borrow().tail.as_ref().is_some_and(fits) {
            return Ok(());
        }
        // Segments are numbered in the order of their batches.
        loop {
            let preparing = self.state.borrow().preparing.clone();
            match preparing {
                Some(fate) => drop(fate.settled().await),
                None => break,
            }
        }
        let mut spare = self.state.borrow_mut().spare.take();
        if let Some(small) = spare.take_if(|spare| BLOCK as u64 + len > spare.size) {
            // Recovery deletes it if this does not.
            let _ = names::remove(&*self.shard, self.path(small.number)).await;
        }
        let number = {
            let mut state = self.state.borrow_mut();
            state.next_segment += u32::from(spare.is_none());
            state.next_segment.saturating_sub(1)
        };
        let mut tail = match spare {
            Some(spare) => spare,
            None => {
                let size = self.next_size().max(BLOCK as u64 + len);
                self.create(number, size).await?
            }
        };
        let header = {
            let state = self.state.borrow();
            SegmentHeader {
                log: self.id,
                segment: tail.number,
                oldest: state.oldest,
                first_batch: state.next_batch,
                next_sequence: state.next_sequence,
            }
        };
        let block = aligned_block(BLOCK, |block| header.encode(block));
        let wrote = tail.file.write_durable(&*self.shard, block, 0).await;
        wrote.map_err(|error| WriteFault::of(&error))?;
        tail.end = BLOCK as u64;
        let mut state = self.state.borrow_mut();
        state.segments.insert(
            tail.number,
            Segment {
                file: tail.reader.clone(),
                size: tail.size,
                live: 0,
                live_bytes: 0,
            },
        );
        state.oldest = state.segments.keys().next().copied().unwrap_or(tail.number);
        state.tail = Some(tail);
        state.grown = true;
        Ok(())
    }

    /// How large the segment behind the tail is to be, in bytes.
    pub(super) fn next_size(&self) -> u64 {
        let state = self.state.borrow();
        let size = match &state.tail {
            None => FIRST,
            Some(tail) => {
                let log: u64 = state.segments.values().map(|segment| segment.size).sum();
                let part = log / PART / BLOCK as u64 * BLOCK as u64;
                part.clamp(FIRST, FIRST.max(2 * tail.size))
            }
        };
        size.min(self.config.segment_bytes)
    }

    /// Makes the file of segment `number`, filled with zeros if the configuration says so.
    pub(super) async fn create(&self, number: u32, size: u64) -> Result<Tail, WriteFault> {
        if number >= SEGMENTS_MOST || size > SEGMENT_BYTES_MOST {
            return Err(WriteFault::Broken(
                "the log has no more segments".to_owned(),
            ));
        }
        let made = self.try_create(number, size).await;
        if made.is_err() {
            // It takes room, and would be in the way.
            let _ = names::remove(&*self.shard, self.path(number)).await;
        }
        made.map_err(|error| WriteFault::of(&error))
    }

    async fn try_create(&self, number: u32, size: u64) -> io::Result<Tail> {
        let (cx, path) = (&*self.shard, self.path(number));
        let (file, is_direct) = self.open_new(&path).await?;
        match file.allocate(cx, 0, size).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(error) => return Err(error),
        }
        if self.config.zero_ahead {
            self.fill_with_zeros(&file, size).await?;
        }
        // Its length must be known before anything in it is.
        file.sync_data(cx).await?;
        let read = OpenOptions {
            read: true,
            ..OpenOptions::default()
        };
        let reader = Rc::new(File::open(cx, &path, read).await?);
        if !planted(Bug::LostName) {
            self.sync_names().await?;
        }
        self.state.borrow_mut().is_direct = is_direct;
        Ok(Tail {
            number,
            file: Rc::new(file),
            reader,
            size,
            end: BLOCK as u64,
        })
    }
}

impl Log {
    async fn fill_with_zeros(&self, file: &File, size: u64) -> io::Result<()> {
        let zeros = aligned_block(PIECE, |_| {});
        let mut at = 0;
        while at < size {
            let len = (size - at).min(PIECE as u64);
            let piece = zeros.slice(..len as usize);
            file.write_all_at(&*self.shard, piece, at).await?;
            at += len;
        }
        Ok(())
    }

    /// Opens an empty file at `path` for writing: past the system's cache, where that is wanted and
    /// the file system takes it; says whether it does.
    pub(super) async fn open_new(&self, path: &Path) -> io::Result<(File, bool)> {
        let cx = &*self.shard;
        let options = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            ..OpenOptions::default()
        };
        let direct = OpenOptions {
            direct: self.config.direct,
            ..options
        };
        match File::open(cx, path, direct).await {
            Ok(file) => Ok((file, direct.direct)),
            Err(error) if refuses_direct(&error) => {
                Ok((File::open(cx, path, options).await?, false))
            }
            Err(error) => Err(error),
        }
    }
}

/// `EINVAL` is what file systems say that don't take `O_DIRECT`.
fn refuses_direct(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}
