//! From a key to its place: the hash, the slot's owner, the shard.
//!
//! XXH3 with a seed against other hashes of its quality, and the slot table against maps of as
//! many entries. Ours has to be the same on every machine and in every version; of the others
//! only rapidhash promises that, and SipHash is what std's maps use.
#![allow(missing_docs)]

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quark_bench::rng::Rng;
use quark_shards::slots::{Key, KeyHasher, NodeId, SLOTS, SlotTable, shard_of, slot_of};
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

const SEED: u64 = 7;
/// As long as keys are: a short name, a UUID, a path.
const NAMES: [&str; 3] = [
    "alice",
    "5f0c3f0a-9d9b-4f0e-8a51-6b0f0f3c1d2e",
    "eu-central/customers/00017234/orders/2026/11/20/000000048213",
];
const NODES: u32 = 16;
const SHARDS: u16 = 12;
/// Keys that are looked up in turn, so that no lookup is known before.
const KEYS: usize = 4_096;

fn hashing(c: &mut Criterion) {
    let (ours, secrets) = (KeyHasher::new(SEED, 1), RapidSecrets::seed(SEED));
    let (fold, sip) = (foldhash::quality::FixedState::default(), RandomState::new());

    let mut group = c.benchmark_group("slots/hash a number");
    group.bench_function("quark (XXH3)", |b| {
        b.iter(|| ours.hash(Key::Int(black_box(42))));
    });
    group.bench_function("rapidhash", |b| {
        b.iter(|| rapidhash_v3_seeded(&black_box(42_u64).to_le_bytes(), &secrets));
    });
    group.bench_function("foldhash", |b| b.iter(|| fold.hash_one(black_box(42_u64))));
    group.bench_function("SipHash", |b| b.iter(|| sip.hash_one(black_box(42_u64))));
    group.finish();

    for name in NAMES {
        let mut group = c.benchmark_group(format!("slots/hash {} bytes", name.len()));
        group.bench_function("quark (XXH3)", |b| {
            b.iter(|| ours.hash(Key::Str(black_box(name))));
        });
        group.bench_function("rapidhash", |b| {
            b.iter(|| rapidhash_v3_seeded(black_box(name).as_bytes(), &secrets));
        });
        group.bench_function("foldhash", |b| b.iter(|| fold.hash_one(black_box(name))));
        group.bench_function("SipHash", |b| b.iter(|| sip.hash_one(black_box(name))));
        group.finish();
    }
}

/// Which node, and which of its shards: by slots, and by a map that knows each slot's number.
fn lookup(c: &mut Criterion) {
    let nodes: Vec<_> = (0..NODES).map(NodeId).collect();
    let table = SlotTable::assign(&nodes).expect("some nodes, each once");
    let owners = || (0..=u16::MAX).zip(table.owners().iter().copied());
    let mut fold = hashbrown::HashMap::with_hasher(foldhash::fast::FixedState::default());
    fold.extend(owners());
    let std: HashMap<u16, NodeId> = owners().collect();
    assert_eq!((fold.len(), std.len()), (SLOTS, SLOTS));

    let mut rng = Rng::new(SEED);
    let hashes: Vec<u64> = (0..KEYS).map(|_| rng.next_u64()).collect();
    let mut hashes = hashes.iter().cycle();
    let mut next = || *hashes.next().expect("a circle");

    let mut group = c.benchmark_group("slots/owner and shard of a hash");
    group.bench_function("quark", |b| {
        b.iter(|| {
            let hash = next();
            (table.owner(slot_of(hash)), shard_of(hash, SHARDS))
        });
    });
    group.bench_function("hashbrown with foldhash", |b| {
        b.iter(|| {
            let hash = next();
            (fold.get(&slot_of(hash)).copied(), shard_of(hash, SHARDS))
        });
    });
    group.bench_function("std HashMap", |b| {
        b.iter(|| {
            let hash = next();
            (std.get(&slot_of(hash)).copied(), shard_of(hash, SHARDS))
        });
    });
    group.finish();
}

criterion_group!(benches, hashing, lookup);
criterion_main!(benches);
