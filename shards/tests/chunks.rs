//! A shard that sleeps is woken by what comes over its connections.

use std::io::{Read, Write};
use std::net::TcpStream as Peer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use quark_shards::driver::uring::{UringConfig, UringDriver, clock};
use quark_shards::idle::IdlePolicy;
use quark_shards::io::TcpListener;
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};

#[test]
fn a_parked_shard_wakes_for_connections_and_chunks() {
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let stopped = stop.clone();
    let server = thread::spawn(move || {
        let end = mesh(1, Credits::default(), false).pop().expect("one shard");
        let driver = UringDriver::new(UringConfig {
            entries: 8,
            seed: 1,
            start: clock(),
            worker_cpus: Vec::new(),
        });
        let config = ShardConfig {
            idle: IdlePolicy::Park,
            ..ShardConfig::default()
        };
        let shard = Shard::new(end, config, Box::new(driver.expect("io_uring is allowed")));
        let addr = "127.0.0.1:0".parse().expect("an address");
        let listener = TcpListener::bind(&*shard, addr, 8).expect("listens");
        let addr = listener.local_addr(&*shard).expect("bound");
        tell.send(addr).expect("somebody waits");
        let here = shard.clone();
        shard.spawn(async move {
            let mut arrivals = listener.incoming(&*here);
            loop {
                let stream = arrivals.next(&*here).await.expect("accepts");
                let shard = here.clone();
                here.spawn(async move {
                    let mut incoming = stream.incoming(&*shard);
                    while let Ok(Some(chunk)) = incoming.next(&*shard).await {
                        let back = Bytes::copy_from_slice(&chunk);
                        stream.send_all(&*shard, back).await.expect("sends");
                    }
                });
            }
        });
        shard.run_while(|| !stopped.load(Ordering::Relaxed));
        shard.clear();
    });
    let addr = told.recv().expect("it listens");
    for _ in 0..20 {
        let mut peer = Peer::connect(addr).expect("connects");
        let limit = Some(Duration::from_secs(20));
        peer.set_read_timeout(limit).expect("an option");
        for round in 0..20u32 {
            let mut back = [0; 4];
            peer.write_all(&round.to_le_bytes()).expect("sends");
            peer.read_exact(&mut back).expect("the shard sleeps on");
            assert_eq!(back, round.to_le_bytes());
        }
    }
    stop.store(true, Ordering::Relaxed);
    drop(Peer::connect(addr));
    server.join().expect("the server");
}
