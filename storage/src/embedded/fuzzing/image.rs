//! A log's files, made of any bytes: taken as they are, or as orders for a log that would be whole
//! if it were not for the orders that harm it. Some harm is sealed with checksums that are right.

use bytes::Bytes;

use super::super::format::{
    BATCH_HEADER, BLOCK, BatchHeader, Kind, LogId, Names, RecordHeader, SegmentHeader, blocks,
    encode_body, encode_reminder,
};
use super::truth::{RECORD, seal_batch, seal_record, seal_segment};
use crate::provider::{CatchUp, RecordKey, Reminder, WallTime};

/// Keys that images know of.
pub(super) const KEYS: u8 = 6;
/// A file's most bytes: no more is to be learned from larger ones.
const FILE_MOST: usize = 128 << 10;
const SEGMENTS_MOST: usize = 4;

pub(super) fn key(number: u8) -> RecordKey {
    let number = number % KEYS;
    let name = ["", "it", "more"][usize::from(number % 3)];
    RecordKey::new("Fuzz", &number.to_string(), name, u16::from(number / 2))
}

/// Segments by their numbers.
pub(super) struct Image {
    pub(super) files: Vec<(u32, Vec<u8>)>,
    /// Whether some harm has right checksums: no log and no disk does that, and what such numbers
    /// say may contradict itself.
    pub(super) is_forged: bool,
}

pub(super) fn image(data: &[u8], log: LogId) -> Image {
    let mut orders = Orders(data);
    let how = orders.byte();
    if how & 1 == 1 {
        let sealed = how & 2 != 0;
        return Image {
            files: raw(data, log, sealed),
            is_forged: sealed,
        };
    }
    let mut maker = Maker::new(log);
    while !orders.0.is_empty() && maker.has_room() {
        maker.obey(&mut orders);
    }
    maker.end_batch();
    Image {
        files: maker.files,
        is_forged: maker.is_forged,
    }
}

/// One segment of the bytes as they are; where they shall be `sealed`, with right checksums
/// wherever a block begins as a batch does, and a header that fits.
fn raw(data: &[u8], log: LogId, sealed: bool) -> Vec<(u32, Vec<u8>)> {
    let mut file = data[..data.len().min(FILE_MOST)].to_vec();
    if sealed {
        let mut maker = Maker::new(log);
        let (_, mut whole) = maker.files.remove(0);
        whole.extend_from_slice(&file);
        file = whole;
        for at in (BLOCK..file.len()).step_by(BLOCK) {
            let bytes = &mut file[at..];
            if bytes.len() >= BATCH_HEADER + RECORD {
                bytes[..4].copy_from_slice(b"QBAT");
                bytes[16..24].copy_from_slice(&log.directory.to_le_bytes());
                bytes[24..28].copy_from_slice(&1u32.to_le_bytes());
                bytes[28..32].copy_from_slice(&((at / BLOCK) as u32).to_le_bytes());
                seal_record(&mut bytes[BATCH_HEADER..], log.salt());
                seal_batch(bytes, log.salt());
            }
        }
    }
    vec![(1, file)]
}

/// Makes segments as it is told.
struct Maker {
    log: LogId,
    files: Vec<(u32, Vec<u8>)>,
    /// Where the batch begins that gathers in the last file.
    batch: Option<usize>,
    records: Vec<usize>,
    number: u64,
    sequence: u64,
    events: [u64; KEYS as usize],
    is_forged: bool,
}

impl Maker {
    fn new(log: LogId) -> Self {
        let mut maker = Maker {
            log,
            files: Vec::new(),
            batch: None,
            records: Vec::new(),
            number: 1,
            sequence: 1,
            events: [0; KEYS as usize],
            is_forged: false,
        };
        maker.begin_segment(1);
        maker
    }

    fn has_room(&self) -> bool {
        self.files.len() <= SEGMENTS_MOST && self.len() < FILE_MOST
    }

    fn file(&mut self) -> &mut Vec<u8> {
        &mut self.files.last_mut().expect("there is one").1
    }

    fn len(&self) -> usize {
        self.files.last().map_or(0, |(_, file)| file.len())
    }

    fn segment(&self) -> u32 {
        self.files.last().map_or(0, |(number, _)| *number)
    }

    fn begin_segment(&mut self, number: u32) {
        let header = SegmentHeader {
            log: self.log,
            segment: number,
            oldest: 1,
            first_batch: self.number,
            next_sequence: self.sequence,
        };
        let mut block = vec![0; BLOCK];
        header.encode(&mut block);
        self.files.push((number, block));
    }

