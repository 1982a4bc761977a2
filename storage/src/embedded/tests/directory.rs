//! The directory: its lock, what does not belong there, full disks, failed writes, other shards.

use std::path::Path;

use bytes::Bytes;
use quark_shards::driver::OpenOptions;
use quark_shards::driver::sim::SimConfig;
use quark_shards::io::File;

use super::bench::{Bench, FOLDER, config, home};
use crate::embedded::{EmbeddedStore, OpenError, prepare};
use crate::provider::{
    Append, Epoch, Expected, Provider, RecordKey, Reminder, StoreError, WallTime, Write,
};

const FIRST: Epoch = Epoch(1);

fn key(number: usize) -> RecordKey {
    RecordKey::new("Directory", &number.to_string(), "it", number as u16)
}

fn write(value: Vec<u8>) -> Write {
    Write {
        epoch: FIRST,
        expected: Expected::Any,
        value: Bytes::from(value),
    }
}

pub(super) fn put(bench: &Bench, path: &str, bytes: &'static [u8]) {
    let (shard, path) = (bench.shard(), Path::new(path).to_path_buf());
    bench.run(async move {
        let options = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            ..OpenOptions::default()
        };
        let file = File::open(&*shard, &path, options).await.expect("it opens");
        let wrote = file
            .write_durable(&*shard, Bytes::from_static(bytes), 0)
            .await;
        wrote.expect("it is written");
    });
}

#[test]
fn a_directory_is_used_by_one_at_a_time() {
    let bench = Bench::new(1, SimConfig::default());
    let config = config(64 << 10, false);
    let (prepared, _stores) = bench.open(&config, 1).expect("it opens");
    let (shard, again) = (bench.shard(), config.clone());
    let second = bench.run(async move { prepare(shard, &again, 1, &home(1)).await.map(drop) });
    assert!(
        matches!(second, Err(OpenError::Locked { .. })),
        "not {second:?}"
    );
    drop(prepared);
    bench.step();
    bench.open(&config, 1).map(drop).expect("it was let go of");
}

#[test]
fn what_does_not_belong_there_is_refused() {
    let mut bench = Bench::new(1, SimConfig::default());
    let config = config(64 << 10, false);
    bench.open(&config, 1).map(drop).expect("it opens");
    bench.start();
    // Another directory's log, under a name of this one's.
    let mut other = config.clone();
    other.directory = "/data/other".into();
    let (prepared, stores) = bench.open(&other, 1).expect("it opens");
    bench
        .run(stores[0].save(&key(1), write(vec![1])))
        .expect("a save");
    let theirs = bench
        .world
        .contents(0, &stores[0].0.path(1))
        .expect("a log");
    drop((prepared, stores));
    bench.start();
    let name = format!("{FOLDER}/g000001-s00000-00000001.log");
    put(&bench, &name, Box::leak(theirs.into_boxed_slice()));
    let opened = bench.open(&config, 1).map(drop);
    assert!(
        matches!(opened, Err(OpenError::Foreign { .. })),
        "not {opened:?}"
    );
    bench.start();
    // A directory of somebody else's.
    let mut photos = config.clone();
    photos.directory = "/data".into();
    let opened = bench.open(&photos, 1).map(drop);
    assert!(
        matches!(opened, Err(OpenError::Foreign { .. })),
        "not {opened:?}"
    );
}

#[test]
fn what_a_newer_version_wrote_is_refused() {
    let mut bench = Bench::new(1, SimConfig::default());
    let config = config(64 << 10, false);
    bench.open(&config, 1).map(drop).expect("it opens");
    bench.start();
    let meta = format!("{FOLDER}/META");
    let mut bytes = bench
        .world
        .contents(0, Path::new(&meta))
        .expect("it is there");
    for copy in bytes.chunks_exact_mut(4096) {
        copy[8] = 2;
        let crc = crc32c::crc32c(&copy[..40]);
        copy[40..44].copy_from_slice(&crc.to_le_bytes());
    }
    put(&bench, &meta, Box::leak(bytes.into_boxed_slice()));
    let opened = bench.open(&config, 1).map(drop);
    assert!(
        matches!(opened, Err(OpenError::Newer { version: 2, .. })),
        "not {opened:?}"
    );
}

#[test]
fn one_whole_copy_of_what_a_directory_says_is_enough() {
    let mut bench = Bench::new(1, SimConfig::default());
    let config = config(64 << 10, false);
    let (prepared, stores) = bench.open(&config, 1).expect("it opens");
    bench
        .run(stores[0].save(&key(1), write(vec![1])))
        .expect("a save");
    drop((prepared, stores));
    bench.start();
    let meta = Path::new(FOLDER).join("META");
    assert!(bench.world.flip_bit(0, &meta, 20, 1));
    assert!(bench.world.flip_bit(0, &meta, 4096 + 2, 1));
    let (prepared, stores) = bench.open(&config, 1).expect("it opens");
    let found = bench.run(stores[0].load(&key(1), FIRST)).expect("a load");
    assert!(found.is_some());
    drop((prepared, stores));
    bench.start();
    for copy in 0..3 {
        assert!(bench.world.flip_bit(0, &meta, copy * 4096 + 30, 1));
    }
    let opened = bench.open(&config, 1).map(drop);
    assert!(
        matches!(opened, Err(OpenError::Damaged { .. })),
        "not {opened:?}"
    );
}

