//! An echo over loopback by single receives and by one operation for many: what each costs.
//!
//!     cargo run --release -p quark-shards --example echoes
//!
//! A plain thread, blocking, asks a shard that spins. Rounds are interleaved; each line gives the
//! median of them, in nanoseconds per message.
#![allow(clippy::print_stdout)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as Peer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use quark_shards::driver::uring::{UringConfig, UringDriver, clock};
use quark_shards::idle::IdlePolicy;
use quark_shards::io::{TcpListener, TcpStream};
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};

const SIZE: usize = 64;
const ROUNDS: usize = 9;

/// How the shard receives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    One,
    Many,
}

fn main() {
    for idle in [IdlePolicy::Spin, IdlePolicy::Park] {
        for (connections, outstanding, messages) in
            [(1, 1, 10_000), (1, 64, 100_000), (64, 1, 50_000)]
        {
            let mut took = [vec![], vec![]];
            for _ in 0..ROUNDS {
                for (how, took) in [How::One, How::Many].into_iter().zip(&mut took) {
                    let (addr, stop, server) = serve(how, idle);
                    let wall = ask(addr, connections, outstanding, messages);
                    stop.store(true, Ordering::Relaxed);
                    drop(Peer::connect(addr));
                    let cpu = server.join().expect("the server") / messages as u64;
                    took.push(if idle == IdlePolicy::Park { cpu } else { wall });
                }
            }
            let show = |mut took: Vec<u64>| {
                took.sort_unstable();
                format!("{} ({} to {})", took[ROUNDS / 2], took[0], took[ROUNDS - 1])
            };
            let [one, many] = took.map(show);
            println!(
                "{idle:?}, {connections} connections, {outstanding} outstanding: \
                 one {one} ns, many {many} ns"
            );
        }
    }
}

/// Nanoseconds per message.
fn ask(addr: SocketAddr, connections: usize, outstanding: usize, messages: usize) -> u64 {
    let connect = |_| {
        let peer = Peer::connect(addr).expect("connects");
        peer.set_nodelay(true).expect("an option");
        peer
    };
    let mut peers: Vec<Peer> = (0..connections).map(connect).collect();
    let request = vec![7; SIZE * outstanding];
    let mut reply = vec![0; SIZE * outstanding];
    let mut round = |peers: &mut [Peer]| {
        for peer in peers.iter_mut() {
            peer.write_all(&request).expect("sends");
        }
        for peer in peers.iter_mut() {
            peer.read_exact(&mut reply).expect("receives");
        }
    };
    (0..100).for_each(|_| round(&mut peers));
    let rounds = messages / connections / outstanding;
    let begun = Instant::now();
    (0..rounds).for_each(|_| round(&mut peers));
    let took = begun.elapsed().as_nanos() as u64;
    took / (rounds * connections * outstanding) as u64
}

/// Starts a shard that echoes, on a thread of its own.
fn serve(how: How, idle: IdlePolicy) -> (SocketAddr, Arc<AtomicBool>, JoinHandle<u64>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let (tell, told) = mpsc::channel();
    let server = thread::spawn(move || {
        let end = mesh(1, Credits::default(), false).pop().expect("one");
        let driver = UringDriver::new(UringConfig {
            entries: 256,
            seed: 1,
            start: clock(),
            worker_cpus: Vec::new(),
        })
        .expect("io_uring works here");
        let config = ShardConfig {
            idle,
            ..ShardConfig::default()
        };
        let shard = Shard::new(end, config, Box::new(driver));
        let addr = "127.0.0.1:0".parse().expect("an address");
        let listener = TcpListener::bind(&*shard, addr, 1_024).expect("listens");
        tell.send(listener.local_addr(&*shard).expect("bound"))
            .expect("asked");
        let here = shard.clone();
        shard.spawn(async move {
            let mut arrivals = listener.incoming(&*here);
            loop {
                let stream = arrivals.next(&*here).await.expect("accepts");
                let shard = here.clone();
                here.spawn(async move {
                    match how {
                        How::One => one(&shard, stream).await,
                        How::Many => many(&shard, stream).await,
                    }
                });
            }
        });
        shard.run_while(|| !stopped.load(Ordering::Relaxed));
        shard.clear();
        // In what this thread ran, which others who want the core do not change much.
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
        stat.split(' ')
            .next()
            .and_then(|ns| ns.parse().ok())
            .expect("a number")
    });
    (told.recv().expect("it listens"), stop, server)
}

static REPLY: [u8; 64 * SIZE * 2] = [7; 64 * SIZE * 2];

async fn one(shard: &Shard, stream: TcpStream) {
    let mut buffer = BytesMut::with_capacity(8 << 10);
    loop {
        buffer = match stream.recv(shard, buffer).await {
            Ok(buffer) if !buffer.is_empty() => buffer,
            _ => return,
        };
        let reply = Bytes::from_static(&REPLY[..buffer.len()]);
        buffer.clear();
        if stream.send_all(shard, reply).await.is_err() {
            return;
        }
    }
}

async fn many(shard: &Shard, stream: TcpStream) {
    let mut incoming = stream.incoming(shard);
    while let Ok(Some(chunk)) = incoming.next(shard).await {
        let reply = Bytes::from_static(&REPLY[..chunk.len()]);
        drop(chunk);
        if stream.send_all(shard, reply).await.is_err() {
            return;
        }
    }
}
