//! What a state that is kept, and whose actor is gone, costs of memory: counted, not read off the
//! machine.
// A global allocator can't be written without.
#![allow(unsafe_code)]
#![allow(clippy::print_stdout)] // the figures, in the test's output

mod uring;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use quark_shards::shard::Shard;
use quark_storage::embedded::{EmbeddedConfig, EmbeddedStore, Prepared, open, prepare};
use quark_storage::provider::{Epoch, Expected, Provider, RecordKey, Write};

use self::uring::{run, shard};

/// Counts the bytes that the whole process holds; the test is alone in it.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: callers owe what they owe the system's.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: callers owe what they owe the system's.
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) };
    }
}

/// What may be held for a state, in bytes.
const MOST: f64 = 64.0;
/// Saves under way at once.
const AT_ONCE: u64 = 4096;

fn key(number: u64, slots: u64) -> RecordKey {
    let mixed = (number ^ number >> 15).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let slot = (mixed ^ mixed >> 32) % slots;
    RecordKey::new("Memory", &number.to_string(), "it", slot as u16)
}

fn opened(shard: &Rc<Shard>, folder: &Path) -> (Prepared, EmbeddedStore) {
    let config = EmbeddedConfig {
        zero_ahead: false,
        ..EmbeddedConfig::new(folder)
    };
    let here = shard.clone();
    run(shard, async move {
        let prepared = prepare(here.clone(), &config, 1, &|_| 0).await;
        let prepared = prepared.expect("it is prepared");
        let store = open(here, &prepared.opening(), 0).await.expect("it opens");
        (prepared, store)
    })
}

async fn save(store: EmbeddedStore, keys: std::ops::Range<u64>, slots: u64) {
    for first in keys.clone().step_by(AT_ONCE as usize) {
        let some = first..keys.end.min(first + AT_ONCE);
        let saves: Vec<_> = some
            .map(|number| {
                let write = Write {
                    epoch: Epoch(1),
                    expected: Expected::Any,
                    value: Bytes::from_static(b"a state"),
                };
                store.save(&key(number, slots), write)
            })
            .collect();
        for save in saves {
            save.await.expect("a save");
        }
    }
}

/// What is held now for each of `keys` states.
fn check(before: usize, keys: u64, when: &str) {
    let held = HELD.load(Ordering::SeqCst).saturating_sub(before);
    let each = held as f64 / keys as f64;
    println!("{each:.1} bytes for each of {keys} states {when}");
    assert!(
        each > 24.0 && each <= MOST,
        "{each:.1} bytes for each of {keys} states {when}"
    );
}

#[test]
fn a_state_that_is_kept_holds_at_most_64_bytes() {
    let full = std::env::var_os("QUARK_FULL").is_some();
    // The index doubles when it is seven eighths full: just before, just after, and between.
    let doubles = if full { 7 << 17 } else { 7 << 15 };
    let counts = [doubles, doubles + 1, if full { 1_000_000 } else { 250_000 }];
    // As many actors share a slot as in an engine that has a million of them.
    let slots = if full { 1 << 16 } else { 1 << 14 };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let log = folder.path().join("log");
    let shard_of_all = shard();
    let before = HELD.load(Ordering::SeqCst);
    let (prepared, store) = opened(&shard_of_all, &log);
    let mut done = 0;
    for keys in counts {
        run(&shard_of_all, save(store.clone(), done..keys, slots));
        done = keys;
        assert_eq!(store.report().records, keys);
        check(before, keys, "that were saved");
    }
    drop((prepared, store));
    shard_of_all.clear();
    drop(shard_of_all);

    // By all of the log, and then by the snapshot that closing it has left.
    for _ in 0..2 {
        let shard = shard();
        let before = HELD.load(Ordering::SeqCst);
        let (prepared, store) = opened(&shard, &log);
        assert_eq!(store.report().records, done);
        check(before, done, "that were found");
        run(&shard, store.close()).expect("it closes");
        drop((prepared, store));
        shard.clear();
    }
}
