//! Damage: a log cut and flipped at every byte of its end, and disks that lie. What is found is
//! always something that was written; what is lost is reported.
#![allow(clippy::print_stdout)] // what has happened, in the test's output

use std::path::{Path, PathBuf};

use bytes::Bytes;
use quark_shards::driver::sim::SimConfig;

use super::bench::{Bench, FOLDER, config};
use crate::embedded::EmbeddedStore;
use crate::embedded::names::{FileKind, file_name};
use crate::provider::{
    Append, ETag, Epoch, Expected, Provider, RecordKey, StoreError, StoreReport, Write,
};

const FIRST: Epoch = Epoch(1);

fn quiet() -> SimConfig {
    SimConfig {
        io_delay: std::time::Duration::ZERO..=std::time::Duration::ZERO,
        ..SimConfig::default()
    }
}

fn key(number: usize) -> RecordKey {
    RecordKey::new("Damage", &number.to_string(), "it", 1)
}

fn value(number: usize, version: usize) -> Bytes {
    Bytes::from(format!(
        "value {version} of {number} {}",
        "x".repeat(number * 37 % 90)
    ))
}

fn save(bench: &Bench, store: &EmbeddedStore, number: usize, version: usize) -> ETag {
    let write = Write {
        epoch: FIRST,
        expected: Expected::Any,
        value: value(number, version),
    };
    bench.run(store.save(&key(number), write)).expect("a save")
}

/// Saved one after the other: each in a batch of its own.
const SAVES: usize = 6;

/// A log with as many batches, closed; and its file.
fn written() -> (Bench, PathBuf, u64) {
    let mut bench = Bench::new(7, quiet());
    let config = config(64 << 10, false);
    let (prepared, stores) = bench.open(&config, 1).expect("it opens");
    for number in 0..SAVES {
        save(&bench, &stores[0], number, 1);
    }
    let end = stores[0]
        .0
        .state
        .borrow()
        .tail
        .as_ref()
        .expect("a tail")
        .end;
    let number = *stores[0]
        .0
        .state
        .borrow()
        .segments
        .keys()
        .next()
        .expect("a segment");
    let path = stores[0].0.path(number);
    drop((prepared, stores));
    bench.start();
    (bench, path, end)
}

