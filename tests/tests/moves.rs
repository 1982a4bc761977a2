//! Actors that live away from home: moved, placed by chance or by their callers; and that nothing
//! is lost, and nothing overtakes, on the way.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quark::testing::{Sim, SimOptions, for_seeds};
use quark::{ActorOptions, Key, MigrateError, Placement, prelude::*};

/// What ledgers have been told: the last number of each sender, and how many there were. It
/// outlives those who write in it, who may go to sleep between two messages.
#[derive(Clone, Default)]
pub struct Book(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    last: BTreeMap<(u64, u64), u64>,
    entries: BTreeMap<u64, u64>,
}

/// Checks that the numbers of each sender ascend.
pub struct Ledger {
    key: u64,
    book: Book,
    entries: u64,
    ticks: u64,
}

#[actor]
impl Ledger {
    pub fn enter(&mut self, sender: u64, number: u64) -> u64 {
        self.note(sender, number)
    }

    pub async fn enter_slowly(&mut self, sender: u64, number: u64) -> u64 {
        quark::sleep(Duration::from_micros(50)).await;
        self.note(sender, number)
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    pub fn shard(&self, cx: &Cx<Self>) -> u16 {
        cx.shard()
    }

    pub fn tick(&mut self) {
        self.ticks += 1;
    }

    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    pub fn tick_in(&self, cx: &Cx<Self>, delay: Duration) {
        let _ = cx.after(delay, |me| me.tick());
    }

    pub fn go(&self, cx: &Cx<Self>, to: u16) -> Result<(), MigrateError> {
        cx.migrate(to)
    }
}

impl Ledger {
    fn note(&mut self, sender: u64, number: u64) -> u64 {
        let mut pages = self.book.0.lock().unwrap();
        let last = pages.last.entry((self.key, sender)).or_default();
        assert!(
            *last < number,
            "number {number} of sender {sender} came after {last}"
        );
        *last = number;
        *pages.entries.entry(self.key).or_default() += 1;
        self.entries += 1;
        self.entries
    }
}

/// Sends from turns: its own calls, in order.
#[derive(Default)]
pub struct Writer {
    number: u64,
}

#[actor]
impl Writer {
    /// Returns how many were taken.
    pub async fn write(&mut self, cx: &Cx<Self>, ledger: u64, count: u64, choices: u64) -> u64 {
        let sender = number_of(&cx.key());
        let ledger = cx.actor::<Ledger>(ledger);
        let mut taken = 0;
        for index in 0..count {
            self.number += 1;
            let number = self.number;
            let was = match choices >> (2 * (index % 32)) & 3 {
                0 => ledger.enter(sender, number).await.is_ok(),
                1 => ledger.enter(sender, number).tell().is_ok(),
                2 => ledger.enter_slowly(sender, number).await.is_ok(),
                _ => ledger.enter_slowly(sender, number).send().await.is_ok(),
            };
            taken += u64::from(was);
        }
        taken
    }
}

fn number_of(key: &Key) -> u64 {
    match key {
        Key::Int(key) => *key,
        Key::Str(_) => unreachable!("these have numbers"),
    }
}

fn world(seed: u64, shards: u16, placement: Placement, book: &Book, idle: Duration) -> Sim {
    let options = ActorOptions::new().placement(placement).idle_after(idle);
    let book = book.clone();
    let builder = Engine::builder().register_with::<Ledger>(options, move |cx| Ledger {
        key: number_of(cx.key()),
        book: book.clone(),
        entries: 0,
        ticks: 0,
    });
    let options = SimOptions {
        shards,
        ..SimOptions::default()
    };
    builder.simulate(seed, options).unwrap()
}

const SOON: Duration = Duration::from_millis(20);

#[test]
fn an_actor_moves_with_its_state_and_its_timers() {
    let sim = world(1, 3, Placement::Hash, &Book::default(), SOON);
    let ledger = sim.actor::<Ledger>(7_u64);
    sim.block_on(async {
        let home = ledger.shard().await.unwrap();
        ledger.enter(1, 1).await.unwrap();
        ledger.tick_in(Duration::from_millis(5)).await.unwrap();
        for hop in 1..=3 {
            let to = (home + hop) % 3;
            sim.engine().migrate(&ledger, to).await.unwrap();
            assert_eq!(ledger.shard().await, Ok(to));
            assert_eq!(ledger.entries().await, Ok(1));
        }
        let to = (home + 1) % 3;
        ledger.go(to).await.unwrap();
        assert_eq!(ledger.shard().await, Ok(to));
    });
    sim.run_for(Duration::from_millis(10));
    assert_eq!(sim.block_on(async { ledger.ticks().await }), Ok(1));
    assert_eq!(sim.counts().moved, 4);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.count(), 0, "it sleeps");
    assert_eq!(sim.block_on(async { ledger.entries().await }), Ok(0));
    sim.shutdown();
}

