//! A log that is whole, with a snapshot that may be anything.

use std::path::Path;

use super::super::bench::{Bench, FOLDER, config};
use super::super::format::LogId;
use super::super::names::{FileKind, file_name};
use super::image::{Orders, image};
use super::segment::{Open, opened, put, quiet, sample};
use super::truth::{Whole, seal_snapshot, whole_records};
use crate::provider::Provider;

/// What is done to a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// It is the bytes.
    Replaced,
    /// Some of it is other than it was.
    Damaged,
    /// The same, and its checksums are right.
    Forged,
}

/// Any bytes as the snapshot of a log that is whole, or as what is done to its own snapshot: the
/// log is opened and asked for all that it has.
///
/// # Panics
/// If something is served that no whole record says, or a damaged snapshot makes a difference; if
/// opening takes for ever.
pub fn snapshot(data: &[u8]) {
    let mut orders = Orders(data);
    let order = orders.byte();
    let harm = match order % 4 {
        0 => Harm::Replaced,
        1 => Harm::Damaged,
        _ => Harm::Forged,
    };
    let mut bench = Bench::new(1, quiet());
    let (prepared, stores) = bench
        .open(&config(32 << 10, false), 1)
        .expect("an empty directory opens");
    let log = stores[0].0.id;
    drop((prepared, stores));
    bench.start();
    let mut truth = Vec::new();
    // Those that nothing is wrong with.
    for (number, bytes) in image(&sample(order / 4 / 6 * 6), log).files {
        truth.extend(whole_records(&bytes, log.salt()));
        put(&bench, FileKind::Segment, log, number, bytes);
    }
    let whole = opened(&bench, 1, &truth).expect("it is whole");
    let served = whole.served.clone();
    close(&bench, whole);
    bench.start();
    let Some((number, mut file)) = newest(&bench, log) else {
        panic!("closing a log leaves a snapshot");
    };
    let is_spoilt = harm == Harm::Replaced || !orders.0.is_empty();
    spoil(&mut file, harm, &mut orders, log);
    put(&bench, FileKind::Snapshot, log, number, file);
    let again = read_back(&bench, &truth, harm, &served);
    let is_used = again.is_some_and(|again| again.store.0.state.borrow().snapshots.used);
    assert!(is_spoilt || is_used, "a whole one is of use");
}

fn read_back(bench: &Bench, truth: &[Whole], harm: Harm, served: &[String]) -> Option<Open> {
    let again = opened(bench, 1, truth);
    if harm != Harm::Forged {
        let again = again.as_ref();
        let again = again.expect("a snapshot is no reason to refuse a log");
        assert_eq!(again.served, served, "{:?}", again.store.report().notes);
    }
    again
}

fn close(bench: &Bench, open: Open) {
    bench.run(open.store.close()).expect("it closes");
}

fn newest(bench: &Bench, log: LogId) -> Option<(u32, Vec<u8>)> {
    (1..100).rev().find_map(|number| {
        let path = Path::new(FOLDER).join(file_name(FileKind::Snapshot, log, number));
        Some((number, bench.world.contents(0, &path)?))
    })
}

fn spoil(file: &mut Vec<u8>, harm: Harm, orders: &mut Orders<'_>, log: LogId) {
    if harm == Harm::Replaced {
        *file = orders.0.to_vec();
        return;
    }
    while !orders.0.is_empty() {
        // Blocks are mostly empty behind their first few items.
        let (block, at) = (usize::from(orders.byte()), usize::from(orders.byte()) * 8);
        let at = (block * 4096 + at) % file.len().max(1);
        let value = orders.word().to_le_bytes();
        for (to, from) in file[at..].iter_mut().zip(value) {
            *to = from;
        }
    }
    if harm == Harm::Forged {
        seal_snapshot(file, log.salt());
    }
}
