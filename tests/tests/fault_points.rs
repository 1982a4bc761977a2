//! Faults at named points of user code.
#![allow(missing_docs)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Fault, Outcome, Sim, SimOptions, for_seeds};
use quark::{Time, fault_point, fault_point_now};
use quark_tests::{in_time, small};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub async fn add(&mut self, cents: i64) -> i64 {
        fault_point("before credit").await;
        self.cents += cents;
        fault_point("after credit").await;
        self.cents
    }

    pub fn take(&mut self, cents: i64) -> i64 {
        self.cents -= cents;
        fault_point_now("after debit");
        self.cents
    }

    pub fn cents(&self) -> i64 {
        self.cents
    }

    /// Calls an actor of the same shard.
    pub async fn add_to(&self, cx: &Cx<Self>, other: u64, cents: i64) -> Result<i64, CallError> {
        cx.actor::<Account>(other).add(cents).await
    }
}

fn world(seed: u64, shards: u16) -> Sim {
    let options = SimOptions {
        shards,
        log_messages: seed.is_multiple_of(2),
        ..SimOptions::default()
    };
    Engine::builder()
        .timeout(10 * SECOND)
        .simulate(seed, options)
        .unwrap()
}

fn said(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it was to fail");
    let said = panic.downcast_ref::<String>().cloned();
    said.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()))
        .expect("failures are told in words")
}

#[test]
fn a_panic_comes_at_the_passage_it_is_set_for() {
    for_seeds(0..20, |seed| {
        let sim = world(seed, 2);
        sim.inject("after credit", Fault::panic().at(3));
        sim.inject("after debit", Fault::panic().at(1));
        let account = sim.actor::<Account>(seed);
        assert_eq!(sim.block_on(account.add(1)), Ok(1));
        assert_eq!(sim.block_on(account.add(1)), Ok(2));
        assert_eq!(sim.block_on(account.add(1)), Err(CallError::Panicked));
        assert_eq!(sim.block_on(account.add(1)), Ok(1), "a fresh instance");
        assert_eq!(sim.block_on(account.take(1)), Err(CallError::Panicked));
        assert_eq!(sim.block_on(account.take(1)), Ok(-1));
        assert_eq!(sim.passages("after credit"), 4);
        assert_eq!(sim.passages("before credit"), 4);
        assert_eq!(
            (sim.passages("after debit"), sim.passages("nowhere")),
            (2, 0)
        );
        let counts = sim.counts();
        assert_eq!((counts.point_faults, counts.restarted), (2, 2));
        sim.shutdown();
    });
}

#[test]
fn a_delay_lasts_and_ends() {
    for seed in 0..2 {
        let sim = world(seed, 1);
        sim.inject("before credit", Fault::delay(3 * SECOND));
        sim.inject("after debit", Fault::delay(2 * SECOND));
        let account = sim.actor::<Account>(1);
        assert_eq!(sim.block_on(account.add(1)), Ok(1));
        let between = sim.now();
        assert!(between >= Time::ZERO + 3 * SECOND);
        // This one holds its core up.
        assert_eq!(sim.block_on(account.take(1)), Ok(0));
        assert!(sim.now() >= between + 2 * SECOND);
        sim.clear("before credit");
        let before = sim.now();
        assert_eq!(sim.block_on(account.add(1)), Ok(1));
        assert!(sim.now() < before + SECOND);
        sim.shutdown();
    }
}

