//! Engines whose stores are on servers, real ones, which are killed in mid-load.
#![allow(missing_docs)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark::{ActorOptions, Due, EngineBuilder, Key, LaunchError, Placement, Remind, StateError};
use quark_tests::servers::{Kind, Server};

const COUNTERS: u64 = 16;

#[derive(Default, Stateful)]
pub struct Counter {
    #[state]
    count: State<u64>,
}

#[actor]
impl Counter {
    pub async fn add(&mut self) -> Result<u64, StateError> {
        *self.count += 1;
        if let Err(error) = self.count.save().await {
            *self.count -= 1;
            return Err(error);
        }
        Ok(*self.count)
    }

    pub fn count(&self) -> u64 {
        *self.count
    }
}

fn store(server: &Server, kind: Kind) -> Store {
    match kind {
        Kind::Redis => Store::redis(server.url()),
        Kind::Postgres => Store::postgres(server.url()),
    }
}

fn builder(shards: usize) -> EngineBuilder {
    let topology = Topology::detect().unwrap().shards(shards);
    Engine::builder().topology(topology.oversubscribe(true))
}

fn outlives(kind: Kind) {
    let mut server = Server::start(kind);
    let engine = builder(2).store(store(&server, kind)).launch().unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..COUNTERS)
        .map(|key| {
            let (counter, enough) = (engine.actor::<Counter>(key), enough.clone());
            thread::spawn(move || {
                let mut acknowledged = 0;
                while !enough.load(Ordering::Relaxed) {
                    if let Ok(count) = counter.add().wait() {
                        // One that was not acknowledged may count all the same.
                        assert!(count > acknowledged, "{count} after {acknowledged}");
                        acknowledged = count;
                    }
                }
                acknowledged
            })
        })
        .collect();
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(500));
        server.kill();
        thread::sleep(Duration::from_millis(200));
        server.launch();
        // Calls go on by themselves, and soon: nobody's patience is what ends the wait.
        let probe = engine.actor::<Counter>("probe");
        let before = probe.count().wait().unwrap();
        let begun = Instant::now();
        while probe.add().wait().is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "no save succeeds any more"
            );
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "it took {took:?}");
        assert!(probe.count().wait().unwrap() > before);
    }
    thread::sleep(Duration::from_millis(300));
    enough.store(true, Ordering::Relaxed);
    let acknowledged: Vec<u64> = clients.into_iter().map(|it| it.join().unwrap()).collect();
    engine.shutdown();

    let engine = builder(3).store(store(&server, kind)).launch().unwrap();
    assert!(
        engine
            .report()
            .to_string()
            .contains(&format!("{kind:?}").to_lowercase())
    );
    for (key, acknowledged) in (0..).zip(acknowledged) {
        let found = engine.actor::<Counter>(key as u64).count().wait().unwrap();
        assert!(acknowledged > 0, "{key} has counted nothing");
        assert!(
            found >= acknowledged,
            "{found} are kept of {acknowledged} acknowledged"
        );
        assert!(
            found <= acknowledged + 4,
            "{found} are kept, {acknowledged} acknowledged"
        );
    }
    engine.shutdown();
}

#[test]
fn what_an_engine_keeps_in_redis_outlives_both() {
    outlives(Kind::Redis);
}

#[test]
fn what_an_engine_keeps_in_postgres_outlives_both() {
    outlives(Kind::Postgres);
}

static HEARD: Mutex<Vec<Key>> = Mutex::new(Vec::new());

#[derive(Default)]
pub struct Sleeper;

#[actor]
impl Sleeper {
    pub async fn wake_in(&self, cx: &Cx<Self>, delay: Duration) -> Result<(), StateError> {
        cx.remind("wake", Remind::after(delay)).await
    }

    fn on_reminder(&mut self, cx: &Cx<Self>, _due: Due) {
        HEARD.lock().unwrap().push(cx.key());
    }
}

/// Whichever shard looks after it, and wherever its actor lives.
#[test]
fn reminders_in_a_server_are_heard_when_they_are_due() {
    for kind in [Kind::Redis, Kind::Postgres] {
        HEARD.lock().unwrap().clear();
        let server = Server::start(kind);
        let builder = builder(3).store(store(&server, kind));
        let placed = ActorOptions::new().placement(Placement::Random);
        let engine = builder.configure::<Sleeper>(placed).launch().unwrap();
        for key in 0..20_u64 {
            let sleeper = engine.actor::<Sleeper>(key);
            sleeper.wake_in(Duration::from_millis(300)).wait().unwrap();
        }
        let begun = Instant::now();
        while HEARD.lock().unwrap().len() < 20 {
            assert!(begun.elapsed() < Duration::from_secs(20), "{HEARD:?}");
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(500));
        let mut heard = HEARD.lock().unwrap().clone();
        heard.sort();
        let keys: Vec<Key> = (0..20_u64).map(Key::from).collect();
        assert_eq!(heard, keys, "each is heard once");
        engine.shutdown();
    }
}

#[test]
fn a_url_that_leads_nowhere_is_refused_at_launch() {
    for (store, says) in [
        (Store::redis("redis//nowhere"), "redis://"),
        (Store::redis("http://localhost"), "is none of"),
        (Store::postgres("mysql://localhost/db"), "mysql"),
    ] {
        match builder(1).store(store).launch() {
            Err(error @ LaunchError::Store { .. }) => {
                assert!(error.to_string().contains(says), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}
