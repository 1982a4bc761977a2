//! Disks that lie: bits that rot, writes that land elsewhere, syncs that do nothing. Nothing is
//! served that was not written, whatever is not harmed is served, and what is lost is reported by
//! the place where it had been.
#![allow(clippy::print_stdout)] // what has happened, in the test's output

use std::ops::AddAssign;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use quark_shards::driver::sim::{DiskCounts, SimConfig};

use super::bench::{Bench, FOLDER, config};
use crate::embedded::format::{
    BATCH_HEADER, BLOCK, BatchHeader, LogId, RECORD_HEADER, RecordHeader, body_crc,
};
use crate::embedded::index::{Mark, Place};
use crate::embedded::names::{FileKind, file_name, parse_name};
use crate::embedded::{EmbeddedStore, OpenError};
use crate::provider::{Append, Epoch, Expected, Provider, RecordKey, StoreError, Write};

const FIRST: Epoch = Epoch(1);
const KEYS: usize = 12;
const ROUNDS: u64 = 5;

/// What the disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Misdirects,
    LosesSyncs,
    Rots,
    MisdirectsAndRots,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    writes: u64,
    served: u64,
    /// Typed errors.
    damaged: u64,
    /// Older versions, or nothing; each reported.
    lost: u64,
    /// Lost, and nothing that is whole came after: it can't be told from a write that never ended.
    at_the_end: u64,
    notes: u64,
    bits: u64,
    faults: DiskCounts,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.writes += other.writes;
        self.served += other.served;
        self.damaged += other.damaged;
        self.lost += other.lost;
        self.at_the_end += other.at_the_end;
        self.notes += other.notes;
        self.bits += other.bits;
        self.faults = self.faults + other.faults;
    }
}

