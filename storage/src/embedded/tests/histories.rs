//! Histories: random work on the log, with everything that disks and power do, against the model.
#![allow(clippy::print_stdout)] // what has happened, in the test's output

use std::cell::{Cell, RefCell};
use std::ops::AddAssign;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use quark_shards::driver::sim::{DiskCounts, SimConfig};

use super::bench::{Bench, config, home};
use super::model::{Model, Use, Version};
use super::work::{self, Worker};
use crate::embedded::{EmbeddedStore, OpenError};
use crate::provider::{Epoch, Expected, Provider, StoreError, WallTime, Write};

/// What has happened in a history.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    pub(super) events: u64,
    pub(super) acknowledged: u64,
    pub(super) loads: u64,
    pub(super) refused: u64,
    pub(super) full: u64,
    pub(super) read_only: u64,
    pub(super) unavailable: u64,
    pub(super) power_cuts: u64,
    pub(super) kills: u64,
    pub(super) closes: u64,
    pub(super) divisions: u64,
    pub(super) failed_opens: u64,
    pub(super) compacted: u64,
    pub(super) snapshots_taken: u64,
    pub(super) snapshots_used: u64,
    pub(super) snapshots_refused: u64,
    pub(super) notes: u64,
    pub(super) faults: DiskCounts,
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.acknowledged += other.acknowledged;
        self.loads += other.loads;
        self.refused += other.refused;
        self.full += other.full;
        self.read_only += other.read_only;
        self.unavailable += other.unavailable;
        self.power_cuts += other.power_cuts;
        self.kills += other.kills;
        self.closes += other.closes;
        self.divisions += other.divisions;
        self.failed_opens += other.failed_opens;
        self.compacted += other.compacted;
        self.snapshots_taken += other.snapshots_taken;
        self.snapshots_used += other.snapshots_used;
        self.snapshots_refused += other.snapshots_refused;
        self.notes += other.notes;
        self.faults = self.faults + other.faults;
    }
}

/// Keys, each with a worker of its own.
const KEYS: u16 = 16;

/// The history of `seed`, of `events` events at least.
///
/// # Panics
/// If the log has done something that the model says it must not.
pub(super) fn run(seed: u64, events: u64) -> Summary {
    let (calm, faulty) = worlds(seed);
    let bench = Bench::new(seed, calm.clone());
    let mut history = History {
        bench,
        model: Rc::new(RefCell::new(Model::new(KEYS))),
        summary: Summary::default(),
        calm,
        faulty,
        shards: 1 + (seed % 3) as u16,
    };
    // A directory whose name could not be made durable is not found again, whatever is in it.
    drop(history.bench.open(&config(32 << 10, false), history.shards));
    history.bench.start();
    while history.summary.events < events {
        history.round(seed);
    }
    history.finish()
}

fn worlds(seed: u64) -> (SimConfig, SimConfig) {
    let calm = SimConfig {
        disk_bytes: 256 << 20,
        io_delay: Duration::from_micros(1)..=Duration::from_micros(200),
        ..SimConfig::default()
    };
    let rare = if seed % 4 == 3 { 0.0 } else { 1.0 };
    let faulty = SimConfig {
        short_probability: 0.1,
        read_error_probability: 0.002 * rare,
        write_error_probability: 0.0005 * rare,
        no_space_probability: 0.01 * rare,
        sync_error_probability: 0.0005 * rare,
        ..calm.clone()
    };
    (calm, faulty)
}

struct History {
    bench: Bench,
    model: Rc<RefCell<Model>>,
    summary: Summary,
    calm: SimConfig,
    faulty: SimConfig,
    shards: u16,
}

