//! Snapshots: a log that is opened by one knows what it would know by all of itself, and one that
//! is of no use is no loss.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;
use quark_shards::driver::sim::SimConfig;

use crate::embedded::bench::{Bench, FOLDER, config};
use crate::embedded::format::{Item, LogId};
use crate::embedded::log::Log;
use crate::embedded::names::{FileKind, file_name};
use crate::embedded::recover::Reading;
use crate::embedded::{EmbeddedConfig, EmbeddedStore};
use crate::provider::{
    Append, CatchUp, Epoch, Expected, Provider, RecordKey, Reminder, StoreError, WallTime, Write,
};

const FIRST: Epoch = Epoch(1);
const KEYS: u64 = 60;

fn key(number: u64) -> RecordKey {
    RecordKey::new("Snapshot", &number.to_string(), "it", number as u16 % 7)
}

fn save(bench: &Bench, store: &EmbeddedStore, number: u64, value: u64) {
    // It fills its block: else compaction would have much to do.
    let mut bytes = value.to_le_bytes().to_vec();
    bytes.resize(3800, 0);
    let write = Write {
        epoch: FIRST,
        expected: Expected::Any,
        value: Bytes::from(bytes),
    };
    bench.run(store.save(&key(number), write)).expect("a save");
}

fn load(bench: &Bench, store: &EmbeddedStore, number: u64) -> Result<Option<u64>, StoreError> {
    let found = bench.run(store.load(&key(number), FIRST))?;
    Ok(found.map(|found| u64::from_le_bytes(found.value[..8].try_into().expect("eight bytes"))))
}

/// All that a log knows of its records.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    entries: Vec<Item>,
    fences: Vec<Item>,
    due: Vec<(u64, u64)>,
    records: u64,
    reminders: usize,
    live: Vec<(u32, u64, u64)>,
    next_batch: u64,
    used: bool,
}

fn known(log: &Log) -> Known {
    let state = log.state.borrow();
    let mut entries = Vec::new();
    let mut from = Some(0);
    while let Some(at) = from {
        from = state.index.some_from(at, 1000, &mut entries);
    }
    entries.sort_unstable();
    let due = state.due.iter().filter_map(|((time, sequence), low)| {
        let entry = state.index.get_version(*low, *sequence);
        entry.map(|_| (*time, *sequence))
    });
    Known {
        entries,
        fences: state
            .fences
            .from(0)
            .map(|(slot, fence)| fence.to_item(slot))
            .collect(),
        due: due.collect(),
        records: state.records,
        reminders: state.reminders,
        live: state
            .segments
            .iter()
            .map(|(number, segment)| (*number, segment.live, segment.live_bytes))
            .collect(),
        next_batch: state.next_batch,
        used: state.snapshots.used,
    }
}

fn read(bench: &Bench, config: &EmbeddedConfig, id: LogId, reading: Reading) -> Known {
    let log = Log::new(bench.shard(), id, 1, config, Default::default());
    let here: Rc<Log> = log.clone();
    bench
        .run(async move { here.recover(reading).await })
        .expect("it is read");
    known(&log)
}

/// Something at random, many at once, some of it waited for.
fn work(bench: &Bench, store: &EmbeddedStore, steps: u64, lens: &mut [u64]) {
    let mut pending = Vec::new();
    for step in 0..steps {
        let random = bench.world.random();
        let key = key(random % KEYS);
        let slot = (random % KEYS) as usize;
        let shard = bench.shard();
        match random >> 32 & 7 {
            0 => {
                let clear = store.clear(&key, FIRST, Expected::Any);
                shard.spawn(async move { clear.await.expect("a clear") });
            }
            1 => {
                let append = Append {
                    epoch: FIRST,
                    after: lens[slot],
                    events: vec![Bytes::from_static(b"an event"); 1 + (random >> 40 & 3) as usize],
                };
                lens[slot] += append.events.len() as u64;
                let append = store.append(&key, append);
                shard.spawn(async move { append.await.map(drop).expect("an append") });
            }
            2 | 3 => {
                let reminder = Reminder {
                    due: WallTime(random >> 20),
                    period_ms: None,
                    catch_up: CatchUp::Once,
                };
                let reminder = (random >> 50 & 3 > 0).then_some(reminder);
                let set = store.set_reminder(&key, FIRST, Expected::Any, reminder);
                shard.spawn(async move { set.await.map(drop).expect("a reminder") });
            }
            _ => {
                let write = Write {
                    epoch: FIRST,
                    expected: Expected::Any,
                    value: Bytes::from(vec![step as u8; (random >> 45 & 1023) as usize]),
                };
                pending.push(store.save(&key, write));
            }
        }
        if random.is_multiple_of(9) {
            for save in pending.drain(..) {
                bench.run(save).expect("a save");
            }
        }
    }
    for save in pending {
        bench.run(save).expect("a save");
    }
}

