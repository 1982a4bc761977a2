//! Histories of engines that keep something: states, journals and reminders in a directory, while
//! disks fail, processes are killed and the power goes; against a model of what must be there.

use std::cell::{Cell, RefCell};
use std::ops::AddAssign;
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{DiskCounts, Sim, SimConfig, SimDisks, SimOptions};
use quark::{ActorOptions, EngineBuilder};

use super::actors::{Ledger, Purse, Sleeper, heard};
use super::model::{self, Model};
use super::work::Work;

/// Actors of each kind.
const KEYS: u64 = 5;
/// Within this everybody has heard who is to hear, where nothing fails.
const QUIET: Duration = Duration::from_secs(4);

/// What has happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub lives: u64,
    /// Passes of shards, each with whatever there was to do.
    pub passes: u64,
    pub power_cuts: u64,
    pub kills: u64,
    pub orderly_ends: u64,
    pub divisions: u64,
    pub acknowledged: u64,
    pub saves: u64,
    pub clears: u64,
    pub appends: u64,
    pub reminders: u64,
    pub forgets: u64,
    pub leaves: u64,
    pub heard: u64,
    /// Answers by kind.
    pub full: u64,
    pub read_only: u64,
    pub unavailable: u64,
    pub faults: DiskCounts,
}

impl AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.lives += other.lives;
        self.passes += other.passes;
        self.power_cuts += other.power_cuts;
        self.kills += other.kills;
        self.orderly_ends += other.orderly_ends;
        self.divisions += other.divisions;
        self.acknowledged += other.acknowledged;
        self.saves += other.saves;
        self.clears += other.clears;
        self.appends += other.appends;
        self.reminders += other.reminders;
        self.forgets += other.forgets;
        self.leaves += other.leaves;
        self.heard += other.heard;
        self.full += other.full;
        self.read_only += other.read_only;
        self.unavailable += other.unavailable;
        self.faults = self.faults + other.faults;
    }
}

/// The history of `seed`, of at least so many passes.
///
/// # Panics
/// When something acknowledged is not there, or something is that nobody has kept.
pub fn run(seed: u64, passes: u64) -> Done {
    drop(heard());
    let mut history = History {
        model: Rc::new(RefCell::new(Model::new(KEYS))),
        done: Rc::default(),
        shards: 1 + (seed % 3) as u16,
    };
    let options = history.options();
    let mut sim = builder().simulate(seed, options).expect("it launches");
    loop {
        history.verify(&sim);
        if history.done.borrow().passes >= passes {
            break;
        }
        history.work(&sim);
        sim = history.next(sim);
    }
    let done = *history.done.borrow();
    let faults = sim.disk_counts();
    sim.shutdown();
    Done { faults, ..done }
}

fn builder() -> EngineBuilder {
    Engine::builder()
        .store(Store::directory("kept"))
        .configure::<Sleeper>(ActorOptions::new())
}

fn calm() -> SimConfig {
    SimConfig {
        io_delay: Duration::from_micros(1)..=Duration::from_micros(200),
        ..SimConfig::default()
    }
}

struct History {
    model: Rc<RefCell<Model>>,
    done: Rc<RefCell<Done>>,
    shards: u16,
}

impl History {
    fn options(&self) -> SimOptions {
        SimOptions {
            shards: self.shards,
            world: calm(),
            ..SimOptions::default()
        }
    }

    /// All that was acknowledged is there, and nothing else.
    fn verify(&mut self, sim: &Sim) {
        self.model
            .borrow_mut()
            .bells
            .iter_mut()
            .for_each(model::Bell::begins);
        for key in 0..KEYS {
            let purse = sim.actor::<Purse>(key);
            let found = sim.block_on(async { purse.look().await }).expect("a look");
            self.model.borrow_mut().purses[key as usize].found(key, found, true);
            self.verify_ledger(sim, key);
            let sleeper = sim.actor::<Sleeper>(key);
            let due = sim.block_on(async { sleeper.due().await }).expect("a due");
            self.hear();
            self.model.borrow_mut().bells[key as usize].found(key, due);
        }
        let sleeper = sim.actor::<Sleeper>(0);
        let now = sim.block_on(async { sleeper.now().await }).expect("a time");
        sim.run_for(QUIET);
        self.hear();
        for (key, bell) in self.model.borrow().bells.iter().enumerate() {
            bell.is_heard(key as u64, now);
        }
    }

    fn verify_ledger(&self, sim: &Sim, key: u64) {
        let ledger = sim.actor::<Ledger>(key);
        let mut events = Vec::new();
        loop {
            let from = events.len() as u64 + 1;
            let page = sim.block_on(async { ledger.read(from).await });
            let page = page.expect("events are read");
            if page.is_empty() {
                break;
            }
            for (number, event) in page {
                events.push(event);
                assert_eq!(number, events.len() as u64, "a gap in ledger {key}");
            }
        }
        let mut model = self.model.borrow_mut();
        let book = &mut model.ledgers[key as usize];
        book.found(key, &events);
        let total = sim.block_on(async { ledger.total().await });
        assert_eq!(total, Ok(book.sum()), "the sum of ledger {key}");
    }

    fn hear(&self) {
        let all = heard();
        self.done.borrow_mut().heard += all.len() as u64;
        self.model.borrow_mut().heard(all);
    }

    /// A life's work, in bad weather.
    fn work(&mut self, sim: &Sim) {
        let rare = if sim.random().is_multiple_of(3) {
            0.0
        } else {
            1.0
        };
        sim.set_world(SimConfig {
            short_probability: 0.05,
            read_error_probability: 0.002 * rare,
            write_error_probability: 0.0005 * rare,
            no_space_probability: 0.01 * rare,
            sync_error_probability: 0.001 * rare,
            ..calm()
        });
        let is_over = Rc::new(Cell::new(false));
        for key in 0..KEYS {
            let work = || Work {
                model: self.model.clone(),
                done: self.done.clone(),
                is_over: is_over.clone(),
                key,
                random: sim.random(),
            };
            let shard = || (sim.random() % u64::from(self.shards)) as u16;
            sim.spawn_on(shard(), work().fill(sim.actor::<Purse>(key)));
            sim.spawn_on(shard(), work().book(sim.actor::<Ledger>(key)));
            sim.spawn_on(shard(), work().ring(sim.actor::<Sleeper>(key)));
        }
        let micros = 500 + sim.random() % 60_000;
        sim.run_for(Duration::from_micros(micros));
        is_over.set(true);
    }

    /// The end of one engine, and the beginning of the next.
    fn next(&mut self, sim: Sim) -> Sim {
        let (end, off, shards) = (sim.random() % 4, sim.random(), sim.random());
        let passes = sim.counts().passes;
        let disks: SimDisks = match end {
            0 => sim.kill(),
            1 => sim.power_off(),
            _ => sim.lose_power(),
        };
        self.hear();
        let mut done = self.done.borrow_mut();
        done.lives += 1;
        done.passes += passes;
        match end {
            0 => done.kills += 1,
            1 => done.orderly_ends += 1,
            _ => done.power_cuts += 1,
        }
        if shards.is_multiple_of(4) {
            self.shards = 1 + (shards / 4 % 3) as u16;
            done.divisions += 1;
        }
        drop(done);
        let disks = disks.with_world(calm()).stay_off(match off % 4 {
            0 => Duration::from_millis(off % 7_000),
            _ => Duration::ZERO,
        });
        builder()
            .simulate_on(disks, self.options())
            .expect("an honest disk opens")
    }
}