impl History {
    /// From an opening to whatever ends it.
    fn round(&mut self, seed: u64) {
        let world = self.bench.world.clone();
        if world.chance(0.15) {
            self.shards = 1 + (world.random() % 3) as u16;
            self.summary.divisions += 1;
        }
        let Some((prepared, stores)) = self.open(seed) else {
            return;
        };
        let before: u64 = stores.iter().map(segments).sum();
        self.bench.world.set_config(self.calm.clone());
        let is_harmed = |store: &EmbeddedStore| {
            store.0.names_lost.load(Ordering::Relaxed) || store.0.state.borrow().writable().is_err()
        };
        if stores.iter().any(is_harmed) {
            // What it does on its own has met a fault already.
            self.summary.kills += 1;
            drop((stores, prepared));
            return self.bench.start();
        }
        self.verify(&stores);
        let wanted = Rc::new(Cell::new(false));
        for slot in 0..usize::from(KEYS) {
            let store = self.store_of(&stores, slot);
            let worker = Worker {
                store,
                model: self.model.clone(),
                slot,
                random: world.random(),
                wanted: wanted.clone(),
                shard: self.bench.shard(),
            };
            self.bench.shard().spawn(work::work(worker));
        }
        let steps = 100 + world.random() % 3000;
        for _ in 0..steps {
            self.bench.step();
            self.summary.events += 1;
            if wanted.get() {
                break;
            }
        }
        assert!(!self.model.borrow().is_broken, "a worker has panicked");
        let after: u64 = stores.iter().map(segments).sum();
        self.summary.compacted += u64::from(after < before);
        let end = world.random() % 4;
        if end == 1 {
            wanted.set(true);
            for store in &stores {
                let _ = self.bench.run(store.close());
            }
        }
        let taken = stores.iter().map(|store| snapshots(store).0);
        self.summary.snapshots_taken += taken.sum::<u64>();
        match end {
            0 => {
                self.summary.kills += 1;
                drop((stores, prepared));
                self.bench.start();
            }
            1 => {
                self.summary.closes += 1;
                drop((stores, prepared));
                self.bench.start();
            }
            _ => {
                self.summary.power_cuts += 1;
                self.bench.crash();
                drop((stores, prepared));
            }
        }
    }

    /// Opens the logs, in the end on a disk that does what it should.
    fn open(&mut self, seed: u64) -> Option<(crate::embedded::Prepared, Vec<EmbeddedStore>)> {
        let segment = [32 << 10, 64 << 10, 256 << 10][(seed / 3 % 3) as usize];
        let config = config(segment, seed.is_multiple_of(2));
        for attempt in 0..10 {
            let world = &self.bench.world;
            world.set_config(if attempt < 3 {
                self.faulty.clone()
            } else {
                self.calm.clone()
            });
            let crashes = attempt < 3 && world.chance(0.2);
            let steps = if crashes {
                world.random() % 400
            } else {
                20_000_000
            };
            let (shard, config, shards) = (self.bench.shard(), config.clone(), self.shards);
            let opened = self.bench.run_for(steps, async move {
                let home = home(shards);
                let prepared =
                    crate::embedded::prepare(shard.clone(), &config, shards, &home).await?;
                let mut stores = Vec::new();
                for number in 0..shards {
                    let opening = prepared.opening();
                    stores.push(crate::embedded::open(shard.clone(), &opening, number).await?);
                }
                Ok::<_, OpenError>((prepared, stores))
            });
            match opened {
                Some(Ok(opened)) => {
                    self.bench.world.set_config(self.faulty.clone());
                    return Some(opened);
                }
                Some(Err(error)) => {
                    let ours = matches!(error, OpenError::System { .. } | OpenError::Divide { .. });
                    assert!(ours, "not a fault of the disk: {error}");
                    assert!(attempt < 9, "a good disk does not open: {error}");
                    self.summary.failed_opens += 1;
                    self.bench.start();
                }
                None => {
                    self.summary.power_cuts += 1;
                    self.bench.crash();
                }
            }
        }
        None
    }

    fn store_of(&self, stores: &[EmbeddedStore], slot: usize) -> EmbeddedStore {
        let home = home(self.shards)(&self.model.borrow().slots[slot].key);
        stores[usize::from(home)].clone()
    }