#[test]
fn a_log_opened_by_a_snapshot_knows_what_all_of_it_says() {
    let seeds = if std::env::var_os("QUARK_FULL").is_some() {
        400
    } else {
        40
    };
    let (mut used, mut behind) = (0, 0);
    for seed in 0..seeds {
        let world = SimConfig {
            disk_bytes: 256 << 20,
            ..SimConfig::default()
        };
        let mut bench = Bench::new(seed, world);
        let config = EmbeddedConfig {
            snapshot_bytes: Some([20 << 10, 50 << 10, 200 << 10][(seed % 3) as usize]),
            ..config(32 << 10, false)
        };
        let mut lens = [0; KEYS as usize];
        for round in 0..4 {
            let (prepared, stores) = bench.open(&config, 1).expect("it opens");
            let notes = stores[0].report().notes;
            let is_torn = |note: &String| note.contains("never finished");
            assert!(notes.iter().all(is_torn), "seed {seed}: {notes:?}");
            let steps = 100 + bench.world.random() % 400;
            work(&bench, &stores[0], steps, &mut lens);
            // What was not waited for.
            bench
                .run(stores[0].save(
                    &key(KEYS),
                    Write {
                        epoch: FIRST,
                        expected: Expected::Any,
                        value: Bytes::new(),
                    },
                ))
                .expect("a save");
            if bench.world.random().is_multiple_of(3) {
                bench.run(stores[0].close()).expect("it closes");
            }
            let id = stores[0].0.id;
            drop((prepared, stores));
            if bench.world.random().is_multiple_of(2) {
                bench.crash();
            } else {
                bench.start();
            }
            let by_snapshot = read(&bench, &config, id, Reading::Tail);
            used += u64::from(by_snapshot.used);
            let whole = read(&bench, &config, id, Reading::Whole);
            behind += u64::from(by_snapshot.live.len() > 3);
            let whole = Known {
                used: by_snapshot.used,
                ..whole
            };
            assert_eq!(by_snapshot, whole, "seed {seed}, round {round}");
            bench.start();
        }
    }
    assert!(used > seeds / 2 && behind > 0, "{used} used, {behind} long");
}