#[test]
fn a_lost_turn_leaves_its_caller_waiting_and_its_actor_as_it_is() {
    for_seeds(0..100, |seed| {
        for shards in [1, 2] {
            let sim = world(seed, shards);
            sim.inject("after credit", Fault::lose().at(2));
            let account = sim.actor::<Account>(1);
            let caller = sim.actor::<Account>(2);
            assert_eq!(sim.block_on(caller.add_to(1, 1)), Ok(1));
            let before = sim.now();
            // By a turn of the same shard or another, whose own caller waits as long.
            let lost = sim.block_on(caller.add_to(1, 1));
            assert!(
                matches!(
                    lost,
                    Err(CallError::Timeout | CallError::Failed(CallError::Timeout))
                ),
                "{lost:?}"
            );
            let waited = sim.now().since(before);
            assert!(waited > 9 * SECOND && waited < 11 * SECOND, "{waited:?}");
            assert_eq!(sim.block_on(account.cents()), Ok(2), "it was added");
            assert_eq!(sim.block_on(account.add(1)), Ok(3), "nobody is inside");
            assert_eq!(sim.counts().restarted, 0);
            // Nothing is left of it: no call, no credit.
            sim.run_until_idle();
            if seed.is_multiple_of(2) {
                let seen = sim.seen::<Account>().method(AccountRef::add);
                seen.ended(&Outcome::Lost).assert_count(1);
            }
            sim.shutdown();
        }
    });
}

#[test]
fn a_lost_turn_that_never_suspends_answers_at_once() {
    let sim = world(1, 1);
    sim.inject("after debit", Fault::lose().at(1));
    let account = sim.actor::<Account>(1);
    assert_eq!(sim.block_on(account.take(1)), Err(CallError::Timeout));
    assert_eq!(sim.block_on(account.cents()), Ok(-1));
    assert_eq!(sim.counts().restarted, 0);
    sim.shutdown();
}

#[test]
fn a_shutdown_answers_the_callers_of_lost_turns() {
    let sim = Engine::builder()
        .grace(SECOND)
        .simulate(1, SimOptions::default())
        .unwrap();
    sim.inject("before credit", Fault::lose());
    let account = sim.actor::<Account>(1);
    let mut add = std::pin::pin!(account.add(1));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(add.as_mut().poll(&mut cx).is_pending());
    sim.run_for(SECOND);
    sim.shutdown();
    let answer = add.as_mut().poll(&mut cx);
    assert_eq!(answer, std::task::Poll::Ready(Err(CallError::Stopped)));
}

#[test]
fn chance_is_the_seeds() {
    let run = |seed| {
        let sim = world(seed, 2);
        sim.inject("after credit", Fault::panic().with_probability(0.3));
        let account = sim.actor::<Account>(1);
        let ends: Vec<_> = (0..100).map(|_| sim.block_on(account.add(1))).collect();
        // After many panics, a restart takes longer than a call waits.
        let panicked = ends.iter().filter(|end| **end == Err(CallError::Panicked));
        let failed = panicked.count() as u64;
        assert_eq!(sim.counts().point_faults, failed);
        assert!((10..60).contains(&failed), "{failed} of 100");
        (ends, sim.trace())
    };
    for_seeds(0..10, |seed| assert_eq!(run(seed), run(seed)));
    assert_ne!(run(1).0, run(3).0);
}

#[test]
fn a_point_that_was_never_passed_is_told() {
    for fault in [Fault::panic(), Fault::lose().with_probability(0.5)] {
        let failed = said(|| {
            let sim = world(1, 1);
            sim.inject("after depit", fault);
            let _ = sim.block_on(sim.actor::<Account>(1).take(1));
            sim.shutdown();
        });
        let whole = ["\"after depit\"", "0 times", "QUARK_SEED=1"];
        for part in whole {
            assert!(failed.contains(part), "{failed}");
        }
    }
    let failed = said(|| {
        let sim = world(1, 1);
        sim.inject("after debit", Fault::panic().at(3));
        let _ = sim.block_on(sim.actor::<Account>(1).take(1));
        sim.shutdown();
    });
    assert!(failed.contains("1 times"), "{failed}");
    let sim = world(1, 1);
    sim.inject("after depit", Fault::panic().may_be_missed());
    sim.shutdown();
}

#[test]
fn nothing_happens_in_a_real_engine() {
    in_time(Duration::from_secs(60), || {
        let engine = small().launch().unwrap();
        let account = engine.actor::<Account>(1);
        assert_eq!(account.add(5).wait(), Ok(5));
        assert_eq!(account.take(5).wait(), Ok(0));
        // Nor outside all shards.
        fault_point_now("anywhere");
        quark_tests::block_on(fault_point("anywhere"));
        engine.shutdown();
    });
}
