//! Rate limits and circuit breakers.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Sim, SimOptions};
use quark::{BreakerInfo, BreakerState, DeadReason, sleep};
use quark_tests::key_on;

const MILLI: Duration = Duration::from_millis(1);

#[derive(Default)]
pub struct Metered {
    seen: u64,
}

#[actor(rate_limit = 100, burst = 10)]
impl Metered {
    pub fn note(&mut self) -> u64 {
        self.seen += 1;
        self.seen
    }

    pub async fn slow(&self) -> u64 {
        sleep(MILLI).await;
        self.seen
    }
}

/// Fails as it is told to.
#[derive(Default)]
pub struct Fragile;

/// Why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oops;

#[actor(breaker(failures = 3, within_ms = 1000, open_ms = 500))]
impl Fragile {
    pub fn check(&self, fails: bool) -> Result<(), Oops> {
        if fails { Err(Oops) } else { Ok(()) }
    }

    pub async fn slow(&self, time: Duration, fails: bool) -> Result<(), Oops> {
        sleep(time).await;
        if fails { Err(Oops) } else { Ok(()) }
    }

    pub async fn hold(&mut self, time: Duration) {
        sleep(time).await;
    }

    pub async fn boom(&mut self) {
        sleep(MILLI).await;
        std::panic::resume_unwind(Box::new("a method of the test's"))
    }

    pub fn boom_beside(&self) {
        std::panic::resume_unwind(Box::new("a method of the test's"))
    }

    pub fn boom_at_once(&mut self) {
        std::panic::resume_unwind(Box::new("a method of the test's"))
    }
}

fn world(seed: u64) -> Sim {
    Engine::builder()
        .simulate(seed, SimOptions::default())
        .expect("nothing is registered twice")
}

/// Runs a task on `shard` to its end, with what else there is to do; what it says.
fn run_on<R: 'static>(sim: &Sim, shard: u16, task: impl Future<Output = R> + 'static) -> R {
    let said = Rc::new(RefCell::new(None));
    let says = said.clone();
    sim.spawn_on(shard, async move {
        let result = task.await;
        *says.borrow_mut() = Some(result);
    });
    sim.run_until_idle();
    said.take()
        .expect("a task that has ended has said something")
}

/// The breaker on the shard where actors of these tests live.
fn breaker(sim: &Sim) -> BreakerInfo {
    let home = sim.engine().home_of::<Fragile>(key(sim));
    let breakers = sim.breakers().into_iter();
    let mut here = breakers.filter(|breaker| breaker.shard == home);
    let breaker = here.next().expect("that shard has met the type");
    assert_eq!((breaker.actor, here.count()), ("Fragile", 0));
    breaker
}

fn state(sim: &Sim) -> BreakerState {
    breaker(sim).state
}

fn key(sim: &Sim) -> u64 {
    key_on(0, |key| sim.engine().home_of::<Fragile>(key))
}

#[test]
fn asks_beyond_the_rate_are_refused_with_how_long_to_wait() {
    for shard in 0..2 {
        let sim = world(1);
        let key = key_on(0, |key| sim.engine().home_of::<Metered>(key));
        let metered = sim.actor::<Metered>(key);
        run_on(&sim, shard, async move {
            for number in 1..=10 {
                assert_eq!(metered.note().await, Ok(number));
            }
            let error = metered.note().await.unwrap_err();
            let wait = error.retry_after().expect("it says how long");
            assert!(matches!(error, CallError::RateLimited(_)) && error.never_ran());
            assert!(wait > 8 * MILLI && wait <= 10 * MILLI, "{wait:?}");
            assert!(matches!(
                metered.slow().await,
                Err(CallError::RateLimited(_))
            ));
            sleep(wait).await;
            assert_eq!(metered.note().await, Ok(11));
            assert!(metered.note().await.is_err());
        });
        // In the long run, the rate.
        let metered = sim.actor::<Metered>(key);
        let began = sim.now();
        let passed = run_on(&sim, shard, async move {
            let mut passed = 0;
            for _ in 0..2_000 {
                sleep(MILLI).await;
                passed += u32::from(metered.note().await.is_ok());
            }
            passed
        });
        let time = sim.now() - began;
        let most = (time / 10).as_millis() as u32;
        assert!(
            (most - 3..=most + 1).contains(&passed),
            "{passed} in {time:?}"
        );
    }
}