/// A closed log, where each of some keys has its number for a value; and its snapshot's file.
fn closed() -> (Bench, PathBuf) {
    let mut bench = Bench::new(5, SimConfig::default());
    let (prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    for number in 0..40 {
        save(&bench, &stores[0], number, number);
    }
    bench.run(stores[0].close()).expect("it closes");
    let number = stores[0].0.state.borrow().snapshots.there[0];
    let path = stores[0].0.path_of(FileKind::Snapshot, number);
    drop((prepared, stores));
    bench.start();
    (bench, path)
}

/// Everything is there; whether a snapshot was used, and what was noted.
fn all_is_there(bench: &Bench) -> (bool, Vec<String>) {
    let (_prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    for number in 0..40 {
        assert_eq!(load(bench, &stores[0], number), Ok(Some(number)));
    }
    assert_eq!(stores[0].report().records, 40);
    let late = bench.run(stores[0].load(&key(1), Epoch(0)));
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    let used = stores[0].0.state.borrow().snapshots.used;
    (used, stores[0].report().notes)
}

#[test]
fn a_log_that_was_closed_is_opened_by_its_snapshot() {
    let (bench, path) = closed();
    assert_eq!(all_is_there(&bench), (true, Vec::new()));
    assert!(bench.world.contents(0, &path).is_some());
}

#[test]
fn a_snapshot_that_is_damaged_anywhere_is_no_loss() {
    let (bench, path) = closed();
    let len = bench.world.contents(0, &path).expect("it is there").len();
    drop(bench);
    let mut refused = 0;
    for at in (0..len).filter(|at| at % 4096 < 100 || at % 97 == 0) {
        let (bench, path) = closed();
        assert!(bench.world.flip_bit(0, &path, at, (at % 8) as u8));
        let (used, notes) = all_is_there(&bench);
        assert_eq!(used, notes.is_empty(), "{at}: {notes:?}");
        refused += usize::from(!used);
    }
    assert!(refused > 200, "{refused} of {len}");
    for cut in (0..len - 4096).step_by(1500) {
        let (bench, path) = closed();
        assert!(bench.world.cut(0, &path, cut));
        let (used, notes) = all_is_there(&bench);
        assert!(
            !used && notes[0].contains("it is damaged"),
            "{cut}: {notes:?}"
        );
    }
}

#[test]
fn a_segment_that_is_missing_is_found_out() {
    let (mut bench, _) = closed();
    let (_prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    let gone = stores[0].0.path(2);
    drop(stores);
    bench.start();
    let shard = bench.shard();
    bench
        .run(async move { quark_shards::io::names::remove(&*shard, &gone).await })
        .expect("it is removed");
    let (_prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    let notes = stores[0].report().notes;
    assert!(notes[0].contains("segment 2 is missing"), "{notes:?}");
    assert!(notes[1].contains("15 batches are not whole"), "{notes:?}");
}

#[test]
fn a_record_that_rots_unread_is_an_error_until_it_is_saved_again() {
    let (bench, _) = closed();
    let id = LogId {
        directory: 0,
        generation: 1,
        shard: 0,
    };
    let path = Path::new(FOLDER).join(file_name(FileKind::Segment, id, 1));
    // In the header of the third save's record: nothing names it but the snapshot.
    assert!(bench.world.flip_bit(0, &path, 4096 * 9 + 64 + 20, 2));
    let (_prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    let store = &stores[0];
    assert_eq!(store.report().notes, [""; 0]);
    let mut damaged = Vec::new();
    for number in 0..40 {
        match load(&bench, store, number) {
            Ok(found) => assert_eq!(found, Some(number)),
            Err(StoreError::Damaged { .. }) => damaged.push(number),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(damaged.len(), 1);
    save(&bench, store, damaged[0], 77);
    assert_eq!(load(&bench, store, damaged[0]), Ok(Some(77)));
}

#[test]
fn compaction_that_cannot_find_a_record_has_all_of_the_log_read_at_the_next_launch() {
    let (mut bench, _) = closed();
    let id = LogId {
        directory: 0,
        generation: 1,
        shard: 0,
    };
    let path = Path::new(FOLDER).join(file_name(FileKind::Segment, id, 1));
    assert!(bench.world.flip_bit(0, &path, 4096 * 9 + 64 + 20, 2));
    let (prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    // All but the first are of no use in the first segments then.
    for round in 0..3 {
        for number in 15..40 {
            save(&bench, &stores[0], number, round);
        }
    }
    bench.run(stores[0].close()).expect("it closes");
    assert!(stores[0].0.state.borrow().snapshots.is_over);
    drop((prepared, stores));
    bench.start();
    let (_prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    let notes = stores[0].report().notes;
    assert!(notes[0].contains("is damaged from"), "{notes:?}");
    assert!(!stores[0].0.state.borrow().snapshots.used);
}

#[test]
fn what_is_of_another_log_or_of_a_newer_version_is_not_used() {
    let (bench, path) = closed();
    let mut bytes = bench.world.contents(0, &path).expect("it is there");
    drop(bench);
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..72]);
    bytes[72..76].copy_from_slice(&crc.to_le_bytes());
    let (bench, path) = closed();
    super::directory::put(&bench, path.to_str().expect("a path"), bytes.clone().leak());
    let (used, notes) = all_is_there(&bench);
    assert!(!used && notes[0].contains("of format 2"), "{notes:?}");
    // The same, but for the directory's number.
    bytes[8] = 1;
    bytes[16] ^= 1;
    let crc = crc32c::crc32c(&bytes[..72]);
    bytes[72..76].copy_from_slice(&crc.to_le_bytes());
    let (bench, path) = closed();
    super::directory::put(&bench, path.to_str().expect("a path"), bytes.leak());
    let (used, notes) = all_is_there(&bench);
    assert!(!used && notes[0].contains("of another log"), "{notes:?}");
}
