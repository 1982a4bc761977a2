//! Damage: a log cut and flipped at every byte of its end. What is found is always something that
//! was written; what is lost is reported.
#![allow(clippy::print_stdout)] // what has happened, in the test's output

use std::path::PathBuf;

use bytes::Bytes;
use quark_shards::driver::sim::SimConfig;

use super::bench::{Bench, config};
use crate::embedded::EmbeddedStore;
use crate::provider::{ETag, Epoch, Expected, Provider, RecordKey, StoreError, StoreReport, Write};

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
