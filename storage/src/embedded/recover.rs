//! Recovery: what a log's segments say is read back into the index.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use quark_shards::driver::OpenOptions;
use quark_shards::io::{File, names};
use quark_shards::planted::{Bug, planted};

use super::error::{OpenError, at};
use super::format::{BLOCK, BatchHeader, Fault, SegmentHeader};
use super::index::Place;
use super::log::Log;
use super::names::{FileKind, parse_name};
use super::read::read_some;
use super::scan::{Bounds, Piece, Scanner, Told};
use super::state::Segment;

/// Sequences passed over at each opening: a disk that lied may have lost some that were given.
const SEQUENCES_SKIPPED: u64 = 1 << 20;
/// Notes kept; of the rest it is said how many they are.
const NOTES_MOST: usize = 64;

/// A segment as its file was found.
pub(super) struct Found {
    pub(super) file: Rc<File>,
    pub(super) size: u64,
    pub(super) header: Option<SegmentHeader>,
    /// The number of its first batch, by its header or else by that batch.
    first_batch: Option<u64>,
}

/// How much of a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// What comes after the newest snapshot, if there is a good one.
    Tail,
    /// All of it.
    Whole,
}

impl Log {
    /// Learns what the log's segments hold.
    pub(super) async fn recover(&self, reading: Reading) -> Result<(), OpenError> {
        let mut found = self.find_segments().await?;
        let mut highest = 0;
        let mut oldest = 0;
        for header in found.values().filter_map(|found| found.header) {
            highest = highest.max(header.next_sequence);
            oldest = oldest.max(header.oldest);
        }
        let mut unfinished = Vec::new();
        let older: Vec<u32> = found.range(..oldest).map(|(number, _)| *number).collect();
        for number in older {
            // Deleted before, and brought back by a crash: what it held may be gone since.
            found.remove(&number);
            self.drop_segment(number).await?;
        }
        {
            let mut state = self.state.borrow_mut();
            state.next_segment = found
                .keys()
                .next_back()
                .map_or(1, |last| last.saturating_add(1));
            state.next_batch = 1;
            for (number, found) in &found {
                let segment = Segment {
                    file: found.file.clone(),
                    size: found.size,
                    live: 0,
                    live_bytes: 0,
                };
                state.segments.insert(*number, segment);
            }
        }
        let snapshot = match reading {
            Reading::Tail => self.restore(&found).await?,
            Reading::Whole => None,
        };
        let position = snapshot.map(|snapshot| snapshot.position);
        if let Some(snapshot) = snapshot {
            highest = highest.max(snapshot.next_sequence);
            oldest = oldest.max(snapshot.oldest);
        }
        let begin = position.map_or(0, |position| position.segment);
        let numbers: Vec<u32> = found.range(begin..).map(|(number, _)| *number).collect();
        let mut expected = position.map(|position| position.batch);
        let mut last = None;
        let mut behind = 0;
        for (index, &number) in numbers.iter().enumerate() {
            // Of the very next: what a later one says would pass over the batches between.
            let next = numbers.get(index + 1);
            let limit = next.and_then(|next| found[next].first_batch);
            let begins = found[&number].first_batch;
            self.check_begin(number, begins, expected);
            let bounds = match position {
                Some(position) if position.segment == number && position.offset > 0 => Bounds {
                    from: position.offset,
                    first: Some(position.batch),
                    limit,
                },
                _ => Bounds {
                    from: 0,
                    first: begins.or(expected),
                    limit,
                },
            };
            let mut scanner = self.scanner(number, &found[&number], bounds);
            let mut is_begun = bounds.from > 0;
            let path = self.path(number);
            while let Some(piece) = scanner.next().await.map_err(at(&path))? {
                let records = scanner.records(&piece).await.map_err(at(&path))?;
                match &piece {
                    Piece::Batch { header, at } => {
                        is_begun = true;
                        last = Some((number, *at, header.len()));
                        behind += super::format::blocks(header.len()) as u64;
                        highest = highest.max(header.next_sequence);
                        oldest = oldest.max(header.oldest);
                    }
                    Piece::Rot { from, to, missing } => {
                        is_begun = true;
                        let batches = missing.map_or("some".to_owned(), |many| many.to_string());
                        let kept = records.len();
                        if begins.is_none() && expected.is_some() && *from == BLOCK as u64 {
                            self.note(format!(
                                "before {} there may be batches missing, too: what they held is \
                                 lost",
                                path.display()
                            ));
                        }
                        self.note(format!(
                            "{} is damaged from {from} to {to}: {batches} batches are not whole, \
                             {kept} of their records could be told, what else they held is lost",
                            path.display()
                        ));
                    }
                    Piece::Torn { from } => self.note(format!(
                        "{} ends at {from} with a write that was never finished: dropped",
                        path.display()
                    )),
                }
                let mut state = self.state.borrow_mut();
                for Told {
                    offset,
                    header,
                    is_whole,
                } in records
                {
                    highest = highest.max(header.sequence + 1);
                    // Compaction had copied it, and the copy is damaged.
                    if !is_whole && state.is_known(&header) {
                        continue;
                    }
                    let place = Place {
                        segment: number,
                        offset,
                    };
                    state.learn(place, &header);
                }
            }
            expected = scanner.expected().or(expected);
            if found[&number].header.is_none() {
                if is_begun {
                    self.note(format!("the header of {} is damaged", path.display()));
                } else {
                    // A crash came before it was, or nobody needed it.
                    unfinished.push(number);
                }
            }
        }
        for number in unfinished {
            found.remove(&number);
            self.drop_segment(number).await?;
        }
        if let Some((number, offset, len)) = last {
            self.write_again(number, offset, len).await?;
        }
        self.drop_older(oldest).await?;
        let mut state = self.state.borrow_mut();
        state.grown = true;
        state.snapshots.behind = behind;
        state.next_batch = expected.unwrap_or(1);
        state.oldest = state.segments.keys().next().copied().unwrap_or(0);
        let step = state.step;
        let next = if planted(Bug::SequenceReused) {
            1
        } else {
            highest + SEQUENCES_SKIPPED
        };
        state.next_sequence = next.next_multiple_of(step) + u64::from(self.id.shard) % step;
        Ok(())
    }

