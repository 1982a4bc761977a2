//! How turns share an actor, and a shard.
#![allow(missing_docs)]

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark_tests::{Gate, in_time, key_on, small};

const LONG: Duration = Duration::from_secs(60);

/// Who is in, and whether that was ever wrong.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    shared: usize,
    exclusive: usize,
    most_shared: usize,
    wrong: bool,
    order: Vec<&'static str>,
}

impl Watch {
    fn enter(&self, exclusive: bool, name: &'static str) {
        let mut inside = self.0.lock().unwrap();
        if exclusive {
            inside.exclusive += 1;
        } else {
            inside.shared += 1;
        }
        inside.wrong |= inside.exclusive > 1 || inside.exclusive == 1 && inside.shared > 0;
        inside.most_shared = inside.most_shared.max(inside.shared);
        inside.order.push(name);
    }

    fn leave(&self, exclusive: bool) {
        let mut inside = self.0.lock().unwrap();
        if exclusive {
            inside.exclusive -= 1;
        } else {
            inside.shared -= 1;
        }
    }
}

#[derive(Default)]
pub struct Room {
    visits: Cell<u64>,
}

#[actor]
impl Room {
    pub async fn share(&self, watch: Watch, gate: Gate, name: &'static str) {
        watch.enter(false, name);
        gate.pass().await;
        self.visits.set(self.visits.get() + 1);
        watch.leave(false);
    }

    pub async fn hold(&mut self, watch: Watch, gate: Gate, name: &'static str) {
        watch.enter(true, name);
        gate.pass().await;
        self.visits.set(self.visits.get() + 1);
        watch.leave(true);
    }

    pub fn touch(&mut self, watch: Watch, name: &'static str) {
        watch.enter(true, name);
        watch.leave(true);
    }

    /// Asks a neighbour again and again; each is a local call that could run on this stack.
    pub async fn chatter(&self, cx: &Cx<Self>, key: u64, asks: u64) -> Result<u64, CallError> {
        let neighbour = cx.actor::<Quiet>(key);
        let mut sum = 0;
        for _ in 0..asks {
            sum += neighbour.one().await?;
        }
        Ok(sum)
    }

    /// Asks forever, until the flag is up.
    pub async fn chatter_until(&self, cx: &Cx<Self>, key: u64, stop: Arc<AtomicBool>) -> u64 {
        let neighbour = cx.actor::<Quiet>(key);
        let mut asks = 0;
        while !stop.load(Ordering::Relaxed) {
            asks += neighbour.one().await.unwrap();
        }
        asks
    }

    pub async fn descend(&self, cx: &Cx<Self>, left: u64) -> Result<u64, String> {
        if left == 0 {
            return Ok(0);
        }
        let below = cx.actor::<Room>(left).descend(left - 1).await;
        below
            .map(|depth| depth + 1)
            .map_err(|error| error.to_string())
    }

    pub async fn descend_alone(&mut self, cx: &Cx<Self>, left: u64) -> Result<u64, String> {
        if left == 0 {
            return Ok(0);
        }
        let below = cx.actor::<Room>(left).descend_alone(left - 1).await;
        below
            .map(|depth| depth + 1)
            .map_err(|error| error.to_string())
    }
}

#[derive(Default)]
pub struct Quiet;

#[actor]
impl Quiet {
    pub fn one(&self) -> u64 {
        1
    }
}

/// Waits until `count` messages wait for some actor.
fn until_waiting(engine: &Engine, count: usize) {
    while engine
        .list()
        .iter()
        .map(|actor| actor.waiting)
        .sum::<usize>()
        < count
    {
        thread::yield_now();
    }
}