#[test]
fn a_type_is_limited_not_an_actor() {
    let sim = world(2);
    let keys: Vec<u64> = (0..1_000)
        .filter(|key| sim.engine().home_of::<Metered>(*key) == 0)
        .take(20)
        .collect();
    let refs: Vec<_> = keys.iter().map(|key| sim.actor::<Metered>(*key)).collect();
    let passed = run_on(&sim, 0, async move {
        let mut passed = 0;
        for metered in refs {
            passed += u64::from(metered.note().await.is_ok());
        }
        passed
    });
    assert_eq!(passed, 10);
}

#[test]
fn tells_beyond_the_rate_come_back_or_die() {
    for shard in 0..2 {
        let sim = world(3);
        let key = key_on(0, |key| sim.engine().home_of::<Metered>(key));
        let metered = sim.actor::<Metered>(key);
        let teller = metered.clone();
        let refused = run_on(&sim, shard, async move {
            let told = (0..15).map(|_| teller.note().tell());
            told.filter_map(Result::err)
                .map(|error| error.reason)
                .collect::<Vec<_>>()
        });
        let dead = sim.dead_letters().count(DeadReason::RateLimited);
        if shard == 0 {
            assert_eq!((refused.len(), dead), (5, 0));
            let limited = |error: &CallError| matches!(error, CallError::RateLimited(_));
            assert!(refused.iter().all(limited));
        } else {
            assert_eq!((refused.len(), dead), (0, 5));
        }
        sim.run_for(100 * MILLI);
        assert_eq!(sim.block_on(metered.note()), Ok(11));
    }
}

/// Makes three calls fail, in as many ways.
async fn fail_thrice(fragile: &FragileRef) {
    assert_eq!(fragile.check(true).await, Err(CallError::Failed(Oops)));
    assert_eq!(fragile.check(false).await, Ok(()));
    assert_eq!(fragile.boom().await, Err(CallError::Panicked));
    assert_eq!(
        fragile.slow(MILLI, true).await,
        Err(CallError::Failed(Oops))
    );
}

#[test]
fn failures_open_the_circuit_and_one_call_closes_it() {
    for shard in 0..2 {
        let sim = world(4);
        let fragile = sim.actor::<Fragile>(key(&sim));
        let caller = fragile.clone();
        run_on(&sim, shard, async move { fail_thrice(&caller).await });
        assert_eq!(state(&sim), BreakerState::Open);
        let caller = fragile.clone();
        run_on(&sim, shard, async move {
            let error = caller.check(false).await.unwrap_err();
            let wait = error.retry_after().expect("it says how long");
            assert!(matches!(error, CallError::CircuitOpen(_)) && error.never_ran());
            assert!(wait > 400 * MILLI && wait <= 500 * MILLI, "{wait:?}");
            sleep(wait).await;
            // It tries; it fails, and all are refused again.
            assert_eq!(caller.check(true).await, Err(CallError::Failed(Oops)));
            let error = caller.check(false).await.unwrap_err();
            assert!(matches!(error, CallError::CircuitOpen(_)), "{error:?}");
            sleep(500 * MILLI).await;
            assert_eq!(caller.check(false).await, Ok(()));
            assert_eq!(caller.check(false).await, Ok(()));
        });
        assert_eq!(state(&sim), BreakerState::Closed);
        let info = breaker(&sim);
        assert_eq!((info.opened, info.refused, info.failures), (2, 2, 0));
    }
}