    /// Everything acknowledged is there, and nothing half.
    fn verify(&mut self, stores: &[EmbeddedStore]) {
        self.bench.world.set_config(self.calm.clone());
        let notes: Vec<String> = stores
            .iter()
            .flat_map(|store| store.report().notes)
            .collect();
        for note in &notes {
            // What the disk would not read is as good as none.
            let unread = note.contains("the snapshot") && note.contains("can't be read");
            self.summary.snapshots_refused += u64::from(unread);
            assert!(
                unread || note.contains("never finished"),
                "an honest disk has rotted: {note}"
            );
        }
        self.summary.notes += notes.len() as u64;
        let used = stores.iter().filter(|store| snapshots(store).1);
        self.summary.snapshots_used += used.count() as u64;
        let mut due = 0;
        let mut records = 0;
        for slot in 0..usize::from(KEYS) {
            let store = self.store_of(stores, slot);
            let (key, used, epoch, tried) = {
                let model = self.model.borrow();
                let slot = &model.slots[slot];
                (slot.key.clone(), slot.used, slot.epoch, slot.tried)
            };
            if epoch > 0 {
                // Who was shut out stays so.
                let write = Write {
                    epoch: Epoch(epoch - 1),
                    expected: Expected::Any,
                    value: Bytes::from_static(b"too late"),
                };
                let late = self.bench.run(store.save(&key, write));
                assert!(
                    matches!(late, Err(StoreError::Fenced { .. })),
                    "{key}: {late:?}"
                );
            }
            let epoch = Epoch(tried);
            let model = self.model.clone();
            match used {
                Use::State => {
                    let found = self.bench.run(store.load(&key, epoch)).expect("a load");
                    records += u64::from(found.is_some());
                    let found = found.map(|record| Version {
                        etag: Some(record.etag.0),
                        value: record.value,
                    });
                    model.borrow_mut().found(slot, found, true);
                }
                Use::Reminder => {
                    let found = self.bench.run(store.reminder(&key, epoch)).expect("a load");
                    records += u64::from(found.is_some());
                    due += usize::from(found.is_some());
                    let found = found.map(|(etag, reminder)| work::version_of(etag, reminder));
                    model.borrow_mut().found(slot, found, true);
                }
                Use::Journal => {
                    let len = self
                        .bench
                        .run(store.journal_len(&key, epoch))
                        .expect("a load");
                    records += u64::from(len > 0);
                    model.borrow_mut().found_len(slot, len, true);
                    let events = self.bench.run(work::all_events(store, key.clone()));
                    let events = events.expect("a read");
                    assert_eq!(events, model.borrow().slots[slot].events, "{key}");
                }
            }
            let mut model = model.borrow_mut();
            model.slots[slot].epoch = tried;
            model.loads += 1;
        }
        let mut listed = 0;
        for store in stores {
            let page = self
                .bench
                .run(store.due(WallTime(u64::MAX), 1000))
                .expect("a read");
            listed += page.reminders.len();
        }
        assert_eq!(listed, due, "each reminder is found when it is due");
        let counted: u64 = stores.iter().map(|store| store.report().records).sum();
        assert_eq!(counted, records, "the report counts what is there");
        self.bench.world.set_config(self.faulty.clone());
    }

    fn finish(mut self) -> Summary {
        self.bench.world.set_config(self.calm.clone());
        self.faulty = self.calm.clone();
        if let Some((_prepared, stores)) = self.open(0) {
            self.verify(&stores);
        }
        let model = self.model.borrow();
        Summary {
            acknowledged: model.acknowledged,
            loads: model.loads,
            refused: model.refused,
            full: model.full,
            read_only: model.read_only,
            unavailable: model.unavailable,
            faults: self.bench.world.counts(),
            ..self.summary
        }
    }
}

fn segments(store: &EmbeddedStore) -> u64 {
    store.0.state.borrow().segments.len() as u64
}

/// How many snapshots it has taken, and whether it was opened by one.
fn snapshots(store: &EmbeddedStore) -> (u64, bool) {
    let state = store.0.state.borrow();
    (state.snapshots.taken, state.snapshots.used)
}

#[test]
fn every_seed_keeps_what_was_acknowledged() {
    let (seeds, events) = if std::env::var_os("QUARK_FULL").is_some() {
        (2000, 10_000)
    } else {
        (40, 4_000)
    };
    let first = std::env::var("QUARK_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut all = Summary::default();
    for seed in first.map_or(0..seeds, |seed| seed..seed + 1) {
        let seen = std::panic::catch_unwind(|| run(seed, events));
        match seen {
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
            all.acknowledged,
            all.refused,
            all.full,
            all.read_only,
            all.divisions,
            all.compacted,
            all.snapshots_taken,
            all.snapshots_used,
            all.power_cuts,
            all.kills,
            all.closes,
            all.faults.torn,
            all.faults.lost,
            all.faults.no_space,
            all.faults.write_errors,
            all.faults.sync_errors,
        ];
        assert!(
            happened.iter().all(|count| *count > 0),
            "everything happens: {all:?}"
        );
    }
}
