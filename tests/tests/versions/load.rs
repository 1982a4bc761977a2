//! Callers of either version.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quark::prelude::*;

use super::types::{new, old};
use super::why;

/// Which version a program is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Old,
    New,
}

/// How many actors of each type are called.
pub const KEYS: u64 = 60;

const SOON: Duration = Duration::from_secs(20);

/// A thread that calls by every method there is, through the engine of a node or of a client.
pub struct Caller {
    is_over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    thread: JoinHandle<Told>,
}

/// What a caller was told.
#[derive(Debug, Default)]
pub struct Told {
    /// What was paid to each account.
    pub paid: BTreeMap<u64, i64>,
    /// How many orders were done by old desks, and by new ones.
    pub old_desks: u64,
    pub new_desks: u64,
    /// Calls that the two versions are to be told not to agree on.
    pub refused: u64,
}

impl Caller {
    pub fn start(version: Version, engine: &Engine, seed: u64) -> Self {
        let (is_over, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (engine, ends, counts) = (engine.clone(), is_over.clone(), done.clone());
        let thread = thread::spawn(move || {
            let mut told = Told::default();
            let mut last = BTreeMap::new();
            let mut random = seed;
            while !ends.load(Ordering::Relaxed) {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let key = (random >> 33) % KEYS;
                let slowly = random.is_multiple_of(5);
                let total = match version {
                    Version::Old => as_old(&engine, key, slowly, &mut told),
                    Version::New => as_new(&engine, key, slowly, &mut told),
                };
                *told.paid.entry(key).or_default() += 1;
                let before = last.insert(key, total);
                assert!(
                    before < Some(total),
                    "account {key}: {total} after {before:?}"
                );
                counts.fetch_add(1, Ordering::Relaxed);
            }
            told
        });
        Caller {
            is_over,
            done,
            thread,
        }
    }

    /// Waits until it has come so many rounds further.
    pub fn wait_for(&self, rounds: u64) {
        let (until, goal) = (
            Instant::now() + SOON,
            self.done.load(Ordering::Relaxed) + rounds,
        );
        while self.done.load(Ordering::Relaxed) < goal && !self.thread.is_finished() {
            assert!(Instant::now() < until, "nothing is answered any more");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it was told; no call of it has failed.
    pub fn stop(self) -> Told {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("no call fails")
    }
}

fn as_old(engine: &Engine, key: u64, slowly: bool, told: &mut Told) -> i64 {
    let desk = engine.actor::<old::Desk>(key);
    let order = old::Order {
        symbol: "QRK".to_owned(),
        lots: 5,
    };
    assert_eq!(desk.place(order).wait(), Ok(5));
    let last = desk.last().wait().expect("they agree on it");
    assert_eq!((&*last.symbol, last.lots), ("QRK", 3));
    told.agent(
        engine.actor::<old::Agent>(key).order(key + 1).wait(),
        |it| (it.by, it.lots),
    );
    let number = old::Ticket {
        number: 9,
        trader: "ann".to_owned(),
    };
    let shown = desk.show(number).wait().expect("they agree on it");
    assert!(shown == "ann" || shown == "9", "{shown}");
    // A new desk has no trader to tell of, and an old caller can't do without.
    match desk.ticket().wait() {
        Ok(ticket) => assert_eq!(ticket.trader, "ann"),
        refused => told.refuse(refused, &["Ticket", "trader"]),
    }
    let account = engine.actor::<old::Account>(key);
    let payment = old::Payment { cents: 1 };
    let total = if slowly {
        account.pay_slowly(payment).wait()
    } else {
        account.pay(payment).wait()
    };
    total.expect("they agree on it")
}

fn as_new(engine: &Engine, key: u64, slowly: bool, told: &mut Told) -> i64 {
    let desk = engine.actor::<new::Desk>(key);
    let order = new::Order {
        symbol: "QRK".to_owned(),
        lots: 5,
        urgent: true,
    };
    match desk.place(order).wait() {
        Ok(5) => told.old_desks += 1,
        Ok(1005) => told.new_desks += 1,
        other => panic!("{other:?}"),
    }
    let last = desk.last().wait().expect("they agree on it");
    assert_eq!((&*last.symbol, last.lots), ("QRK", 3));
    told.agent(
        engine.actor::<new::Agent>(key).order(key + 1).wait(),
        |it| (it.by, it.lots),
    );
    assert_eq!(desk.ticket().wait(), Ok(new::Ticket { number: 9 }));
    // An old desk wants to know whose it is.
    match desk.show(new::Ticket { number: 9 }).wait() {
        Ok(shown) => assert_eq!(shown, "9"),
        refused => told.refuse(refused, &["Ticket", "trader"]),
    }
    match desk.cancel(4).wait() {
        Ok(number) => assert_eq!(number, 4),
        refused => told.refuse(refused, &["cancel"]),
    }
    let account = engine.actor::<new::Account>(key);
    let payment = new::Payment {
        memo: "rent".to_owned(),
        cents: 1,
    };
    let total = if slowly {
        account.pay_slowly(payment).wait()
    } else {
        account.pay(payment).wait()
    };
    total.expect("they agree on it")
}

impl Told {
    /// An agent was called: what it says of the desk, which is not asked for by its caller.
    fn agent<T, E: std::fmt::Debug>(
        &mut self,
        placed: Result<T, E>,
        parts: impl Fn(T) -> (String, u32),
    ) {
        let (by, lots) = parts(placed.expect("they agree on it"));
        let is_right = match &*by {
            "old" => lots == 7,
            "new" => lots == 7 || lots == 1007,
            _ => false,
        };
        assert!(is_right, "an agent of {by} has placed {lots} lots");
    }

    fn refuse<T: std::fmt::Debug>(&mut self, refused: Result<T, CallError>, names: &[&str]) {
        let why = why(refused);
        assert!(names.iter().all(|name| why.contains(name)), "{why}");
        self.refused += 1;
    }
}