    /// Makes the last batch durable: the process that wrote it may have ended before it was, or
    /// been told that it can't be, and then the system's cache has what the disk has not.
    async fn write_again(&self, number: u32, offset: u64, len: usize) -> Result<(), OpenError> {
        let (cx, path) = (&*self.shard, self.path(number));
        let write = OpenOptions {
            read: true,
            write: true,
            ..OpenOptions::default()
        };
        let file = File::open(cx, &path, write).await.map_err(at(&path))?;
        let len = super::format::blocks(len);
        let batch = read_some(cx, &file, len, offset).await.map_err(at(&path))?;
        let wrote = file.write_durable(cx, batch.freeze(), offset).await;
        wrote.map_err(at(&path))
    }

    /// Goes through segment `number`.
    pub(super) fn scanner(&self, number: u32, found: &Found, bounds: Bounds) -> Scanner {
        Scanner::new(
            self.shard.clone(),
            found.file.clone(),
            self.id,
            number,
            found.size,
            bounds,
        )
    }

    fn check_begin(&self, number: u32, begins: Option<u64>, expected: Option<u64>) {
        if let (Some(begins), Some(expected)) = (begins, expected)
            && begins > expected
        {
            let missing = begins - expected;
            let path = self.path(number);
            self.note(format!(
                "before {} there are {missing} batches missing: what they held is lost",
                path.display()
            ));
        }
    }

    async fn find_segments(&self) -> Result<BTreeMap<u32, Found>, OpenError> {
        let cx = &*self.shard;
        let folder = &self.folder;
        let mut found = BTreeMap::new();
        for name in names::list(cx, folder).await.map_err(at(folder))? {
            let Some(name) = name.to_str().and_then(parse_name) else {
                continue;
            };
            if name.kind != FileKind::Segment || !name.is_of(self.id) {
                continue;
            }
            let number = name.number;
            let path = self.path(number);
            let read = OpenOptions {
                read: true,
                ..OpenOptions::default()
            };
            let file = File::open(cx, &path, read).await.map_err(at(&path))?;
            let size = file.size(cx).await.map_err(at(&path))?;
            let block = read_some(cx, &file, BLOCK, 0).await.map_err(at(&path))?;
            let header = match SegmentHeader::parse(&block, self.id, number) {
                Ok(header) => Some(header),
                Err(Fault::Damaged) => None,
                Err(Fault::Newer(version)) => return Err(OpenError::Newer { path, version }),
                Err(Fault::Foreign) => {
                    let what = "its header is of another log";
                    return Err(OpenError::Foreign { path, what });
                }
            };
            let size = size.min(super::index::SEGMENT_BYTES_MOST);
            let file = Rc::new(file);
            let first_batch = match header {
                Some(header) => Some(header.first_batch),
                None => self.first_batch(&file, number).await.map_err(at(&path))?,
            };
            let segment = Found {
                file,
                size,
                header,
                first_batch,
            };
            found.insert(number, segment);
        }
        Ok(found)
    }

    /// The number of the first batch of a segment whose header does not tell.
    async fn first_batch(&self, file: &File, number: u32) -> io::Result<Option<u64>> {
        let at = BLOCK as u64;
        let block = read_some(&self.shard, file, BLOCK, at).await?;
        let header = BatchHeader::parse(&block, self.id, number, at);
        Ok(header.map(|header| header.number))
    }

    /// Segments that had been deleted, and whose names a crash brought back.
    async fn drop_older(&self, oldest: u32) -> Result<(), OpenError> {
        let older: Vec<u32> = {
            let state = self.state.borrow();
            let older = state.segments.range(..oldest);
            older
                .filter(|(_, segment)| segment.live == 0)
                .map(|(number, _)| *number)
                .collect()
        };
        for number in older {
            self.drop_segment(number).await?;
        }
        Ok(())
    }

    async fn drop_segment(&self, number: u32) -> Result<(), OpenError> {
        self.state.borrow_mut().segments.remove(&number);
        let (cx, path) = (&*self.shard, self.path(number));
        names::remove(cx, &path).await.map_err(at(&path))?;
        self.sync_names().await.map_err(at(&self.folder))
    }

    /// Remembers what an operator should know.
    pub(super) fn note(&self, note: String) {
        tracing::warn!(shard = self.id.shard, "{note}");
        let mut state = self.state.borrow_mut();
        if state.notes.len() < NOTES_MOST {
            state.notes.push(note);
        } else if state.notes.len() == NOTES_MOST {
            state
                .notes
                .push("and more of the kind: see the trace".to_owned());
        }
    }
}