#[test]
fn shared_turns_interleave_and_exclusive_ones_are_alone() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for shard in 0..2 {
            let room = engine.actor::<Room>(key_on(shard, |key| engine.home_of::<Room>(key)));
            let (watch, gate, later) = (Watch::default(), Gate::new(), Gate::new());
            thread::scope(|scope| {
                for _ in 0..5 {
                    scope.spawn(|| {
                        room.share(watch.clone(), gate.clone(), "shared")
                            .wait()
                            .unwrap()
                    });
                }
                gate.wait_for(5);
                scope.spawn(|| {
                    room.hold(watch.clone(), later.clone(), "alone")
                        .wait()
                        .unwrap()
                });
                until_waiting(&engine, 1);
                for _ in 0..3 {
                    scope.spawn(|| room.touch(watch.clone(), "touch").wait().unwrap());
                    scope.spawn(|| {
                        room.share(watch.clone(), gate.clone(), "late")
                            .wait()
                            .unwrap()
                    });
                }
                until_waiting(&engine, 7);
                gate.open();
                later.wait_for(1);
                assert_eq!(
                    watch.0.lock().unwrap().order.len(),
                    6,
                    "the holder is alone"
                );
                later.open();
            });
            let inside = watch.0.lock().unwrap();
            assert!(
                !inside.wrong && inside.order.len() == 12,
                "{:?}",
                inside.order
            );
            assert_eq!(inside.most_shared, 5);
        }
    });
}

#[test]
fn an_exclusive_turn_is_not_starved() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let room = engine.actor::<Room>(1);
        let (watch, gate) = (Watch::default(), Gate::new());
        thread::scope(|scope| {
            scope.spawn(|| {
                room.share(watch.clone(), gate.clone(), "first")
                    .wait()
                    .unwrap()
            });
            gate.wait_for(1);
            scope.spawn(|| room.touch(watch.clone(), "alone").wait().unwrap());
            until_waiting(&engine, 1);
            // Each of these could enter beside the first; all of them queue behind the other.
            for _ in 0..20 {
                scope.spawn(|| {
                    room.share(watch.clone(), gate.clone(), "later")
                        .wait()
                        .unwrap()
                });
            }
            until_waiting(&engine, 21);
            assert_eq!(watch.0.lock().unwrap().order, ["first"]);
            gate.open();
        });
        let inside = watch.0.lock().unwrap();
        assert_eq!(inside.order[..2], ["first", "alone"]);
        assert!(!inside.wrong && inside.order.len() == 22);
    });
}

#[test]
fn a_turn_of_endless_local_asks_lets_others_run() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let room = key_on(0, |key| engine.home_of::<Room>(key));
        let quiet = key_on(0, |key| engine.home_of::<Quiet>(key));
        let stop = Arc::new(AtomicBool::new(false));
        let answered = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (room, theirs) = (engine.actor::<Room>(room), stop.clone());
            let endless = scope.spawn(move || {
                room.chatter_until(quiet, theirs)
                    .timeout(LONG)
                    .wait()
                    .unwrap()
            });
            let stranger = engine.actor::<Quiet>(quiet);
            for _ in 0..100 {
                answered.fetch_add(stranger.one().wait().unwrap() as usize, Ordering::Relaxed);
            }
            stop.store(true, Ordering::Relaxed);
            assert!(endless.join().unwrap() > 0);
        });
        assert_eq!(answered.load(Ordering::Relaxed), 100);
    });
}

#[test]
fn a_million_local_asks_in_one_turn() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let room = engine.actor::<Room>(key_on(0, |key| engine.home_of::<Room>(key)));
        let quiet = key_on(0, |key| engine.home_of::<Quiet>(key));
        let begin = Instant::now();
        assert_eq!(
            room.chatter(quiet, 1_000_000).timeout(LONG).wait(),
            Ok(1_000_000)
        );
        assert!(begin.elapsed() < Duration::from_secs(50));
    });
}

#[test]
fn calls_a_thousand_actors_deep_need_no_deep_stack() {
    in_time(LONG, || {
        let topology = quark::Topology::detect().unwrap().shards(1);
        let engine = small().topology(topology).launch().unwrap();
        let room = engine.actor::<Room>(1_000_000);
        assert_eq!(room.descend(1000).wait(), Ok(1000));
        assert_eq!(room.descend_alone(1000).wait(), Ok(1000));
        // And back and forth between two shards, with nothing but the usual credit.
        let engine = small().launch().unwrap();
        let room = engine.actor::<Room>(1_000_000);
        assert_eq!(room.descend(200).wait(), Ok(200));
    });
}
