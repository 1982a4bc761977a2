//! Mailboxes: what they drop when they are full, who leaves them first, and how much fits.
#![allow(missing_docs)]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{REPLAY_VARIABLE, Sim, SimOptions, for_seeds};
use quark::{DeadReason, sleep};
use quark_tests::key_on;

use load::Met;

#[path = "mailboxes/load.rs"]
mod load;

const SECOND: Duration = Duration::from_secs(1);

/// Types of the same methods, with options of their own.
macro_rules! desks {
    ($($name:ident($($options:tt)*);)*) => {$(
        #[derive(Default)]
        pub struct $name {
            seen: Vec<(char, u64)>,
        }

        #[actor($($options)*)]
        impl $name {
            pub async fn hold(&mut self, time: Duration) {
                sleep(time).await;
            }

            #[turn(priority = "low")]
            pub fn low(&mut self, number: u64) {
                self.seen.push(('l', number));
            }

            pub fn note(&mut self, number: u64) {
                self.seen.push(('n', number));
            }

            #[turn(priority = "high")]
            pub fn high(&mut self, number: u64) {
                self.seen.push(('h', number));
            }

            /// Sends itself the next, so that one always waits.
            #[turn(priority = "high")]
            pub fn again(&mut self, cx: &Cx<Self>, left: u64) {
                self.seen.push(('h', left));
                if left > 0 {
                    cx.me().again(left - 1).tell().unwrap();
                }
            }

            /// Beside others, and slow.
            #[turn(priority = "high")]
            pub async fn look(&self) {
                sleep(Duration::from_millis(1)).await;
            }

            pub fn seen(&self) -> Vec<(char, u64)> {
                self.seen.clone()
            }
        }
    )*};
}

desks! {
    Desk(mailbox = 1_000);
    Oldest(mailbox = 4, when_full = "drop_oldest");
    Newest(mailbox = 4, when_full = "drop_newest");
    Paced(mailbox = 1_000, adaptive_ms = 20);
}

fn seeds() -> u64 {
    match std::env::var_os("QUARK_FULL") {
        Some(_) => 1_000,
        None => 40,
    }
}

fn world(seed: u64) -> Sim {
    Engine::builder()
        .dead_letters(10_000)
        .simulate(seed, SimOptions::default())
        .expect("nothing is registered twice")
}

/// Runs a task on `shard` to its end, with what else there is to do.
fn run_on(sim: &Sim, shard: u16, task: impl Future<Output = ()> + 'static) {
    sim.spawn_on(shard, task);
    sim.run_until_idle();
}

/// An actor of the type that lives on shard 0, and a sender's shard: that one, and the other.
macro_rules! both_ways {
    ($sim:ident, $type:ty, |$actor:ident, $shard:ident| $body:block) => {
        for (seed, $shard) in [(1, 0), (2, 1)] {
            let $sim = world(seed);
            let key = key_on(0, |key| $sim.engine().home_of::<$type>(key));
            let $actor = $sim.actor::<$type>(key);
            $body
            $sim.shutdown();
        }
    };
}

fn notes(numbers: impl IntoIterator<Item = u64>) -> Vec<(char, u64)> {
    numbers.into_iter().map(|number| ('n', number)).collect()
}

#[test]
fn a_full_mailbox_drops_its_oldest() {
    both_ways!(sim, Oldest, |actor, shard| {
        let desk = actor.clone();
        run_on(&sim, shard, async move {
            desk.hold(SECOND).tell().unwrap();
            sleep(SECOND / 2).await;
            for number in 0..10 {
                desk.note(number).tell().unwrap();
            }
        });
        assert_eq!(sim.block_on(actor.seen()), Ok(notes(6..10)));
        let letters = sim.dead_letters();
        assert_eq!((letters.total, letters.count(DeadReason::Dropped)), (6, 6));
        assert!(letters.kept.iter().all(|letter| letter.method == "note"));
    });
}

#[test]
fn a_full_mailbox_drops_the_newest() {
    both_ways!(sim, Newest, |actor, shard| {
        let desk = actor.clone();
        run_on(&sim, shard, async move {
            desk.hold(SECOND).tell().unwrap();
            sleep(SECOND / 2).await;
            for number in 0..10 {
                desk.note(number).tell().unwrap();
            }
        });
        assert_eq!(sim.block_on(actor.seen()), Ok(notes(0..4)));
        let letters = sim.dead_letters();
        assert_eq!((letters.total, letters.count(DeadReason::Dropped)), (6, 6));
        // Those that were dropped are there still: they can be sent again.
        assert_eq!(sim.replay_dead_letters(|_| true), 6);
        sim.run_until_idle();
        let seen = sim.block_on(actor.seen()).unwrap();
        assert_eq!(seen, notes(0..8), "the mailbox takes four at once");
        assert_eq!(sim.dead_letters().kept.len(), 2);
    });
}