    fn obey(&mut self, orders: &mut Orders<'_>) {
        let order = orders.byte() % 16;
        self.is_forged |= (12..15).contains(&order);
        match order {
            0..=2 => self.record(Kind::State, orders),
            3 => self.record(Kind::StateGone, orders),
            4 | 5 => self.record(Kind::Events, orders),
            6 => self.record(Kind::Reminder, orders),
            7 => self.record(Kind::ReminderGone, orders),
            8 => self.record(Kind::Fence, orders),
            9 | 10 => drop(self.end_batch()),
            11 => {
                self.end_batch();
                let next = self.segment() + 1 + u32::from(orders.byte() & 1);
                self.begin_segment(next);
            }
            // Of the record that came last, anything, under a right checksum.
            12 => {
                if let Some(at) = self.records.last().copied() {
                    let (offset, value) = (usize::from(orders.byte() % 56), orders.word());
                    let salt = self.log.salt();
                    let bytes = &mut self.file()[at..];
                    put(bytes, offset, value);
                    seal_record(bytes, salt);
                }
            }
            // The same of the batch.
            13 => {
                let Some(at) = self.end_batch() else { return };
                let (offset, value) = (usize::from(orders.byte() % 64), orders.word());
                let salt = self.log.salt();
                let bytes = &mut self.file()[at..];
                put(bytes, offset, value);
                seal_batch(bytes, salt);
            }
            // And of the segment.
            14 => {
                let (offset, value) = (usize::from(orders.byte() % 52), orders.word());
                let file = self.file();
                put(file, offset, value);
                seal_segment(file);
            }
            // A byte of anything, and no checksum knows; or room that nothing was written to.
            _ => {
                let (at, mask) = (orders.half(), orders.byte());
                if mask == 0 {
                    self.end_batch();
                    let len = self.len() + BLOCK * (at % 4);
                    self.file().resize(len, 0);
                } else {
                    let at = at % self.len().max(1);
                    self.file()[at] ^= mask;
                }
            }
        }
    }

    fn record(&mut self, kind: Kind, orders: &mut Orders<'_>) {
        let number = orders.byte() % KEYS;
        let key = key(number);
        let more = orders.byte();
        if self.batch.is_none() {
            let len = self.len();
            self.batch = Some(len);
            self.file().resize(len + BATCH_HEADER, 0);
        }
        let (at, salt) = (self.len(), self.log.salt());
        self.file().resize(at + RECORD, 0);
        let values: Vec<Bytes> = match kind {
            Kind::State => vec![Bytes::from(vec![more; usize::from(more) * 4])],
            Kind::Events => vec![Bytes::from(vec![more; 9]); usize::from(more % 5)],
            Kind::Reminder => vec![encode_reminder(Reminder {
                due: WallTime(u64::from(more)),
                period_ms: (more > 9).then_some(u64::from(more)),
                catch_up: CatchUp::Once,
            })],
            Kind::StateGone | Kind::ReminderGone | Kind::Fence => Vec::new(),
        };
        let mut header = RecordHeader {
            kind,
            slot: key.slot(),
            sequence: self.sequence,
            fingerprint: key.fingerprint(),
            number: u64::from(more),
            count: 0,
            names: Names::default(),
            body_len: 0,
            body_crc: 0,
        };
        if kind == Kind::Events {
            let events = &mut self.events[usize::from(number)];
            header.number = *events + 1;
            header.count = values.len() as u16;
            *events += values.len() as u64;
        }
        if !values.is_empty() {
            header.names = Names::of(&key);
            encode_body(self.file(), &key, &values, kind == Kind::Events);
        }
        header.body_len = (self.len() - at - RECORD) as u32;
        self.sequence += 1 + u64::from(more & 1);
        let file = self.file();
        header.encode(&mut file[at..at + RECORD], salt);
        seal_record(&mut file[at..], salt);
        let end = at + header.len();
        file.resize(end, 0);
        self.records.push(at);
    }

    /// Gives where it begins.
    fn end_batch(&mut self) -> Option<usize> {
        let at = self.batch.take()?;
        let header = BatchHeader {
            number: self.number,
            segment: self.segment(),
            block: (at / BLOCK) as u32,
            body_len: (self.len() - at - BATCH_HEADER) as u32,
            records: self.records.len() as u32,
            oldest: 1,
            next_sequence: self.sequence,
            body_crc: 0,
        };
        self.number += 1;
        self.records.clear();
        let (log, end) = (self.log, at + blocks(self.len() - at));
        let file = self.file();
        header.encode(&mut file[at..], log);
        seal_batch(&mut file[at..], log.salt());
        file.resize(end, 0);
        Some(at)
    }
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    for (to, from) in bytes.iter_mut().skip(at).zip(value.to_le_bytes()) {
        *to = from;
    }
}

/// What is left of the input; zeros when it is over.
pub(super) struct Orders<'a>(pub(super) &'a [u8]);

impl Orders<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn half(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// A byte, or the like of those that overflow, or eight bytes.
    pub(super) fn word(&mut self) -> u64 {
        match self.byte() {
            0xff => u64::MAX - u64::from(self.byte()),
            0xfe => u64::from_le_bytes([0; 8].map(|_: u8| self.byte())),
            0xfd => u64::from(u32::MAX) - u64::from(self.byte()),
            0xfc => 1 << (self.byte() % 64),
            byte => u64::from(byte),
        }
    }
}
