//! The end of an engine: everyone who was promised an answer gets one.
#![allow(missing_docs)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark_tests::{Gate, block_on, in_time, key_on, small};

const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Worker {
    done: u64,
}

#[actor]
impl Worker {
    pub async fn work(&mut self, millis: u64) -> u64 {
        quark::sleep(Duration::from_millis(millis)).await;
        self.done += 1;
        self.done
    }

    pub async fn relay(&self, cx: &Cx<Self>, to: u64, millis: u64) -> Result<u64, CallError> {
        cx.actor::<Worker>(to).work(millis).await
    }

    pub async fn hang(&mut self, gate: Gate) {
        gate.pass().await;
    }

    pub fn nothing(&self) {}

    /// Ends the engine from within.
    pub fn end(&self, engine: Engine) {
        engine.shutdown();
    }

    /// Takes the last handle, and drops it here.
    pub async fn keep(&self, engine: Engine, gate: Gate) {
        gate.pass().await;
        drop(engine);
    }
}

fn on(engine: &Engine, shard: u16) -> u64 {
    key_on(shard, |key| engine.home_of::<Worker>(key))
}

#[test]
fn no_accepted_call_is_lost() {
    in_time(LONG, || {
        for round in 0..10_u64 {
            let engine = small().launch().unwrap();
            let (answered, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let count = |end: Result<u64, CallError>| match end {
                Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                Err(CallError::Stopped) => drop(stopped.fetch_add(1, Ordering::Relaxed)),
                Err(error) => panic!("{error}"),
            };
            let flat = |end: Result<u64, CallError<CallError>>| match end {
                Ok(done) => count(Ok(done)),
                Err(CallError::Failed(error)) => count(Err(error)),
                Err(error) => count(Err(error.map(|_| unreachable!("seen above")))),
            };
            let ends = Barrier::new(7);
            let over = AtomicBool::new(false);
            thread::scope(|scope| {
                for thread in 0..6_u64 {
                    let (engine, ends, over) = (engine.clone(), &ends, &over);
                    let (count, flat) = (&count, &flat);
                    scope.spawn(move || {
                        let port = (thread % 3 == 0).then(|| engine.port().unwrap());
                        let workers: Vec<_> = (0..6_u64)
                            .map(|key| engine.actor::<Worker>(key + 10 * thread))
                            .collect();
                        ends.wait();
                        for turn in 0.. {
                            let worker = &workers[turn % workers.len()];
                            match thread % 3 {
                                1 => count(block_on(worker.work(turn as u64 % 3))),
                                _ => flat(
                                    worker.relay(100 + turn as u64 % 5, turn as u64 % 3).wait(),
                                ),
                            }
                            if over.load(Ordering::Relaxed) {
                                break;
                            }
                        }
                        drop(port);
                    });
                }
                ends.wait();
                thread::sleep(Duration::from_millis(5 + round));
                engine.clone().shutdown();
                over.store(true, Ordering::Relaxed);
            });
            assert!(answered.into_inner() > 0, "nobody was answered");
            assert!(stopped.into_inner() > 0, "nobody heard of the end");
        }
    });
}

#[test]
fn a_shutdown_lets_finish_what_is_under_way() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let worker = engine.actor::<Worker>(on(&engine, 0));
        let other = on(&engine, 1);
        thread::scope(|scope| {
            let calls: Vec<_> = (0..5)
                .map(|_| scope.spawn(|| worker.relay(other, 30).wait()))
                .collect();
            while engine.count() < 2 {
                thread::yield_now();
            }
            // All five are in before the end begins.
            while calls.iter().all(|call| !call.is_finished()) {
                thread::yield_now();
            }
            engine.clone().shutdown();
            let ends: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
            assert!(ends.iter().all(Result::is_ok), "{ends:?}");
        });
        assert_eq!(worker.nothing().wait(), Err(CallError::Stopped));
    });
}

#[test]
fn turns_that_hang_are_cut_off_after_the_grace() {
    in_time(LONG, || {
        let engine = small().grace(Duration::from_millis(200)).launch().unwrap();
        let gate = Gate::new();
        let [here, there] = [0, 1].map(|shard| engine.actor::<Worker>(on(&engine, shard)));
        let _port = engine.port().unwrap();
        let hanging: Vec<_> = [&here, &there]
            .into_iter()
            .flat_map(|worker| [worker.clone(), worker.clone()])
            .map(|worker| {
                let gate = gate.clone();
                thread::spawn(move || worker.hang(gate).wait())
            })
            .collect();
        // Two hang, and two wait in the mailboxes behind them.
        gate.wait_for(2);
        while engine
            .list()
            .iter()
            .map(|actor| actor.waiting)
            .sum::<usize>()
            < 2
        {
            thread::yield_now();
        }
        let begin = Instant::now();
        engine.shutdown();
        let lasted = begin.elapsed();
        assert!(lasted >= Duration::from_millis(190), "{lasted:?}");
        assert!(lasted < Duration::from_secs(20), "{lasted:?}");
        for call in hanging {
            assert_eq!(call.join().unwrap(), Err(CallError::Stopped));
        }
    });
}