#[test]
fn a_dropped_ask_is_answered() {
    both_ways!(sim, Oldest, |actor, shard| {
        let answers = Rc::new(RefCell::new(Vec::new()));
        actor.hold(SECOND).tell().unwrap();
        sim.run_for(SECOND / 2);
        for number in 0..10u64 {
            let (desk, answers) = (actor.clone(), answers.clone());
            sim.spawn_on(shard, async move {
                let answer = desk.note(number).await;
                answers.borrow_mut().push((number, answer));
            });
        }
        sim.run_until_idle();
        let mut answers = answers.borrow_mut();
        answers.sort_by_key(|(number, _)| *number);
        let dropped = answers.iter().filter(|(_, answer)| answer.is_err());
        let mut count = 0;
        for (_, answer) in dropped {
            assert_eq!(*answer, Err(CallError::Dropped));
            assert!(CallError::<()>::Dropped.never_ran());
            count += 1;
        }
        assert_eq!((answers.len(), count), (10, 6));
        assert_eq!(sim.dead_letters().total, 0, "whoever asked was told");
    });
}

#[test]
fn one_turn_can_not_fill_more_than_the_mailbox() {
    let sim = world(3);
    let key = key_on(0, |key| sim.engine().home_of::<Oldest>(key));
    let actor = sim.actor::<Oldest>(key);
    let desk = actor.clone();
    // Nobody is inside, and nothing runs before this task lets go: all of it waits.
    run_on(&sim, 0, async move {
        for number in 0..1_000 {
            desk.note(number).tell().unwrap();
        }
    });
    assert_eq!(sim.block_on(actor.seen()), Ok(notes(996..1_000)));
    assert_eq!(sim.dead_letters().count(DeadReason::Dropped), 996);
}

#[test]
fn asks_and_tells_of_one_sender_stay_in_order_where_the_oldest_are_dropped() {
    let sim = world(4);
    let key = key_on(0, |key| sim.engine().home_of::<Oldest>(key));
    let actor = sim.actor::<Oldest>(key);
    let desk = actor.clone();
    run_on(&sim, 0, async move {
        for number in 0..600 {
            if number % 3 == 0 {
                desk.note(number).await.unwrap();
            } else {
                desk.note(number).tell().unwrap();
            }
        }
    });
    assert_eq!(sim.block_on(actor.seen()), Ok(notes(0..600)));
}

#[test]
fn the_lowest_priority_makes_room_first() {
    both_ways!(sim, Oldest, |actor, shard| {
        let desk = actor.clone();
        run_on(&sim, shard, async move {
            desk.hold(SECOND).tell().unwrap();
            sleep(SECOND / 2).await;
            for number in 0..4 {
                desk.low(number).tell().unwrap();
            }
            for number in 4..7 {
                desk.high(number).tell().unwrap();
            }
            desk.note(7).tell().unwrap();
            desk.low(8).tell().unwrap();
        });
        let seen = sim.block_on(actor.seen()).unwrap();
        assert_eq!(seen, [('h', 4), ('h', 5), ('h', 6), ('n', 7)]);
        let dropped = sim.dead_letters().count(DeadReason::Dropped);
        assert_eq!(dropped, 5, "all low ones, the last at the door");
    });
}

#[test]
fn what_waits_leaves_by_priority() {
    both_ways!(sim, Desk, |actor, shard| {
        let desk = actor.clone();
        run_on(&sim, shard, async move {
            desk.hold(SECOND).tell().unwrap();
            sleep(SECOND / 2).await;
            for number in 0..4 {
                desk.low(number).tell().unwrap();
                desk.note(number).tell().unwrap();
                desk.high(number).tell().unwrap();
            }
        });
        let seen = sim.block_on(actor.seen()).unwrap();
        let expected = "hnl"
            .chars()
            .flat_map(|kind| (0..4).map(move |number| (kind, number)));
        assert_eq!(seen, expected.collect::<Vec<_>>());
    });
}

#[test]
fn a_high_one_passes_what_its_own_shard_has_queued() {
    let sim = world(5);
    let key = key_on(0, |key| sim.engine().home_of::<Desk>(key));
    let actor = sim.actor::<Desk>(key);
    let desk = actor.clone();
    run_on(&sim, 0, async move {
        for number in 0..5 {
            desk.note(number).tell().unwrap();
        }
        desk.low(0).tell().unwrap();
        desk.high(0).tell().unwrap();
        // An ask of a priority too, and it waits for no other.
        desk.high(1).await.unwrap();
    });
    let seen = sim.block_on(actor.seen()).unwrap();
    assert_eq!(seen[..2], [('h', 0), ('h', 1)]);
    assert_eq!(seen[2..7], notes(0..5));
    assert_eq!(seen[7], ('l', 0));
}