#[test]
fn whatever_a_disk_that_lies_has_lost_is_reported_and_the_rest_is_served() {
    let seeds = if std::env::var_os("QUARK_FULL").is_some() {
        2000
    } else {
        60
    };
    let first = std::env::var("QUARK_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut all = Summary::default();
    for seed in first.map_or(0..seeds, |seed| seed..seed + 1) {
        match std::panic::catch_unwind(|| run(seed)) {
            Ok(summary) => all += summary,
            Err(panic) => {
                println!("seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{seeds} seeds: {all:#?}");
    if first.is_none() {
        let happened = [
            all.damaged,
            all.lost,
            all.at_the_end,
            all.bits,
            all.faults.misdirected,
            all.faults.syncs_lost,
        ];
        assert!(happened.iter().all(|count| *count > 0), "{all:?}");
    }
}

/// What compaction has copied is read where it was, if the copy is damaged and that is not.
#[test]
fn a_damaged_copy_hides_nothing() {
    run(551);
}

fn run(seed: u64) -> Summary {
    let lie = match seed % 4 {
        0 => Lie::Misdirects,
        1 => Lie::LosesSyncs,
        2 => Lie::Rots,
        _ => Lie::MisdirectsAndRots,
    };
    let mut history = History {
        bench: Bench::new(seed, quiet()),
        lie,
        zero_ahead: (seed / 4).is_multiple_of(2),
        states: (0..KEYS).map(|_| Kept::default()).collect(),
        events: Vec::new(),
        log: None,
        files: Vec::new(),
        summary: Summary::default(),
    };
    for round in 0..ROUNDS {
        history.round(round);
    }
    history.summary.faults = history.bench.world.counts();
    history.summary
}

fn quiet() -> SimConfig {
    SimConfig {
        io_delay: Duration::ZERO..=Duration::ZERO,
        disk_bytes: 256 << 20,
        ..SimConfig::default()
    }
}

fn key(number: usize) -> RecordKey {
    RecordKey::new("Lies", &number.to_string(), "it", 1)
}

fn journal() -> RecordKey {
    key(99)
}

fn value(number: usize, version: usize) -> Bytes {
    let more = "x".repeat(number * 37 % 90 + version * 131 % 700);
    Bytes::from(format!("value {version} of {number} {more}"))
}

/// Where what was acknowledged last had been written.
#[derive(Clone, Copy, Debug)]
struct Spot {
    segment: u32,
    from: u64,
    to: u64,
    /// The record's, if there is one of its own: of what is gone there is not.
    sequence: Option<u64>,
}

#[derive(Default)]
struct Kept {
    versions: usize,
    /// What is acknowledged; `None` if it is gone.
    now: Option<usize>,
    /// `None` if nothing was ever written, or nothing needs it any more.
    spot: Option<Spot>,
}

#[derive(Clone)]
struct Appended {
    value: Bytes,
    spot: Option<Spot>,
    /// An error has said that it is gone.
    is_told: bool,
}

struct History {
    bench: Bench,
    lie: Lie,
    zero_ahead: bool,
    states: Vec<Kept>,
    events: Vec<Appended>,
    log: Option<LogId>,
    /// The log's segments as they are before it is opened.
    files: Vec<(u32, Vec<u8>)>,
    summary: Summary,
}

impl History {
    fn round(&mut self, round: u64) {
        self.bench.world.set_config(quiet());
        let opened = self.bench.open(&config(32 << 10, self.zero_ahead), 1);
        let (prepared, stores) = match opened {
            Ok(opened) => opened,
            Err(error @ OpenError::System { .. }) => panic!("nothing fails: {error}"),
            Err(error) => panic!("no header was forged: {error}"),
        };
        let store = &stores[0];
        let log = store.0.id;
        self.log = Some(log);
        self.check(store);
        self.bench.world.set_config(self.lying());
        for _ in 0..60 {
            self.write(store, round);
        }
        self.remember(store);
        drop((prepared, stores));
        self.bench.crash();
        if matches!(self.lie, Lie::Rots | Lie::MisdirectsAndRots) {
            self.rot();
        }
        self.files = self.segments(log);
    }

    fn lying(&self) -> SimConfig {
        let misdirects = matches!(self.lie, Lie::Misdirects | Lie::MisdirectsAndRots);
        SimConfig {
            misdirected_write_probability: if misdirects { 0.04 } else { 0.0 },
            sync_lost_probability: if self.lie == Lie::LosesSyncs {
                0.2
            } else {
                0.0
            },
            ..quiet()
        }
    }

    fn write(&mut self, store: &EmbeddedStore, round: u64) {
        let world = self.bench.world.clone();
        let number = (world.random() % KEYS as u64) as usize;
        let begins = end_of(store);
        let kept = &mut self.states[number];
        self.summary.writes += 1;
        match world.random() % 8 {
            0 => {
                let clear = store.clear(&key(number), FIRST, Expected::Any);
                self.bench.run(clear).expect("it is cleared");
                let ends = end_of(store);
                if kept.now.take().is_some() {
                    kept.spot = Some(Spot {
                        segment: ends.segment,
                        from: match begins.segment == ends.segment {
                            true => begins.offset,
                            false => BLOCK as u64,
                        },
                        to: ends.offset,
                        sequence: None,
                    });
                }
            }
            1 | 2 => {
                let value = Bytes::from(format!("event {} of {round}", self.events.len()));
                let append = Append {
                    epoch: FIRST,
                    after: self.events.len() as u64,
                    events: vec![value.clone()],
                };
                let appended = self.bench.run(store.append(&journal(), append));
                appended.expect("it is appended");
                self.events.push(Appended {
                    value,
                    spot: None,
                    is_told: false,
                });
            }
            _ => {
                kept.versions += 1;
                kept.now = Some(kept.versions);
                let write = Write {
                    epoch: FIRST,
                    expected: Expected::Any,
                    value: value(number, kept.versions),
                };
                let saved = self.bench.run(store.save(&key(number), write));
                saved.expect("it is saved");
            }
        }
    }

    /// Where everything is, by what the log knows.
    fn remember(&mut self, store: &EmbeddedStore) {
        let state = store.0.state.borrow();
        let find = |mark| {
            let entry = state.index.get(mark)?;
            let Place { segment, offset } = entry.place();
            Some(Spot {
                segment,
                from: offset,
                to: offset + RECORD_HEADER as u64,
                sequence: Some(entry.number()),
            })
        };
        for (number, kept) in self.states.iter_mut().enumerate() {
            match (kept.now, kept.spot) {
                (Some(_), _) => kept.spot = find(Mark::state(key(number).fingerprint())),
                // With its segment, all older ones are gone, unless they only seem to be.
                (None, Some(spot))
                    if !state.segments.contains_key(&spot.segment)
                        && self.lie != Lie::LosesSyncs =>
                {
                    kept.spot = None;
                }
                _ => {}
            }
        }
        for (event, number) in self.events.iter_mut().zip(1..) {
            let found = find(Mark::event(journal().fingerprint(), number));
            event.spot = found.or(event.spot);
        }
    }

    /// Holds what is served against what was acknowledged.
    fn check(&mut self, store: &EmbeddedStore) {
        let notes = store.report().notes;
        self.summary.notes += notes.len() as u64;
        let salt = store.0.salt;
        for number in 0..KEYS {
            let name = key(number);
            let found = self.bench.run(store.load(&name, FIRST));
            let Kept {
                now,
                spot,
                versions,
            } = self.states[number];
            let found = match found {
                Ok(found) => found.map(|found| {
                    let version = (1..=versions).find(|it| value(number, *it) == found.value);
                    version.unwrap_or_else(|| panic!("garbage {:?}", found.value))
                }),
                Err(StoreError::Damaged { .. }) => {
                    assert!(!self.is_whole(spot, salt), "{name} is whole at {spot:?}");
                    self.summary.damaged += 1;
                    continue;
                }
                Err(error) => panic!("{name}: {error}"),
            };
            if found == now {
                self.summary.served += u64::from(now.is_some());
                continue;
            }
            let what = format!("{name}: version {found:?} instead of {now:?}");
            self.is_told(&what, spot, &notes, salt);
            self.states[number].now = found;
        }
        self.check_events(store, &notes);
    }

    fn check_events(&mut self, store: &EmbeddedStore, notes: &[String]) {
        let len = self.bench.run(store.journal_len(&journal(), FIRST));
        let len = len.expect("a length") as usize;
        assert!(len <= self.events.len(), "{len} events");
        for (index, event) in self.events.clone().into_iter().enumerate() {
            let Appended {
                value,
                spot,
                is_told,
            } = event;
            let number = index as u64 + 1;
            if index >= len {
                if is_told {
                    continue;
                }
                let what = format!("event {number} of {len}");
                self.is_told(&what, spot, notes, store.0.salt);
                continue;
            }
            match self.bench.run(store.events(&journal(), number, 1)) {
                Ok(page) => {
                    let page: Vec<_> = page.into_iter().map(|it| (it.number, it.value)).collect();
                    assert_eq!(page, [(number, value)]);
                    self.summary.served += 1;
                }
                Err(error @ StoreError::Damaged { .. }) => {
                    let is_whole = self.is_whole(spot, store.0.salt);
                    let is_last = spot.is_some_and(|spot| !self.is_followed(spot));
                    assert!(
                        !is_whole || is_last || is_told,
                        "event {number} is whole at {spot:?}: {error}; {notes:#?}"
                    );
                    self.events[index].is_told = true;
                    self.summary.damaged += 1;
                }
                Err(error) => panic!("event {number}: {error}"),
            }
        }
        self.events.truncate(len);
    }

    /// Something acknowledged is not served, and no error says so: a note must, unless nothing
    /// whole lies behind it.
    fn is_told(&mut self, what: &str, spot: Option<Spot>, notes: &[String], salt: u32) {
        let Some(spot) = spot else {
            panic!("{what}, and there is nothing that could have been lost: {notes:#?}");
        };
        if !self.is_followed(spot) {
            self.summary.at_the_end += 1;
            return;
        }
        assert!(
            !self.is_whole(Some(spot), salt),
            "{what}, and it is whole at {spot:?}; {notes:?}"
        );
        assert!(
            notes.iter().any(|note| covers(note, spot)),
            "{what}, which was at {spot:?}, and no note says so: {notes:#?}"
        );
        self.summary.lost += 1;
    }

    /// Whether the record is on the disk as it was written.
    fn is_whole(&self, spot: Option<Spot>, salt: u32) -> bool {
        let Some(spot) = spot else { return false };
        let (Some(file), Some(sequence)) = (self.file(spot.segment), spot.sequence) else {
            return false;
        };
        let bytes = file.get(spot.from as usize..).unwrap_or_default();
        let Some(header) = RecordHeader::parse(bytes, salt) else {
            return false;
        };
        let body = bytes[RECORD_HEADER..].get(..header.body_len as usize);
        header.sequence == sequence
            && body.is_some_and(|body| body_crc(body, salt) == header.body_crc)
    }

    /// Whether a batch that is whole lies behind it in the log.
    fn is_followed(&self, spot: Spot) -> bool {
        let log = self.log.expect("it was opened");
        self.files.iter().any(|(segment, file)| {
            let from = match segment.cmp(&spot.segment) {
                std::cmp::Ordering::Less => return false,
                std::cmp::Ordering::Equal => spot.to.next_multiple_of(BLOCK as u64) as usize,
                std::cmp::Ordering::Greater => BLOCK,
            };
            (from..file.len()).step_by(BLOCK).any(|at| {
                let header = BatchHeader::parse(&file[at..], log, *segment, at as u64);
                header.is_some_and(|header| {
                    let body = file.get(at + BATCH_HEADER..at + header.len());
                    body.is_some_and(|body| header.holds(body, log))
                })
            })
        })
    }

    fn file(&self, segment: u32) -> Option<&[u8]> {
        let found = self.files.iter().find(|(number, _)| *number == segment);
        found.map(|(_, file)| &file[..])
    }

    fn segments(&self, log: LogId) -> Vec<(u32, Vec<u8>)> {
        let files = self.bench.world.files(0).into_iter();
        let mut all: Vec<_> = files
            .filter_map(|path| {
                let name = parse_name(path.file_name()?.to_str()?)?;
                let path = Path::new(FOLDER).join(file_name(FileKind::Segment, log, name.number));
                let is_segment = name.kind == FileKind::Segment;
                let contents = is_segment.then(|| self.bench.world.contents(0, &path))?;
                Some((name.number, contents?))
            })
            .collect();
        all.sort();
        all
    }

    /// Bits of some segments, and of snapshots.
    fn rot(&mut self) {
        let world = &self.bench.world;
        for path in world.files(0) {
            let is_log = path
                .file_name()
                .and_then(|name| parse_name(name.to_str()?))
                .is_some();
            let len = world.contents(0, &path).map_or(0, |file| file.len());
            if !is_log || len == 0 {
                continue;
            }
            for _ in 0..world.random() % 4 {
                let (byte, bit) = (world.random() as usize % len, world.random() % 8);
                self.summary.bits += u64::from(world.flip_bit(0, &path, byte, bit as u8));
            }
        }
    }
}

/// Where the next batch goes.
fn end_of(store: &EmbeddedStore) -> Place {
    let state = store.0.state.borrow();
    state.tail.as_ref().map_or(
        Place {
            segment: 0,
            offset: 0,
        },
        |tail| Place {
            segment: tail.number,
            offset: tail.end,
        },
    )
}

/// Whether `note` says of a stretch with the spot in it that something was lost there.
fn covers(note: &str, spot: Spot) -> bool {
    let segment = |text: &str| {
        let name = text.rsplit('/').next()?;
        parse_name(name.trim_end_matches(':')).map(|name| name.number)
    };
    let words: Vec<&str> = note.split_whitespace().collect();
    let number = |at: usize| {
        let word = words.get(at)?;
        word.trim_end_matches(':').parse::<u64>().ok()
    };
    if let Some(rest) = note.strip_prefix("before ") {
        let next = rest.split_whitespace().next().and_then(segment);
        return note.contains("batches missing") && next.is_some_and(|next| spot.segment < next);
    }
    let is_here = words.first().and_then(|path| segment(path)) == Some(spot.segment);
    let (from, to) = match &words[1..] {
        ["is", "damaged", "from", _, "to", ..] => (number(4), number(6)),
        ["ends", "at", ..] => (number(3), Some(u64::MAX)),
        _ => return false,
    };
    is_here && from.is_some_and(|from| from < spot.to) && to.is_some_and(|to| spot.from < to)
}
