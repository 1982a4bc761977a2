use std::sync::{Arc, Mutex};
use std::time::Duration;

use quark_shards::ring::Message;
use quark_shards::shard::Shard;

use crate::runtime::with_runtime;
use crate::testing::{Sim, SimOptions, for_seeds};
use crate::{Credits, Engine};

type Seen = Arc<Mutex<Vec<(u16, u16, u64)>>>;

/// Notes where it came from, where it arrived, and its number.
struct Note<const WORDS: usize> {
    number: u64,
    seen: Seen,
    _load: [u64; WORDS],
}

impl<const WORDS: usize> Message<Shard> for Note<WORDS> {
    fn deliver(self, shard: &Shard, from: u16) {
        let arrived = (from, shard.id(), self.number);
        self.seen.lock().expect("no test panics here").push(arrived);
    }
}

fn sim(seed: u64) -> Sim {
    let options = SimOptions {
        shards: 2,
        ..SimOptions::default()
    };
    let sim = Engine::builder().simulate(seed, options);
    sim.expect("no type is registered")
}

fn post<const WORDS: usize>(lane: u16, number: u64, seen: &Seen) {
    let note = Note {
        number,
        seen: seen.clone(),
        _load: [number; WORDS],
    };
    with_runtime(|shard, runtime| runtime.post(shard, lane, note));
}

#[test]
fn posts_arrive_once_and_in_order_however_many_there_are() {
    for_seeds(1..9, |seed| {
        let sim = sim(seed);
        let seen = Seen::default();
        let notes = seen.clone();
        sim.spawn_on(0, async move {
            for number in 0..1000 {
                match number % 3 {
                    0 => post::<0>(1, number, &notes),
                    1 => post::<30>(1, number, &notes),
                    _ => post::<300>(1, number, &notes),
                }
            }
            assert!(with_runtime(|_, runtime| runtime.has_posts(1)));
        });
        // Credit is all given back, or this fails.
        sim.run_until_idle();
        let expected: Vec<_> = (0..1000).map(|number| (0, 1, number)).collect();
        assert_eq!(*seen.lock().expect("no test panics here"), expected);
    });
}

#[test]
fn a_post_needs_no_credit_of_messages_that_wait() {
    let sim = sim(1);
    let seen = Seen::default();
    let notes = seen.clone();
    sim.spawn_on(0, async move {
        with_runtime(|shard, _| {
            let out = shard.outbound(1).expect("there are two shards");
            let slots = u16::try_from(Credits::default().tell_slots).expect("a few hundred");
            assert!(out.tells().try_take(slots));
            assert!(!out.tells().try_take(1));
        });
        for number in 0..1000 {
            post::<0>(1, number, &notes);
        }
    });
    sim.run_for(Duration::from_secs(1));
    assert_eq!(seen.lock().expect("no test panics here").len(), 1000);
}

#[test]
fn a_post_to_its_own_shard_waits_its_turn() {
    let sim = sim(1);
    let seen = Seen::default();
    let notes = seen.clone();
    sim.spawn_on(0, async move {
        post::<0>(0, 1, &notes);
        post::<300>(0, 2, &notes);
        assert!(notes.lock().expect("no test panics here").is_empty());
    });
    sim.run_until_idle();
    let arrived = seen.lock().expect("no test panics here").clone();
    assert_eq!(arrived, [(0, 0, 1), (0, 0, 2)]);
}