/// Lower priorities wait for no more turns than their share says, whatever else comes: much at
/// once, or one after the other.
#[test]
fn lower_priorities_are_not_starved() {
    for_seeds(0..seeds(), |seed| {
        let sim = world(seed);
        let actor = sim.actor::<Desk>(seed);
        let mut letters = vec!['l', 'n', 'a'];
        for _ in 0..sim.random() % 200 {
            letters.push(['l', 'n', 'h', 'h'][(sim.random() % 4) as usize]);
        }
        let desk = actor.clone();
        run_on(&sim, (sim.random() % 2) as u16, async move {
            desk.hold(SECOND).tell().unwrap();
            sleep(SECOND / 2).await;
            for (number, kind) in (0..).zip(letters) {
                match kind {
                    'l' => desk.low(number).tell().unwrap(),
                    'n' => desk.note(number).tell().unwrap(),
                    'h' => desk.high(number).tell().unwrap(),
                    _ => desk.again(2_000).tell().unwrap(),
                }
            }
        });
        let seen = sim.block_on(actor.seen()).unwrap();
        for kind in ['l', 'n'] {
            let mine = seen
                .iter()
                .enumerate()
                .filter(|(_, (seen, _))| *seen == kind);
            let mut before = None;
            for (nth, (place, (_, number))) in mine.enumerate() {
                assert!(before < Some(*number), "first in, first out");
                before = Some(*number);
                assert!(
                    place < 10 * (nth + 1),
                    "{kind}{nth} waited for {place} turns"
                );
            }
        }
        sim.shutdown();
    });
}

#[test]
fn a_shared_turn_of_high_priority_does_not_pass_who_is_alone() {
    let sim = world(6);
    let actor = sim.actor::<Desk>(1);
    let desk = actor.clone();
    run_on(&sim, 0, async move {
        desk.hold(SECOND).tell().unwrap();
        sleep(SECOND / 2).await;
        desk.note(1).tell().unwrap();
        desk.look().tell().unwrap();
        desk.look().tell().unwrap();
        // Waits until both that look have left.
        desk.high(2).await.unwrap();
    });
    assert_eq!(sim.block_on(actor.seen()), Ok(vec![('h', 2), ('n', 1)]));
}

#[test]
fn an_adaptive_bound_follows_the_pace() {
    both_ways!(sim, Paced, |actor, shard| {
        let fitting = |turn: Duration| {
            let desk = actor.clone();
            let taken = Rc::new(RefCell::new(0));
            let count = taken.clone();
            run_on(&sim, shard, async move {
                for _ in 0..60 {
                    let _ = desk.hold(turn).await;
                }
                desk.hold(SECOND).tell().unwrap();
                sleep(SECOND / 2).await;
                for number in 0..2_000 {
                    *count.borrow_mut() += u64::from(desk.note(number).tell().is_ok());
                }
            });
            let dead = sim.dead_letters().count(DeadReason::MailboxFull);
            sim.clear_dead_letters();
            let taken = *taken.borrow();
            (taken, dead)
        };
        // From its own shard they come back to their sender, from another they die at the door.
        let (taken, dead) = fitting(Duration::from_millis(1));
        let fit = taken - dead;
        assert!(
            (15..=20).contains(&fit),
            "{fit} fit instead of 20 ms' worth"
        );
        let before = dead;
        let (taken, dead) = fitting(Duration::from_millis(4));
        let fit = taken - (dead - before);
        assert!((4..=5).contains(&fit), "{fit} fit instead of 20 ms' worth");
    });
}

#[test]
fn an_adaptive_bound_begins_low() {
    let sim = world(7);
    let key = key_on(0, |key| sim.engine().home_of::<Paced>(key));
    let desk = sim.actor::<Paced>(key);
    let refused = Rc::new(RefCell::new(None));
    let first = refused.clone();
    run_on(&sim, 0, async move {
        desk.hold(SECOND).tell().unwrap();
        sleep(SECOND / 2).await;
        *first.borrow_mut() = (0..1_000).find_map(|number| {
            let error = desk.note(number).tell().err()?;
            Some((number, error.reason))
        });
    });
    assert_eq!(*refused.borrow(), Some((16, CallError::MailboxFull)));
}

/// All of it by many seeds, on shards whose messages are held up, and with actors that move: what
/// was sent has run, came
/// back, was answered, or lies among the dead letters.
#[test]
fn nothing_is_lost_whatever_the_policy() {
    let mut met = Met::default();
    for_seeds(0..seeds(), |seed| {
        let trace = load::run(seed, &mut met);
        if seed % 8 == 0 {
            assert_eq!(
                load::run(seed, &mut met),
                trace,
                "two runs of one seed differ"
            );
        }
    });
    if std::env::var_os(REPLAY_VARIABLE).is_some() {
        return;
    }
    for reason in [
        DeadReason::MailboxFull,
        DeadReason::Dropped,
        DeadReason::RateLimited,
        DeadReason::CircuitOpen,
    ] {
        let count = met.reasons.get(&reason).copied();
        assert!(
            count.is_some_and(|count| count > 0),
            "nothing was {reason}: {met:?}"
        );
    }
    assert!(
        met.opened > 0 && met.closed_again > 0 && met.moved > 0,
        "{met:?}"
    );
}
