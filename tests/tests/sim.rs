//! The simulator's suites: many seeds of a mixed load, each checked against the rules, and a
//! flood with hardly any credit.
#![allow(clippy::print_stdout)] // the summary, in the test's output

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{REPLAY_VARIABLE, SimOptions, for_seeds};
use quark::{Credits, Time};
use quark_tests::key_on;
use quark_tests::model::{Counts, run};

/// Messages a seed.
const MESSAGES: u64 = 10_000;

fn seeds(usual: u64) -> u64 {
    if std::env::var_os("QUARK_FULL").is_some() {
        1_000
    } else {
        usual
    }
}

#[test]
fn every_seed_keeps_the_rules() {
    let mut counts = Counts::default();
    let mut messages = 0;
    for_seeds(0..seeds(60), |seed| {
        let outcome = run(seed, MESSAGES);
        assert!(outcome.messages >= MESSAGES);
        messages += outcome.messages;
        counts += &outcome.counts;
    });
    println!("{messages:>12}  messages\n{counts}");
    if std::env::var_os(REPLAY_VARIABLE).is_none() {
        let missing = counts.missing();
        assert!(missing.is_empty(), "the load has no {missing:?}");
    }
}

#[test]
fn a_seed_leaves_one_trace() {
    for_seeds(0..seeds(60), |seed| {
        let (first, second) = (run(seed, MESSAGES), run(seed, MESSAGES));
        assert_eq!(first, second, "two runs of one seed differ");
    });
}

#[test]
fn seeds_differ() {
    assert_ne!(run(1, 1_000).trace, run(2, 1_000).trace);
}

/// Answers, after it has asked back and forth.
#[derive(Default)]
pub struct Peer;

#[actor(mailbox = 100_000)]
impl Peer {
    /// Asks `there`, which asks `here`, and so on, `left` times.
    pub async fn bounce(
        &self,
        cx: &Cx<Self>,
        left: u32,
        here: u64,
        there: u64,
    ) -> Result<u32, CallError> {
        if left == 0 {
            return Ok(0);
        }
        let peer = cx.actor::<Peer>(there);
        match peer.bounce(left - 1, there, here).await {
            Ok(bounces) => Ok(bounces + 1),
            Err(CallError::Failed(error)) => Err(error),
            Err(error) => Err(error.map(|_| unreachable!("taken out above"))),
        }
    }
}

/// Barely enough for the longest message.
const TINY: Credits = Credits {
    ask_slots: 16,
    reserve_slots: 16,
    tell_slots: 16,
};

#[test]
fn shards_flooding_each_other_make_progress() {
    const TASKS: u64 = 100;
    const ASKS: u32 = 20;
    for_seeds(0..20, |seed| {
        let builder = Engine::builder().credits(TINY);
        let sim = builder
            .simulate(seed, SimOptions::default())
            .expect("nothing is registered twice");
        let home = |key| sim.engine().home_of::<Peer>(key);
        let keys = [key_on(0, home), key_on(1, home)];
        let (answered, nested) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        for task in 0..TASKS {
            let shard = (task % 2) as usize;
            let (here, there) = (keys[shard], keys[1 - shard]);
            let peer = sim.actor::<Peer>(there);
            let (answered, nested) = (answered.clone(), nested.clone());
            sim.spawn_on(shard as u16, async move {
                for ask in 0..ASKS {
                    let depth = ask % 5;
                    match peer.bounce(depth, there, here).await {
                        Ok(bounces) => {
                            assert_eq!(bounces, depth);
                            nested.set(nested.get() + bounces);
                        }
                        // A turn is refused rather than let wait for credit; a task waits.
                        Err(CallError::Failed(CallError::Overloaded)) => assert_ne!(depth, 0),
                        Err(error) => panic!("an ask of depth {depth}: {error}"),
                    }
                    answered.set(answered.get() + 1);
                }
            });
        }
        sim.run_until_idle();
        assert_eq!(answered.get(), TASKS * u64::from(ASKS));
        assert!(nested.get() > 0, "no nested ask came through");
        // Nobody has waited for a deadline to end what locked.
        assert!(
            sim.now() < Time::ZERO + Duration::from_secs(5),
            "{:?}",
            sim.now()
        );
        sim.shutdown();
    });
}
