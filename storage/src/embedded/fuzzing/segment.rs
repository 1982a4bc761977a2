//! The log reads an image, and is asked for everything.

use std::path::Path;

use bytes::Bytes;
use quark_shards::driver::OpenOptions;
use quark_shards::driver::sim::SimConfig;
use quark_shards::io::File;

use super::super::bench::{Bench, FOLDER, config};
use super::super::format::LogId;
use super::super::names::{FileKind, file_name};
use super::super::{EmbeddedStore, OpenError};
use super::image::{Image, KEYS, image, key};
use super::truth::{Whole, whole_records};
use crate::provider::{Epoch, Expected, Provider, StoreError, WallTime, Write};

/// Steps of the world that reading a small log may take.
const STEPS: u64 = 200_000;
/// Above all that an image would shut out.
const EPOCH: Epoch = Epoch(u64::MAX);

/// Any bytes as a log's segments: it is opened, asked for all that it may have, opened again,
/// written to, and divided among two shards.
///
/// # Panics
/// If something is served that no whole record says; if opening a log takes for ever, or opening it
/// twice makes a difference (but where numbers were forged); if a system's error is told that there
/// was none of.
pub fn segment(data: &[u8]) {
    let mut bench = Bench::new(1, quiet());
    let config = config(32 << 10, false);
    let (prepared, stores) = bench.open(&config, 1).expect("an empty directory opens");
    let log = stores[0].0.id;
    drop((prepared, stores));
    bench.start();
    let Image { files, is_forged } = image(data, log);
    let mut truth = Vec::new();
    for (number, bytes) in files {
        truth.extend(whole_records(&bytes, log.salt()));
        put(&bench, FileKind::Segment, log, number, bytes);
    }
    let Some(first) = opened(&bench, 1, &truth) else {
        return;
    };
    // What goes on in the background changes nothing.
    for _ in 0..300 {
        bench.step();
    }
    let later = served(&bench, &first, &truth);
    assert!(
        is_forged || later == first.served,
        "while it runs: {later:?}"
    );
    let (served, has_room) = (first.served.clone(), first.has_room());
    drop(first);
    bench.crash();
    let again = opened(&bench, 1, &truth).expect("it has opened before");
    if !is_forged {
        assert_eq!(again.served, served, "when it is opened again");
    }
    if has_room {
        writes(&bench, &again);
    }
    drop(again);
    bench.crash();
    // Where it was written to, other things are there.
    let _ = open(&bench, 2);
}

/// Bytes that make a log with something of everything: what a search may begin with.
#[must_use]
pub fn sample(seed: u8) -> Vec<u8> {
    let mut all = vec![0];
    for round in 0..12_u8 {
        for kind in [0, 4, 6, 8, 1, 5, 3, 7] {
            if (kind ^ round ^ seed).is_multiple_of(3) {
                all.extend([kind, round.wrapping_mul(5) ^ kind, seed ^ round]);
            }
        }
        all.push(if round % 5 == 4 { 11 } else { 9 });
        if round % 5 == 4 {
            all.push(0);
        }
    }
    let harm: &[u8] = match seed % 6 {
        0 => &[],
        1 => &[15, 0x10, 0x60, 0x04],
        2 => &[0, 1, 2, 12, 8, 0xff, 1],
        3 => &[13, 8, 0xff, 1],
        4 => &[14, 40, 0xfc, 56],
        _ => &[15, 0, 2, 0, 0, 1, 1, 15, 0x20, 0x40, 0x80],
    };
    all.extend_from_slice(harm);
    all
}

pub(super) fn quiet() -> SimConfig {
    SimConfig {
        io_delay: std::time::Duration::ZERO..=std::time::Duration::ZERO,
        ..SimConfig::default()
    }
}

/// Has the log a file that holds `bytes`.
pub(super) fn put(bench: &Bench, kind: FileKind, log: LogId, number: u32, bytes: Vec<u8>) {
    let path = Path::new(FOLDER).join(file_name(kind, log, number));
    let shard = bench.shard();
    bench.run(async move {
        let options = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            ..OpenOptions::default()
        };
        let file = File::open(&*shard, &path, options).await.expect("it opens");
        let wrote = file.write_durable(&*shard, Bytes::from(bytes), 0).await;
        wrote.expect("it is written");
        let synced = quark_shards::io::names::sync_dir(&*shard, Path::new(FOLDER)).await;
        synced.expect("its name is kept");
    });
}

/// A log that is open, and what it answers.
pub(super) struct Open {
    pub(super) store: EmbeddedStore,
    pub(super) served: Vec<String>,
    _prepared: super::super::Prepared,
}

