//! Records that become durable together, while they gather.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::format::{BATCH_HEADER, BLOCK, BatchHeader, LogId, RECORD_HEADER, RecordHeader, blocks};
use super::index::{Mark, Place};
use crate::provider::StoreError;

/// A batch that takes no more, in bytes; what waits then goes into the next.
pub(super) const BATCH_MOST: usize = 4 << 20;

/// A batch that gathers.
pub(super) struct Batch {
    /// The batch begins at `pad`, so that its address is a multiple of a block.
    buffer: Vec<u8>,
    pad: usize,
    pub(super) updates: Vec<Update>,
    records: u32,
    pub(super) fate: Rc<Fate>,
}

/// How much a batch held: the next one is likely to be as large.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    bytes: usize,
    records: usize,
}

/// What the index learns once the batch is durable.
pub(super) struct Update {
    /// From the batch's beginning, in bytes.
    pub(super) at: usize,
    pub(super) header: RecordHeader,
    /// Where it was copied from, if it is no news.
    pub(super) moved: Option<Place>,
    /// What else waits for it.
    pub(super) mark: Option<Mark>,
}

impl Batch {
    /// An empty one, with room for as much as the last had.
    pub(super) fn new(room: Room) -> Self {
        let mut buffer: Vec<u8> = Vec::with_capacity(room.bytes + 2 * BLOCK);
        let pad = buffer.as_ptr().align_offset(BLOCK).min(BLOCK);
        buffer.resize(pad + BATCH_HEADER, 0);
        Batch {
            buffer,
            pad,
            updates: Vec::with_capacity(room.records),
            records: 0,
            fate: Rc::new(Fate {
                outcome: RefCell::default(),
                waiting: RefCell::new(Vec::with_capacity(room.records)),
            }),
        }
    }

    /// What it holds.
    pub(super) fn room(&self) -> Room {
        Room {
            bytes: self.len(),
            records: self.updates.len(),
        }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.pad
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Adds a record whose body `write` appends.
    pub(super) fn add(
        &mut self,
        mut header: RecordHeader,
        salt: u32,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> (usize, RecordHeader) {
        let begins = self.buffer.len();
        let body = begins + RECORD_HEADER;
        self.buffer.resize(body, 0);
        write(&mut self.buffer);
        header.body_len = u32::try_from(self.buffer.len() - body).unwrap_or(u32::MAX);
        header.body_crc = super::format::body_crc(&self.buffer[body..], salt);
        self.finish(begins, header, salt)
    }

    /// Adds a copy of a record, which stays damaged if it is.
    pub(super) fn copy(
        &mut self,
        mut header: RecordHeader,
        salt: u32,
        body: &[u8],
        whole: bool,
    ) -> (usize, RecordHeader) {
        let begins = self.buffer.len();
        self.buffer.resize(begins + RECORD_HEADER, 0);
        self.buffer.extend_from_slice(body);
        let crc = super::format::body_crc(body, salt);
        header.body_crc = if whole { crc } else { !crc };
        self.finish(begins, header, salt)
    }

    fn finish(&mut self, begins: usize, header: RecordHeader, salt: u32) -> (usize, RecordHeader) {
        header.encode(&mut self.buffer[begins..begins + RECORD_HEADER], salt);
        self.buffer.resize(begins + header.len(), 0);
        self.records += 1;
        (begins - self.pad, header)
    }

    /// Bytes that it takes on disk.
    pub(super) fn disk_len(&self) -> usize {
        blocks(self.len())
    }

    /// The finished bytes, aligned.
    pub(super) fn seal(&mut self, log: LogId, at: Sealing) -> Bytes {
        let len = self.len();
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut pad = self.pad;
        let body_crc = super::format::body_crc(&buffer[pad + BATCH_HEADER..], log.salt());
        let header = BatchHeader {
            number: at.number,
            segment: at.place.segment,
            block: u32::try_from(at.place.offset / BLOCK as u64).unwrap_or(u32::MAX),
            body_len: u32::try_from(len - BATCH_HEADER).unwrap_or(u32::MAX),
            records: self.records,
            oldest: at.oldest,
            next_sequence: at.next_sequence,
            body_crc,
        };
        header.encode(&mut buffer[pad..], log);
        buffer.resize(pad + blocks(len), 0);
        if !(buffer.as_ptr() as usize + pad).is_multiple_of(BLOCK) {
            // It has grown, and its memory moved.
            (buffer, pad) = aligned(&buffer[pad..]);
        }
        let end = buffer.len();
        Bytes::from(buffer).slice(pad..end)
    }
}

/// A copy of `bytes` at an address that is a multiple of a block, and where it begins.
fn aligned(bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut buffer: Vec<u8> = Vec::with_capacity(bytes.len() + BLOCK);
    let pad = buffer.as_ptr().align_offset(BLOCK).min(BLOCK);
    buffer.resize(pad, 0);
    buffer.extend_from_slice(bytes);
    (buffer, pad)
}

/// `len` zeros, or what `fill` makes of them, at an address that is a multiple of a block.
pub(super) fn aligned_block(len: usize, fill: impl FnOnce(&mut [u8])) -> Bytes {
    let mut buffer: Vec<u8> = Vec::with_capacity(len + BLOCK);
    let pad = buffer.as_ptr().align_offset(BLOCK).min(BLOCK);
    buffer.resize(pad + len, 0);
    fill(&mut buffer[pad..]);
    Bytes::from(buffer).slice(pad..pad + len)
}

/// What a batch learns when it is written.
pub(super) struct Sealing {
    pub(super) number: u64,
    pub(super) place: Place,
    pub(super) oldest: u32,
    pub(super) next_sequence: u64,
}

/// What becomes of a batch, for all who wait for it.
#[derive(Default)]
pub(super) struct Fate {
    outcome: RefCell<Option<Result<(), StoreError>>>,
    waiting: RefCell<Vec<Waker>>,
}

impl Fate {
    pub(super) fn settle(&self, outcome: Result<(), StoreError>) {
        self.outcome.borrow_mut().get_or_insert(outcome);
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    pub(super) async fn settled(&self) -> Result<(), StoreError> {
        let mut place = None;
        poll_fn(|cx| {
            if let Some(outcome) = &*self.outcome.borrow() {
                return Poll::Ready(outcome.clone());
            }
            let mut waiting = self.waiting.borrow_mut();
            match place.and_then(|place: usize| waiting.get_mut(place)) {
                Some(waker) => waker.clone_from(cx.waker()),
                None => {
                    place = Some(waiting.len());
                    waiting.push(cx.waker().clone());
                }
            }
            Poll::Pending
        })
        .await
    }
}