#[test]
fn while_one_tries_all_others_are_refused() {
    let sim = world(5);
    let fragile = sim.actor::<Fragile>(key(&sim));
    let caller = fragile.clone();
    run_on(&sim, 0, async move {
        fail_thrice(&caller).await;
        sleep(500 * MILLI).await;
    });
    let tries = Rc::new(Cell::new(0));
    for shard in [0, 1, 0, 1] {
        let (caller, tries) = (fragile.clone(), tries.clone());
        sim.spawn_on(shard, async move {
            match caller.slow(100 * MILLI, false).await {
                Ok(()) => tries.set(tries.get() + 1),
                Err(error) => assert!(matches!(error, CallError::CircuitOpen(_)), "{error:?}"),
            }
        });
    }
    sim.run_for(50 * MILLI);
    assert_eq!(state(&sim), BreakerState::HalfOpen);
    sim.run_until_idle();
    assert_eq!((tries.get(), state(&sim)), (1, BreakerState::Closed));
}

#[test]
fn a_try_that_came_to_nothing_leaves_the_next_one() {
    let sim = world(6);
    let fragile = sim.actor::<Fragile>(key(&sim));
    run_on(&sim, 0, async move {
        // Inside before the circuit opens, and for long.
        fragile.slow(700 * MILLI, false).tell().unwrap();
        let error = || Err(CallError::Failed(Oops));
        for _ in 0..3 {
            assert_eq!(fragile.check(true).await, error());
        }
        sleep(500 * MILLI).await;
        // This one may try, and waits in vain for whoever is inside.
        let tried = fragile.hold(MILLI).timeout(50 * MILLI).await;
        assert_eq!(tried, Err(CallError::Timeout));
        assert!(fragile.check(false).await.is_err(), "it may run yet");
        sleep(200 * MILLI).await;
        // It has left the mailbox since, unheard: the next one tries.
        assert_eq!(fragile.check(false).await, Ok(()));
    });
    assert_eq!(state(&sim), BreakerState::Closed);
}

#[test]
fn a_panic_on_the_spot_is_a_failure_too() {
    let sim = world(7);
    let fragile = sim.actor::<Fragile>(key(&sim));
    for _ in 0..3 {
        let panicked = sim.block_on(fragile.boom_at_once());
        assert_eq!(panicked, Err(CallError::Panicked));
    }
    assert_eq!(state(&sim), BreakerState::Open);
}

#[test]
fn what_others_do_is_no_failure() {
    let sim = world(8);
    let fragile = sim.actor::<Fragile>(key(&sim));
    let restarted = Rc::new(Cell::new(0));
    for _ in 0..5 {
        let (fragile, restarted) = (fragile.clone(), restarted.clone());
        sim.spawn_on(0, async move {
            let end = fragile.slow(Duration::from_secs(10), false).await;
            assert_eq!(end, Err(CallError::Restarted));
            restarted.set(restarted.get() + 1);
        });
    }
    sim.run_for(MILLI);
    assert_eq!(
        sim.block_on(fragile.boom_beside()),
        Err(CallError::Panicked)
    );
    sim.run_until_idle();
    assert_eq!(restarted.get(), 5);
    assert_eq!(state(&sim), BreakerState::Closed);
    assert_eq!(breaker(&sim).failures, 1, "only the one that panicked");
}

#[test]
fn tells_to_an_open_circuit_come_back_or_die() {
    for shard in 0..2 {
        let sim = world(9);
        let fragile = sim.actor::<Fragile>(key(&sim));
        let refused = run_on(&sim, shard, async move {
            fail_thrice(&fragile).await;
            fragile.check(false).tell().err().map(|error| error.reason)
        });
        let dead = sim.dead_letters().count(DeadReason::CircuitOpen);
        if shard == 0 {
            assert!(matches!(refused, Some(CallError::CircuitOpen(_))));
            assert_eq!(dead, 0);
        } else {
            assert_eq!((refused, dead), (None, 1));
        }
    }
}
