//! Bytes that come and go over a connection allocate nothing in the steady state: counted.
// A global allocator can't be written without.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::TcpStream as Peer;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use quark_shards::driver::uring::{UringConfig, UringDriver, clock};
use quark_shards::io::{TcpListener, TcpStream};
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};

/// Counts what the whole process allocates; the test is alone in it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: callers owe what they owe the system's.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: callers owe what they owe the system's.
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) };
    }

    // SAFETY: callers owe what they owe the system's.
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

static TEXT: [u8; 64] = [7; 64];

/// Answers every chunk, with one buffer and with two in turn.
async fn echo(shard: &Shard, stream: TcpStream) {
    let mut incoming = stream.incoming(shard);
    let mut parts = Vec::with_capacity(2);
    while let Some(chunk) = incoming.next(shard).await.expect("receives") {
        assert_eq!(*chunk, TEXT);
        drop(chunk);
        let text = Bytes::from_static(&TEXT);
        stream.send_all(shard, text.clone()).await.expect("sends");
        parts.extend([text.slice(..10), text.slice(10..)]);
        parts = stream.send_vectored(shard, parts).await.expect("sends");
    }
}

#[test]
fn an_echo_allocates_nothing() {
    let end = mesh(1, Credits::default(), false).pop().expect("one shard");
    let driver = UringDriver::new(UringConfig {
        entries: 8,
        seed: 1,
        start: clock(),
        worker_cpus: Vec::new(),
    });
    let driver = driver.expect("io_uring is allowed");
    let shard = Shard::new(end, ShardConfig::default(), Box::new(driver));
    let addr = "127.0.0.1:0".parse().expect("an address");
    let listener = TcpListener::bind(&*shard, addr, 4).expect("listens");
    let addr = listener.local_addr(&*shard).expect("bound");
    let here = shard.clone();
    shard.spawn(async move {
        let mut arrivals = listener.incoming(&*here);
        let stream = arrivals.next(&*here).await.expect("accepts");
        echo(&here, stream).await;
    });
    let mut peer = Peer::connect(addr).expect("connects");
    peer.set_nonblocking(true).expect("an option");
    let mut least = u64::MAX;
    for _ in 0..10 {
        let before = ALLOCATIONS.load(Ordering::SeqCst);
        (0..1_000).for_each(|_| round(&shard, &mut peer));
        least = least.min(ALLOCATIONS.load(Ordering::SeqCst) - before);
    }
    assert_eq!(least, 0, "allocations in a thousand echoes");
    shard.clear();
}

fn round(shard: &Rc<Shard>, peer: &mut Peer) {
    peer.write_all(&TEXT).expect("sends");
    let mut count = 0;
    while count < 2 * TEXT.len() {
        shard.pass();
        match peer.read(&mut [0; 128]) {
            Ok(0) => panic!("the shard has closed"),
            Ok(more) => count += more,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
}
