//! Actors that move about while others write to them: what the suites on moves share.
#![allow(missing_docs)] // of methods whose names say all

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quark::testing::{Sim, SimOptions};
use quark::{ActorOptions, Credits, Key, MigrateError, Placement, prelude::*};

/// What ledgers have been told: the last number of each sender, and how many there were. It
/// outlives those who write in it, who may go to sleep between two messages.
#[derive(Clone, Default)]
pub struct Book(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    last: BTreeMap<(u64, u64), u64>,
    entries: BTreeMap<u64, u64>,
    /// The first message that came after a later one.
    overtaken: Option<String>,
}

impl Book {
    /// How many messages each ledger has had.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<u64, u64> {
        self.pages().entries.clone()
    }

    /// What was overtaken, if anything was.
    #[must_use]
    pub fn overtaken(&self) -> Option<String> {
        self.pages().overtaken.clone()
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.0.lock().expect("nobody panics while writing")
    }
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
        // Not an assertion, which would only be one more panic for the engine to catch.
        let mut pages = self.book.pages();
        let page = (self.key, sender);
        let last = pages.last.insert(page, number).unwrap_or_default();
        if last >= number && pages.overtaken.is_none() {
            let ledger = self.key;
            pages.overtaken = Some(format!(
                "ledger {ledger} had number {number} of sender {sender} after {last}"
            ));
        }
        *pages.entries.entry(self.key).or_default() += 1;
        self.entries += 1;
        self.entries
    }
}

/// Sends from turns: its own calls, in order.
#[derive(Default)]
pub struct Writer;

#[actor]
impl Writer {
    /// Writes these numbers. Returns how many were taken.
    pub async fn write(
        &mut self,
        cx: &Cx<Self>,
        ledger: u64,
        numbers: Range<u64>,
        choices: u64,
    ) -> u64 {
        let sender = number_of(&cx.key());
        let ledger = cx.actor::<Ledger>(ledger);
        let mut taken = 0;
        for (number, index) in numbers.zip(0..) {
            let was = match (choices >> (2 * (index % 32))) & 3 {
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

/// A world of so many shards, whose ledgers write into `book` and fall asleep after `idle`.
///
/// # Panics
/// If it can't be.
#[must_use]
pub fn world(
    seed: u64,
    options: SimOptions,
    placement: Placement,
    book: &Book,
    idle: Duration,
) -> Sim {
    let ledgers = ActorOptions::new().placement(placement).idle_after(idle);
    let book = book.clone();
    // In every third run credit is short, so that messages wait at every turn.
    let credits = if seed % 3 == 1 {
        Credits {
            ask_slots: 16,
            reserve_slots: 8,
            tell_slots: 16,
        }
    } else {
        Credits::default()
    };
    let builder = Engine::builder().credits(credits);
    let builder = builder.register_with::<Ledger>(ledgers, move |cx| Ledger {
        key: number_of(cx.key()),
        book: book.clone(),
        entries: 0,
        ticks: 0,
    });
    builder
        .simulate(seed, options)
        .expect("its types are registered once")
}

/// When actors fall asleep that are to.
pub const SOON: Duration = Duration::from_millis(20);

/// What became of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Messages taken.
    pub taken: u64,
    /// Moves.
    pub moved: u64,
    /// Fresh instances after injected panics.
    pub restarted: u64,
    /// The simulation's trace.
    pub trace: u64,
}

/// Writers on all shards write into a few ledgers that are moved all the time, and panic now and
/// then with the probability `panics`.
///
/// # Panics
/// If a message was lost or overtook another, or any rule of the simulation was broken.
#[must_use]
pub fn run(seed: u64, placement: Placement, ledgers: u64, panics: f64) -> Outcome {
    let shards = 2 + (seed % 3) as u16;
    let book = Book::default();
    // In every second run they fall asleep all the time.
    let idle = if seed.is_multiple_of(2) {
        SOON / 20
    } else {
        SOON
    };
    let options = SimOptions {
        shards,
        panic_probability: panics,
        ..SimOptions::default()
    };
    let sim = Rc::new(world(seed, options, placement, &book, idle));
    let taken: Rc<RefCell<BTreeMap<u64, u64>>> = Rc::default();
    for writer in 0..6_u64 {
        let ledger = sim.random() % ledgers;
        let me = sim.actor::<Writer>(writer);
        let (count, choices) = (20 + sim.random() % 60, sim.random());
        let taken = taken.clone();
        sim.spawn_on((writer % u64::from(shards)) as u16, async move {
            for round in 0..3 {
                let first = 1 + round * 1000;
                if let Ok(wrote) = me.write(ledger, first..first + count, choices).await {
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
    assert_eq!(book.overtaken(), None);
    let taken = taken.borrow().clone();
    if panics == 0.0 {
        assert_eq!(sim.dead_letters().total, 0, "{:?}", sim.dead_letters());
        assert_eq!(book.entries(), taken, "what was taken was entered");
    }
    let outcome = Outcome {
        taken: taken.values().sum(),
        moved: sim.counts().moved,
        restarted: sim.counts().restarted,
        trace: sim.trace(),
    };
    Rc::into_inner(sim)
        .expect("its tasks have ended")
        .shutdown();
    outcome
}
