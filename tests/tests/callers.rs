//! Who may call, and how: plain threads, ports, futures on other executors, and those who must not.
#![allow(missing_docs)]

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use quark::{Credits, IdlePolicy, prelude::*};
use quark_tests::{Gate, block_on, in_time, key_on, small};

const LONG: Duration = Duration::from_secs(60);

/// A call of some shard's, on its way to elsewhere.
type Wanderer = Pin<Box<dyn Future<Output = Result<u64, CallError>> + Send>>;
/// Where a wandering call is left, and picked up.
#[derive(Clone, Default)]
pub struct Place(Arc<Mutex<Option<Wanderer>>>);

#[derive(Default)]
pub struct Caller;

#[actor]
impl Caller {
    pub fn twice(&self, number: u64) -> u64 {
        2 * number
    }

    pub async fn twice_behind(&self, gate: Gate, number: u64) -> u64 {
        gate.pass().await;
        2 * number
    }

    pub fn block_for(&self, cx: &Cx<Self>, key: u64) -> Result<u64, CallError> {
        cx.actor::<Caller>(key).twice(1).wait()
    }

    pub fn send_and_block(&self, cx: &Cx<Self>, key: u64) -> Option<CallError> {
        let sent = cx.actor::<Caller>(key).twice(1).send().wait();
        sent.err().map(|error| error.reason)
    }

    /// Begins a call, and leaves it for others to go on with.
    pub async fn leave_a_call(&self, cx: &Cx<Self>, key: u64, gate: Gate, place: Place) {
        let callee = cx.actor::<Caller>(key);
        let mut call: Wanderer = Box::pin(async move { callee.twice_behind(gate, 4).await });
        poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        *place.0.lock().unwrap() = Some(call);
    }

    /// Awaits a call that was left.
    pub async fn take_a_call(&self, place: Place) -> Result<u64, CallError> {
        let call = place.0.lock().unwrap().take().expect("one was left");
        call.await
    }

    pub async fn ask_many(&self, cx: &Cx<Self>, key: u64, count: u64) -> Result<u64, CallError> {
        let other = cx.actor::<Caller>(key);
        let mut sum = 0;
        for number in 0..count {
            sum += other.twice(number).await?;
        }
        Ok(sum)
    }
}

fn on(engine: &Engine, shard: u16) -> u64 {
    key_on(shard, |key| engine.home_of::<Caller>(key))
}

#[test]
fn a_shard_does_not_block() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for (from, to) in [(0, 0), (0, 1)] {
            let caller = engine.actor::<Caller>(on(&engine, from));
            let to = on(&engine, to) + 1;
            let blocked = Err(CallError::Failed(CallError::WouldBlock));
            assert_eq!(caller.block_for(to).wait(), blocked);
            assert_eq!(
                caller.send_and_block(to).wait(),
                Ok(Some(CallError::WouldBlock))
            );
        }
    });
}

#[test]
fn a_call_awaited_elsewhere_says_so_and_leaks_nothing() {
    in_time(LONG, || {
        // Few credits: a leaked one would be missed.
        let credits = Credits {
            ask_slots: 4,
            reserve_slots: 4,
            tell_slots: 4,
        };
        let engine = small().credits(credits).launch().unwrap();
        let (here, there) = (on(&engine, 0), on(&engine, 1));
        let [caller, other] = [here, there].map(|key| engine.actor::<Caller>(key));
        for callee in [here + 5000, there] {
            for _ in 0..20 {
                let (gate, place) = (Gate::new(), Place::default());
                caller
                    .leave_a_call(callee, gate.clone(), place.clone())
                    .wait()
                    .unwrap();
                let elsewhere = CallError::Elsewhere;
                assert_eq!(
                    other.take_a_call(place).wait(),
                    Err(CallError::Failed(elsewhere))
                );
                gate.open();
                // And outside all shards.
                let (gate, place) = (Gate::new(), Place::default());
                caller
                    .leave_a_call(callee, gate.clone(), place.clone())
                    .wait()
                    .unwrap();
                let call = place.0.lock().unwrap().take().unwrap();
                assert_eq!(block_on(call), Err(CallError::Elsewhere));
                gate.open();
            }
            assert_eq!(caller.ask_many(callee, 10).wait(), Ok(90));
        }
    });
}

#[test]
fn a_port_asks_and_tells() {
    in_time(LONG, || {
        for idle in [IdlePolicy::Park, IdlePolicy::ADAPTIVE] {
            let engine = small().idle(idle).launch().unwrap();
            let port = engine.port().unwrap();
            for shard in 0..2 {
                let callee = engine.actor::<Caller>(on(&engine, shard));
                for number in 0..500 {
                    assert_eq!(callee.twice(number).wait(), Ok(2 * number));
                }
                callee.twice(1).tell().unwrap();
                assert_eq!(callee.ask_many(on(&engine, 1 - shard), 20).wait(), Ok(380));
                let gate = Gate::new();
                let late = callee.twice_behind(gate.clone(), 1);
                assert_eq!(
                    late.timeout(Duration::from_millis(20)).wait(),
                    Err(CallError::Timeout)
                );
                gate.open();
                assert_eq!(callee.twice(1).wait(), Ok(2));
            }
            drop(port);
            assert_eq!(engine.actor::<Caller>(1).twice(3).wait(), Ok(6));
        }
    });
}

#[test]
fn many_threads_have_a_port_each() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        thread::scope(|scope| {
            for thread in 0..8 {
                let engine = engine.clone();
                scope.spawn(move || {
                    for round in 0..10 {
                        let _port = engine.port().unwrap();
                        let callee = engine.actor::<Caller>(thread * 100 + round);
                        for number in 0..50 {
                            assert_eq!(callee.twice(number).wait(), Ok(2 * number));
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn a_port_that_gave_its_credit_up_is_told_of_it() {
    in_time(LONG, || {
        let credits = Credits {
            ask_slots: 8,
            reserve_slots: 4,
            tell_slots: 4,
        };
        let engine = small().credits(credits).launch().unwrap();
        let _port = engine.port().unwrap();
        let callee = engine.actor::<Caller>(1);
        let gate = Gate::new();
        let refused = loop {
            let call = callee.twice_behind(gate.clone(), 1);
            match call.timeout(Duration::from_millis(5)).wait() {
                Err(CallError::Timeout) => {}
                other => break other,
            }
        };
        assert_eq!(refused, Err(CallError::Overloaded));
        gate.open();
        while callee.twice(2).wait() == Err(CallError::Overloaded) {
            thread::yield_now();
        }
        assert_eq!(callee.twice(2).wait(), Ok(4));
    });
}

#[test]
fn futures_outside_may_wander_between_threads() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for shard in 0..2 {
            let callee = engine.actor::<Caller>(on(&engine, shard));
            let gate = Gate::new();
            let (theirs, behind) = (callee.clone(), gate.clone());
            let mut call: Wanderer = Box::pin(async move { theirs.twice_behind(behind, 21).await });
            // Polled here first, awaited on another thread: `Send`, as on tokio's workers.
            block_on(poll_fn(|cx| {
                assert!(call.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            }));
            let waiting = thread::spawn(move || block_on(call));
            gate.wait_for(1);
            gate.open();
            assert_eq!(waiting.join().unwrap(), Ok(42));
            assert_eq!(block_on(callee.twice(4)), Ok(8));
            block_on(callee.twice(4).send()).unwrap();
            callee.twice(4).send().wait().unwrap();
        }
    });
}