#[test]
fn a_shard_that_is_not_there_is_named() {
    let sim = world(1, 2, Placement::Hash, &Book::default(), SOON);
    let ledger = sim.actor::<Ledger>(7_u64);
    let error = sim.block_on(async { sim.engine().migrate(&ledger, 9).await });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no shard 9"), "{error}");
    let pinned = world(1, 2, Placement::Pinned(1), &Book::default(), SOON);
    let ledger = pinned.actor::<Ledger>(7_u64);
    let error = pinned.block_on(async { pinned.engine().migrate(&ledger, 0).await });
    assert_eq!(error, Err(CallError::Failed(MigrateError::Bound)));
}

/// What became of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcome {
    taken: u64,
    moved: u64,
    trace: u64,
}

/// Writers on all shards write into a few ledgers that are moved all the time.
fn run(seed: u64, placement: Placement, ledgers: u64) -> Outcome {
    let shards = 2 + (seed % 3) as u16;
    let book = Book::default();
    // In every second run they fall asleep all the time.
    let idle = if seed.is_multiple_of(2) {
        SOON / 20
    } else {
        SOON
    };
    let sim = Rc::new(world(seed, shards, placement, &book, idle));
    let taken: Rc<RefCell<BTreeMap<u64, u64>>> = Rc::default();
    for writer in 0..6_u64 {
        let ledger = sim.random() % ledgers;
        let me = sim.actor::<Writer>(writer);
        let (count, choices) = (20 + sim.random() % 60, sim.random());
        let taken = taken.clone();
        sim.spawn_on((writer % u64::from(shards)) as u16, async move {
            for _ in 0..3 {
                if let Ok(wrote) = me.write(ledger, count, choices).await {
                    *taken.borrow_mut().entry(ledger).or_default() += wrote;
                }
            }
        });
    }
    // Tasks are senders too, and bursts that wait for credit among them.
    for task in 0..u64::from(shards) {
        let key = sim.random() % ledgers;
        let ledger = sim.actor::<Ledger>(key);
        let burst = 50 + sim.random() % 400;
        let taken = taken.clone();
        sim.spawn_on(task as u16, async move {
            let sender = 1000 + task;
            for number in 1..=burst {
                let sent = match number % 5 {
                    0 => ledger.enter(sender, number).await.is_ok(),
                    _ => ledger.enter(sender, number).send().await.is_ok(),
                };
                *taken.borrow_mut().entry(key).or_default() += u64::from(sent);
            }
        });
    }
    let moves = 10 + sim.random() % 40;
    let engine = sim.engine().clone();
    let (draws, stop) = (sim.random(), Rc::new(Cell::new(false)));
    let stopped = stop.clone();
    sim.spawn_on(0, async move {
        for step in 0..moves {
            let draw = draws.rotate_left((7 * step % 64) as u32) ^ step.wrapping_mul(0x9E37_79B9);
            let ledger = engine.actor::<Ledger>(draw % ledgers);
            let to = (draw >> 16) % u64::from(shards);
            let _ = engine.migrate(&ledger, to as u16).await;
            if draw.is_multiple_of(3) {
                quark::sleep(Duration::from_micros(draw % 500)).await;
            }
        }
        stopped.set(true);
    });
    sim.run_until_idle();
    assert!(stop.get(), "the mover has come to its end");
    assert_eq!(sim.dead_letters().total, 0, "{:?}", sim.dead_letters());
    let expected = taken.borrow().clone();
    assert_eq!(
        book.0.lock().unwrap().entries,
        expected,
        "what was taken was entered"
    );
    let outcome = Outcome {
        taken: expected.values().sum(),
        moved: sim.counts().moved,
        trace: sim.trace(),
    };
    Rc::into_inner(sim)
        .expect("its tasks have ended")
        .shutdown();
    outcome
}

/// 40 by default; `QUARK_FULL=1` makes it 1,000.
fn seeds() -> u64 {
    match std::env::var_os("QUARK_FULL") {
        Some(_) => 1000,
        None => 40,
    }
}

fn every_seed(placement: Placement) {
    let moved = Cell::new(0);
    for_seeds(0..seeds(), |seed| {
        let ledgers = 1 + seed % 4;
        let outcome = run(seed, placement, ledgers);
        moved.set(moved.get() + outcome.moved);
        if seed % 8 == 0 {
            assert_eq!(outcome, run(seed, placement, ledgers), "the same again");
        }
    });
    assert!(moved.get() > 0, "nothing was moved");
}

#[test]
fn moves_under_load_keep_every_message_and_its_order() {
    every_seed(Placement::Hash);
}

#[test]
fn moves_of_actors_placed_by_chance_keep_every_message_and_its_order() {
    every_seed(Placement::Random);
}

#[test]
fn moves_of_actors_placed_by_their_callers_keep_every_message_and_its_order() {
    every_seed(Placement::Local);
}