#[test]
fn a_full_disk_refuses_saves_until_there_is_room() {
    let mut bench = Bench::new(
        1,
        SimConfig {
            disk_bytes: 1 << 20,
            ..SimConfig::default()
        },
    );
    let config = config(64 << 10, false);
    let (prepared, stores) = bench.open(&config, 1).expect("it opens");
    let store = &stores[0];
    let mut saved = 0;
    let full = loop {
        match bench.run(store.save(&key(saved), write(vec![7; 20_000]))) {
            Ok(_) => saved += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full { .. }), "not {full:?}");
    assert!(saved > 20);
    for number in 0..saved {
        let found = bench
            .run(store.load(&key(number), FIRST))
            .expect("it reads on");
        assert!(found.is_some(), "{number}");
    }
    bench.world.set_disk_bytes(4 << 20);
    bench
        .run(store.save(&key(saved), write(vec![7; 20_000])))
        .expect("there is room");
    drop((prepared, stores));
    bench.crash();
    let (_prepared, stores) = bench.open(&config, 1).expect("it opens");
    for number in 0..=saved {
        let found = bench
            .run(stores[0].load(&key(number), FIRST))
            .expect("a load");
        assert!(found.is_some(), "{number}");
    }
}

#[test]
fn a_failed_sync_is_not_tried_again() {
    let bench = Bench::new(1, SimConfig::default());
    let (_prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    let store = &stores[0];
    bench
        .run(store.save(&key(1), write(vec![1])))
        .expect("a save");
    bench.world.set_config(SimConfig {
        sync_error_probability: 1.0,
        ..SimConfig::default()
    });
    let failed = bench.run(store.save(&key(1), write(vec![2])));
    assert!(
        matches!(failed, Err(StoreError::ReadOnly { .. })),
        "not {failed:?}"
    );
    bench.world.set_config(SimConfig::default());
    let refused = bench.run(store.save(&key(2), write(vec![3])));
    assert!(
        matches!(refused, Err(StoreError::ReadOnly { .. })),
        "not {refused:?}"
    );
    let found = bench.run(store.load(&key(1), FIRST)).expect("it reads on");
    assert_eq!(found.expect("it is there").value[..], [1]);
    assert!(
        store
            .report()
            .notes
            .iter()
            .any(|note| note.contains("read-only"))
    );
}

#[test]
fn many_saves_at_once_share_their_writes() {
    let bench = Bench::new(1, SimConfig::default());
    let (_prepared, stores) = bench.open(&config(1 << 20, false), 1).expect("it opens");
    let store = stores[0].clone();
    let all: Vec<_> = (0..64)
        .map(|number| store.save(&key(number), write(vec![1; 100])))
        .collect();
    bench.run(async move {
        for one in all {
            one.await.expect("a save");
        }
    });
    assert!(
        store.0.state.borrow().next_batch <= 3,
        "64 saves took more than two writes"
    );
}

#[test]
fn another_number_of_shards_takes_everything_along() {
    let mut bench = Bench::new(1, SimConfig::default());
    let config = config(64 << 10, false);
    let mut shards = 1;
    let homed = |stores: &[EmbeddedStore], key: &RecordKey| {
        stores[usize::from(home(stores.len() as u16)(key))].clone()
    };
    let mut etags = Vec::new();
    for round in 0..5 {
        let (prepared, stores) = bench.open(&config, shards).expect("it opens");
        for store in stores.iter().filter(|_| round > 0) {
            // A slot's keys may live anywhere, so its epoch goes everywhere.
            let late = bench.run(store.load(&key(1), Epoch(0)));
            assert!(
                matches!(late, Err(StoreError::Fenced { .. })),
                "not {late:?}"
            );
        }
        for number in 0..40 {
            let key = key(number);
            let store = homed(&stores, &key);
            let found = bench.run(store.load(&key, FIRST)).expect("a load");
            let found = found.map(|found| found.etag);
            assert_eq!(found, etags.get(number).copied(), "{key} in round {round}");
            let append = Append {
                epoch: FIRST,
                after: round,
                events: vec![Bytes::from(format!("{round}"))],
            };
            assert_eq!(bench.run(store.append(&key, append)), Ok(round + 1));
            let reminder = Reminder {
                due: WallTime(number as u64),
                period_ms: None,
                catch_up: crate::provider::CatchUp::Once,
            };
            let set = store.set_reminder(&key, FIRST, Expected::Any, Some(reminder));
            bench.run(set).expect("it is set");
        }
        let mut seen: Vec<_> = etags.clone();
        etags.clear();
        for number in 0..40 {
            let saved =
                homed(&stores, &key(number)).save(&key(number), write(vec![round as u8; 50]));
            etags.push(bench.run(saved).expect("a save"));
        }
        seen.extend(&etags);
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all, "no E-tag twice in a directory");
        let mut due = 0;
        for store in &stores {
            let page = bench
                .run(store.due(WallTime(u64::MAX), 100))
                .expect("a read");
            due += page.reminders.len();
        }
        assert_eq!(due, 40);
        drop((prepared, stores));
        bench.crash();
        shards = [3, 2, 5, 1, 1][round as usize];
    }
}