impl Open {
    /// Whether it can give sequences and segments for a while.
    fn has_room(&self) -> bool {
        let state = self.store.0.state.borrow();
        state.next_sequence < 1 << 55 && state.next_segment < 1 << 23
    }
}

fn open(bench: &Bench, shards: u16) -> Option<(super::super::Prepared, Vec<EmbeddedStore>)> {
    let (shard, config) = (bench.shard(), config(32 << 10, false));
    let opened = bench.run_for(STEPS, async move {
        let home = super::super::bench::home(shards);
        let prepared = super::super::prepare(shard.clone(), &config, shards, &home).await?;
        let mut stores = Vec::new();
        for number in 0..shards {
            let opening = prepared.opening();
            stores.push(super::super::open(shard.clone(), &opening, number).await?);
        }
        Ok::<_, OpenError>((prepared, stores))
    });
    match opened.expect("it opens or does not, and ends") {
        Ok(opened) => Some(opened),
        Err(OpenError::Newer { .. } | OpenError::Foreign { .. } | OpenError::Divide { .. }) => None,
        Err(error) => panic!("the disk is fine: {error}"),
    }
}

/// Opens the log, and asks it for everything; `None` if it is refused.
pub(super) fn opened(bench: &Bench, shards: u16, truth: &[Whole]) -> Option<Open> {
    let (prepared, mut stores) = open(bench, shards)?;
    let mut open = Open {
        store: stores.remove(0),
        served: Vec::new(),
        _prepared: prepared,
    };
    open.served = served(bench, &open, truth);
    Some(open)
}

/// All answers, in words; each of something that is whole.
fn served(bench: &Bench, open: &Open, truth: &[Whole]) -> Vec<String> {
    let store = &open.store;
    let mut all = Vec::new();
    for number in 0..KEYS {
        let key = key(number);
        let state = bench.run(store.load(&key, Epoch(0)));
        if let Ok(Some(record)) = &state {
            let is_it = |whole: &Whole| whole.is_state(&key, record.etag.0, &record.value);
            assert!(truth.iter().any(is_it), "nobody wrote {record:?} of {key}");
        }
        all.push(words(state));
        let reminder = bench.run(store.reminder(&key, Epoch(0)));
        if let Ok(Some((etag, reminder))) = &reminder {
            let is_it = |whole: &Whole| whole.is_reminder(&key, etag.0, reminder.due.0);
            assert!(truth.iter().any(is_it), "nobody set {reminder:?} of {key}");
        }
        all.push(words(reminder));
        all.push(words(bench.run(store.journal_len(&key, Epoch(0)))));
        let events = bench.run(store.events(&key, 1, 1000));
        for event in events.iter().flatten() {
            let is_it = |whole: &Whole| whole.has_event(&key, event.number, &event.value);
            assert!(
                truth.iter().any(is_it),
                "nobody appended {event:?} to {key}"
            );
        }
        all.push(words(events));
    }
    let due = bench.run(store.due(WallTime(u64::MAX), 1000));
    for due in due.iter().flat_map(|due| &due.reminders) {
        let is_it = |whole: &Whole| whole.is_reminder(&due.key, due.etag.0, due.reminder.due.0);
        assert!(truth.iter().any(is_it), "nobody set {due:?}");
    }
    all.push(words(due));
    all
}

/// Where damage lies may change when it is copied.
fn words<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Damaged { .. }) => "damaged".to_owned(),
        Err(StoreError::Fenced { .. }) => "fenced".to_owned(),
        // The names are not those that the hash is of.
        Err(StoreError::Refused { .. }) => "refused".to_owned(),
        Ok(answer) => format!("{answer:?}"),
        Err(error) => panic!("not {error}"),
    }
}

/// Whatever is there can be written over.
fn writes(bench: &Bench, open: &Open) {
    for number in 0..KEYS {
        let (key, value) = (key(number), Bytes::from_static(b"written over"));
        let write = Write {
            epoch: EPOCH,
            expected: Expected::Any,
            value: value.clone(),
        };
        let saved = bench.run(open.store.save(&key, write));
        let etag = saved.unwrap_or_else(|error| panic!("{key} can't be written: {error}"));
        let found = bench.run(open.store.load(&key, EPOCH));
        let found = found.unwrap_or_else(|error| panic!("{key} can't be read: {error}"));
        let found = found.map(|record| (record.etag, record.value));
        assert_eq!(found, Some((etag, value)), "{key}");
    }
}