/// Which of the saves are found, and the report. All that is found is right.
fn found(bench: &Bench) -> (Vec<Result<bool, StoreError>>, StoreReport) {
    let (_prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    let all = (0..SAVES).map(|number| {
        let found = bench.run(stores[0].load(&key(number), FIRST))?;
        if let Some(found) = &found {
            assert_eq!(found.value, value(number, 1));
        }
        Ok(found.is_some())
    });
    (all.collect(), stores[0].report())
}

#[test]
fn a_log_cut_anywhere_yields_a_prefix() {
    let (bench, _, end) = written();
    drop(bench);
    let from = end - 2 * 4096;
    // Every byte of what records there are in the last batches, and some of the padding.
    let cuts = (from..end).filter(|at| at % 4096 < 400 || at % 97 == 0);
    for cut in cuts {
        let (bench, path, _) = written();
        assert!(bench.world.cut(0, &path, cut as usize));
        let (all, report) = found(&bench);
        let all: Vec<bool> = all
            .into_iter()
            .map(|one| one.expect("nothing is damaged"))
            .collect();
        let prefix = all.iter().take_while(|one| **one).count();
        assert!(
            all[prefix..].iter().all(|one| !one),
            "cut at {cut}: {all:?}"
        );
        assert!(prefix >= SAVES - 2, "cut at {cut}: {all:?}");
        assert!(
            report
                .notes
                .iter()
                .all(|note| note.contains("never finished")),
            "{:?}",
            report.notes
        );
    }
}

#[test]
fn a_bit_flipped_anywhere_is_found() {
    let (bench, _, end) = written();
    drop(bench);
    let (mut rotten, mut torn, mut padding) = (0, 0, 0);
    let from = end - 2 * 4096;
    for at in (from..end).filter(|at| at % 4096 < 300 || at % 131 == 0) {
        let (bench, path, _) = written();
        assert!(bench.world.flip_bit(0, &path, at as usize, (at % 8) as u8));
        let (all, report) = found(&bench);
        let lost = |one: &&Result<bool, StoreError>| !matches!(one, Ok(true));
        match all.iter().filter(lost).count() {
            0 => padding += 1,
            1 => {
                assert!(!report.notes.is_empty(), "flipped at {at}: {all:?}");
                let is_last = at >= end - 4096;
                rotten += usize::from(!is_last);
                torn += usize::from(is_last);
            }
            _ => panic!("flipped at {at}: {all:?}"),
        }
    }
    println!("{rotten} found as rot, {torn} taken for a torn end, {padding} where nothing is");
    assert!(rotten > 100 && torn > 100 && padding > 10);
}

#[test]
fn a_rotten_record_is_an_error_and_the_rest_is_read() {
    let (bench, path, end) = written();
    // A byte of the value of the last but one.
    let at = (end - 2 * 4096) as usize + 64 + 56 + 12;
    assert!(bench.world.flip_bit(0, &path, at, 3));
    let (all, report) = found(&bench);
    for (number, one) in all.iter().enumerate() {
        if number == SAVES - 2 {
            assert!(
                matches!(one, Err(StoreError::Damaged { .. })),
                "not {one:?}"
            );
        } else {
            assert_eq!(one, &Ok(true));
        }
    }
    assert!(
        report
            .notes
            .iter()
            .any(|note| note.contains("is damaged from")),
        "{report}"
    );
}

#[test]
fn rot_under_a_running_store_is_an_error() {
    let bench = Bench::new(7, quiet());
    let (_prepared, stores) = bench.open(&config(64 << 10, false), 1).expect("it opens");
    save(&bench, &stores[0], 1, 1);
    let path = stores[0].0.path(1);
    assert!(
        bench
            .world
            .flip_bit(0, &path, 4096 * 2 - 4096 + 64 + 64 + 56 + 4, 0)
    );
    let found = bench.run(stores[0].load(&key(1), FIRST));
    assert!(
        matches!(found, Err(StoreError::Damaged { .. })),
        "not {found:?}"
    );
}

#[test]
fn a_disk_that_lies_never_makes_us_serve_what_was_not_written() {
    let full = std::env::var_os("QUARK_FULL").is_some();
    let seeds = if full { 1000 } else { 60 };
    let (mut damaged, mut older, mut noted, mut refused) = (0, 0, 0, 0);
    for seed in 0..seeds {
        let lying = SimConfig {
            misdirected_write_probability: if seed % 3 == 0 { 0.05 } else { 0.0 },
            sync_lost_probability: if seed % 3 == 1 { 0.2 } else { 0.0 },
            disk_bytes: 256 << 20,
            ..quiet()
        };
        let mut bench = Bench::new(seed, quiet());
        let config = config(32 << 10, seed.is_multiple_of(2));
        let mut newest = [0; 12];
        let mut events: Vec<Bytes> = Vec::new();
        for round in 0..4 {
            bench.world.set_config(quiet());
            let opened = bench.open(&config, 1);
            let Ok((prepared, stores)) = opened else {
                refused += 1;
                break;
            };
            let store = &stores[0];
            let notes = store.report().notes.len();
            noted += notes;
            bench.world.set_config(lying.clone());
            for (number, version) in newest.iter_mut().enumerate() {
                match bench.run(store.load(&key(number), FIRST)) {
                    Ok(Some(found)) => {
                        let is_right =
                            (1..=*version).any(|version| found.value == value(number, version));
                        assert!(is_right, "seed {seed}: garbage {:?}", found.value);
                        older += usize::from(found.value != value(number, *version));
                    }
                    Ok(None) => older += usize::from(*version > 0),
                    Err(StoreError::Damaged { .. }) => damaged += 1,
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
            match bench.run(store.events(&key(99), 1, 1000)) {
                Ok(found) => {
                    for event in found {
                        assert_eq!(events.get(event.number as usize - 1), Some(&event.value));
                    }
                }
                Err(StoreError::Damaged { .. }) => damaged += 1,
                Err(error) => panic!("seed {seed}: {error}"),
            }
            if seed % 3 != 2 {
                let len = bench.run(store.journal_len(&key(99), FIRST)).unwrap_or(0);
                events.truncate(len as usize);
            }
            for step in 0..60 {
                let number = (bench.world.random() % 12) as usize;
                newest[number] += 1;
                save(&bench, store, number, newest[number]);
                if step % 6 == 0 {
                    let value = Bytes::from(format!("event {} of {round}", events.len()));
                    let append = Append {
                        epoch: FIRST,
                        after: events.len() as u64,
                        events: vec![value.clone()],
                    };
                    match bench.run(store.append(&key(99), append)) {
                        Ok(_) => events.push(value),
                        Err(StoreError::Behind { .. }) => {}
                        Err(error) => panic!("seed {seed}: {error}"),
                    }
                }
            }
            drop((prepared, stores));
            bench.crash();
            if seed % 3 == 2 {
                flip_some(&bench);
            }
        }
    }
    println!("{damaged} damaged, {older} older or lost, {noted} notes, {refused} refused to open");
    assert!(damaged > 0 && noted > 0);
}

/// Bits of some of the directory's logs, and of their snapshots.
fn flip_some(bench: &Bench) {
    let kinds = [FileKind::Segment, FileKind::Snapshot];
    for (kind, number) in kinds
        .into_iter()
        .flat_map(|kind| (1..200).map(move |number| (kind, number)))
    {
        let id = crate::embedded::format::LogId {
            directory: 0,
            generation: 1,
            shard: 0,
        };
        let path = Path::new(FOLDER).join(file_name(kind, id, number));
        let Some(contents) = bench.world.contents(0, &path) else {
            continue;
        };
        for _ in 0..bench.world.random() % 4 {
            let byte = bench.world.random() as usize % contents.len().max(1);
            bench
                .world
                .flip_bit(0, &path, byte, (bench.world.random() % 8) as u8);
        }
    }
}
