//! A message of 100 bytes from sender to receiver: moved through the mesh's ring or through a
//! shard's own queue as it is, or encoded and decoded as it would be on the way to another process.
//!
//! In one thread. The receiver reads every field; `rkyv` can do that where the message lies, in
//! bytes whose form it has checked.
#![allow(missing_docs)]

use std::cell::Cell;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use quark_shards::local_ring::{LocalMessage, LocalRing};
use quark_shards::ring::{Message, Producer, ring};
use rkyv::rancor::Error;
use rkyv::util::AlignedVec;
use serde::{Deserialize, Serialize};

/// As a trading gateway would send it.
#[derive(
    Clone, Copy, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Order {
    id: u64,
    account: u64,
    instrument: u64,
    price: i64,
    sent_ns: u64,
    session: u64,
    parent: u64,
    quantity: u32,
    shown: u32,
    flags: u32,
    reference: [u8; 32],
}

/// Of its fields; in memory it is rounded up to 104.
const BYTES: usize = 7 * 8 + 3 * 4 + 32;
const _: () = assert!(BYTES == 100 && size_of::<Order>() == 104);
const _: () = assert!(Producer::<Sum>::slots_of::<Order>() == 2);

type Sum = Cell<u64>;

impl Order {
    fn new(id: u64) -> Self {
        Order {
            id,
            account: id ^ 1,
            instrument: id ^ 2,
            price: 101_250_000,
            sent_ns: id ^ 3,
            session: id ^ 4,
            parent: id ^ 5,
            quantity: 300,
            shown: 100,
            flags: 3,
            reference: *b"20261120-gateway-07-000000048213",
        }
    }

    /// Every field, in one number.
    #[inline(always)]
    fn digest(&self) -> u64 {
        let wide = [self.id, self.account, self.instrument, self.sent_ns];
        let wide = wide
            .iter()
            .fold(self.session ^ self.parent, |sum, n| sum ^ n);
        let narrow = self.quantity ^ self.shown ^ self.flags;
        wide ^ self.price.cast_unsigned() ^ u64::from(narrow) ^ of_bytes(&self.reference)
    }
}

impl ArchivedOrder {
    /// The same from where it lies.
    #[inline(always)]
    fn digest(&self) -> u64 {
        let wide = [self.id, self.account, self.instrument, self.sent_ns];
        let wide = wide
            .iter()
            .fold(self.session ^ self.parent, |sum, n| sum ^ *n);
        let narrow = self.quantity ^ self.shown ^ self.flags;
        let price = self.price.to_native().cast_unsigned();
        wide ^ price ^ u64::from(narrow) ^ of_bytes(&self.reference)
    }
}

fn of_bytes(bytes: &[u8; 32]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words
        .iter()
        .fold(0, |sum, word| sum ^ u64::from_le_bytes(*word))
}

impl Message<Sum> for Order {
    fn deliver(self, sum: &Sum, _from: u16) {
        sum.set(sum.get() ^ self.digest());
    }
}

impl LocalMessage<Sum> for Order {
    fn deliver(self, sum: &Sum) {
        sum.set(sum.get() ^ self.digest());
    }
}

fn messages(c: &mut Criterion) {
    let mut group = c.benchmark_group("message/100 bytes");
    let sum = Sum::default();

    let (producer, consumer) = ring::<Sum>(1_024, 0);
    group.bench_function("quark, through the mesh's ring", |b| {
        b.iter(|| {
            let id = black_box(7);
            assert!(producer.push_with(|| Order::new(id)), "there is room");
            producer.publish();
            consumer.deliver_next(&sum)
        });
    });

    let local = LocalRing::<Sum>::new();
    group.bench_function("quark, through a shard's own queue", |b| {
        b.iter(|| {
            local.push(Order::new(black_box(7)));
            local.deliver_next(&sum)
        });
    });
    black_box(sum.get());

    let mut buffer = AlignedVec::<16>::with_capacity(2 * BYTES);
    group.bench_function("rkyv, read in place", |b| {
        b.iter(|| {
            archive(&mut buffer, &Order::new(black_box(7)));
            let archived = rkyv::access::<ArchivedOrder, Error>(black_box(&buffer));
            archived.expect("what was just written").digest()
        });
    });
    group.bench_function("rkyv, made anew", |b| {
        b.iter(|| {
            archive(&mut buffer, &Order::new(black_box(7)));
            let order = rkyv::from_bytes::<Order, Error>(black_box(&buffer));
            order.expect("what was just written").digest()
        });
    });

    let mut buffer = [0; 2 * BYTES];
    group.bench_function("postcard", |b| {
        b.iter(|| {
            let order = Order::new(black_box(7));
            let bytes =
                postcard::to_slice(&order, &mut buffer).expect("a buffer of twice its size");
            let order: Result<Order, _> = postcard::from_bytes(black_box(bytes));
            order.expect("what was just written").digest()
        });
    });
    group.finish();
}

/// Writes `order` into `buffer` over what was there.
fn archive(buffer: &mut AlignedVec, order: &Order) {
    buffer.clear();
    let written = rkyv::api::high::to_bytes_in::<_, Error>(order, &mut *buffer);
    written.expect("memory for a message");
}

criterion_group!(benches, messages);
criterion_main!(benches);