#[test]
fn calls_after_the_end_are_refused() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let worker = engine.actor::<Worker>(1);
        worker.nothing().wait().unwrap();
        let port = engine.port().unwrap();
        let kept = engine.clone();
        engine.shutdown();
        assert_eq!(worker.nothing().wait(), Err(CallError::Stopped));
        assert_eq!(
            worker.nothing().tell().unwrap_err().reason,
            CallError::Stopped
        );
        drop(port);
        for worker in [worker, kept.actor::<Worker>(2)] {
            assert_eq!(worker.nothing().wait(), Err(CallError::Stopped));
            assert_eq!(block_on(worker.nothing()), Err(CallError::Stopped));
            assert_eq!(
                worker.nothing().tell().unwrap_err().reason,
                CallError::Stopped
            );
            let sent = block_on(worker.nothing().send()).unwrap_err();
            assert_eq!(sent.reason, CallError::Stopped);
        }
        assert!(kept.port().is_err());
        assert_eq!((kept.count(), kept.list().len()), (0, 0));
    });
}

#[test]
fn the_last_handle_ends_the_engine() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let worker = engine.actor::<Worker>(1);
        let other = engine.clone();
        drop(engine);
        assert_eq!(worker.nothing().wait(), Ok(()));
        drop(other);
        assert_eq!(worker.nothing().wait(), Err(CallError::Stopped));
    });
}

#[test]
fn every_thread_that_shuts_down_waits_for_the_end() {
    in_time(LONG, || {
        for _ in 0..5 {
            let engine = small().launch().unwrap();
            let worker = engine.actor::<Worker>(1);
            let working = thread::spawn({
                let worker = worker.clone();
                move || worker.work(100).wait()
            });
            while engine.count() == 0 {
                thread::yield_now();
            }
            thread::scope(|scope| {
                for _ in 0..4 {
                    let (engine, worker) = (engine.clone(), &worker);
                    scope.spawn(move || {
                        engine.shutdown();
                        assert_eq!(worker.nothing().wait(), Err(CallError::Stopped));
                    });
                }
            });
            assert_eq!(
                working.join().unwrap(),
                Ok(1),
                "a second shutdown cut the first short"
            );
        }
    });
}

#[test]
fn an_engine_can_be_ended_from_within() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let worker = engine.actor::<Worker>(on(&engine, 0));
        let working = thread::spawn({
            let worker = engine.actor::<Worker>(on(&engine, 1));
            move || worker.work(100).wait()
        });
        while engine.count() == 0 {
            thread::yield_now();
        }
        assert_eq!(worker.end(engine.clone()).wait(), Ok(()));
        let begin = Instant::now();
        while worker.nothing().wait() != Err(CallError::Stopped) {
            assert!(begin.elapsed() < Duration::from_secs(20));
        }
        engine.shutdown();
        assert_eq!(
            working.join().unwrap(),
            Ok(1),
            "what was under way was cut off"
        );
    });
}

/// Says when it goes.
#[derive(Default)]
pub struct Witness(Option<Arc<AtomicBool>>);

#[actor]
impl Witness {
    async fn on_deactivate(&mut self) {
        if let Some(gone) = &self.0 {
            gone.store(true, Ordering::SeqCst);
        }
    }

    pub fn watch(&mut self, gone: Arc<AtomicBool>) {
        self.0 = Some(gone);
    }
}

#[test]
fn the_last_handle_may_be_dropped_on_a_shard() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let gone = Arc::new(AtomicBool::new(false));
        engine
            .actor::<Witness>(1)
            .watch(gone.clone())
            .wait()
            .unwrap();
        let worker = engine.actor::<Worker>(1);
        let gate = Gate::new();
        worker.keep(engine, gate.clone()).tell().unwrap();
        gate.wait_for(1);
        gate.open();
        while worker.nothing().wait() != Err(CallError::Stopped) {
            thread::yield_now();
        }
        while !gone.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    });
}
