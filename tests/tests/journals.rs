//! Journals: what is appended, replayed, read back, and contested.
#![allow(missing_docs)]

use quark::prelude::*;
use quark::testing::{Sim, SimOptions};
use quark::{Evolve, Journal, StateError};
use quark_storage::provider::StoreError;
use quark_tests::shelf;
use serde::{Deserialize, Serialize};

/// Sums, and remembers how often it was replayed into.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    total: i64,
    #[serde(skip)]
    evolved: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    Up(i64),
    Down(i64),
}

impl Evolve for Sum {
    type Event = Step;
    const SNAPSHOT_EVERY: u64 = 10;

    fn evolve(&mut self, event: &Step) {
        self.evolved += 1;
        match event {
            Step::Up(by) => self.total += by,
            Step::Down(by) => self.total -= by,
        }
    }
}

#[derive(Default, Stateful)]
pub struct Ledger {
    #[state]
    sum: Journal<Sum>,
}

#[actor]
impl Ledger {
    pub async fn add(&mut self, steps: Vec<Step>) -> Result<(u64, i64), StateError> {
        let len = self.sum.append(steps).await?;
        Ok((len, self.sum.total))
    }

    pub fn total(&self) -> (u64, i64, u64) {
        (self.sum.len(), self.sum.total, self.sum.evolved)
    }

    pub async fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Step)>, StateError> {
        self.sum.read(from, most).await
    }

    /// Begins to append, and gives up at once.
    pub fn give_up(&mut self, steps: Vec<Step>) {
        use std::future::Future;
        use std::task::{Context, Waker};

        let append = std::pin::pin!(self.sum.append(steps));
        let polled = append.poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }

    pub fn leave(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }
}

fn sim() -> Sim {
    let builder = Engine::builder().store(shelf::store());
    builder.simulate(1, SimOptions::default()).unwrap()
}

fn ups(count: i64) -> Vec<Step> {
    (1..=count).map(Step::Up).collect()
}

#[test]
fn a_journal_is_replayed_from_its_snapshot_on() {
    let _shelf = shelf::fresh();
    let sim = sim();
    let ledger = sim.actor::<Ledger>("a");
    assert_eq!(sim.block_on(ledger.total()), Ok((0, 0, 0)));
    assert_eq!(sim.block_on(ledger.add(ups(4))), Ok((4, 10)));
    assert_eq!(
        sim.block_on(ledger.add(vec![])),
        Ok((4, 10)),
        "nothing is no event"
    );
    assert_eq!(sim.block_on(ledger.add(vec![Step::Down(3)])), Ok((5, 7)));
    sim.block_on(ledger.leave()).unwrap();
    sim.run_until_idle();
    assert_eq!(
        sim.block_on(ledger.total()),
        Ok((5, 7, 5)),
        "all are replayed"
    );
    assert_eq!(
        sim.block_on(ledger.add(ups(6))),
        Ok((11, 28)),
        "a snapshot is due"
    );
    assert_eq!(sim.block_on(ledger.add(ups(1))), Ok((12, 29)));
    sim.block_on(ledger.leave()).unwrap();
    sim.run_until_idle();
    let found = sim.block_on(ledger.total());
    assert_eq!(found, Ok((12, 29, 1)), "one came after the snapshot");
}

#[test]
fn events_are_read_back_by_range() {
    let _shelf = shelf::fresh();
    let sim = sim();
    let ledger = sim.actor::<Ledger>("a");
    sim.block_on(ledger.add(ups(2_000))).unwrap();
    let read = sim.block_on(ledger.read(1_999, 10));
    assert_eq!(
        read,
        Ok(vec![(1_999, Step::Up(1_999)), (2_000, Step::Up(2_000))])
    );
    assert_eq!(sim.block_on(ledger.read(2_001, 10)), Ok(vec![]));
    let read = sim.block_on(ledger.read(1, 3)).unwrap();
    assert_eq!(read.len(), 3);
    sim.block_on(ledger.leave()).unwrap();
    sim.run_until_idle();
    assert_eq!(sim.block_on(ledger.total()).map(|(len, ..)| len), Ok(2_000));
}

#[test]
fn of_two_that_append_to_one_journal_the_second_learns_of_the_first() {
    let _shelf = shelf::fresh();
    let (one, other) = (sim(), sim());
    let (here, there) = (one.actor::<Ledger>("a"), other.actor::<Ledger>("a"));
    assert_eq!(other.block_on(there.total()), Ok((0, 0, 0)));
    assert_eq!(one.block_on(here.add(ups(3))), Ok((3, 6)));
    let behind = other.block_on(there.add(ups(1))).unwrap_err();
    assert!(
        matches!(
            &behind,
            CallError::Failed(StateError::Store(StoreError::Behind { len: 3, .. }))
        ),
        "{behind:?}"
    );
    assert_eq!(
        other.block_on(there.total()),
        Ok((3, 6, 3)),
        "and knows them now"
    );
    assert_eq!(other.block_on(there.add(ups(1))), Ok((4, 7)));
}

#[test]
fn an_append_that_was_given_up_is_found_out() {
    let shelf = shelf::fresh();
    shelf.delay.set(std::time::Duration::from_millis(1));
    let sim = sim();
    let ledger = sim.actor::<Ledger>("a");
    sim.block_on(ledger.give_up(ups(2))).unwrap();
    sim.run_for(std::time::Duration::from_secs(1));
    let (len, total) = sim.block_on(ledger.add(vec![Step::Up(100)])).unwrap();
    // Done or not, by the store; but never half, and never twice.
    assert!(
        (len, total) == (3, 103) || (len, total) == (1, 100),
        "{len} {total}"
    );
    let read = sim.block_on(ledger.read(1, 10)).unwrap();
    assert_eq!(read.len() as u64, len);
    let sum: i64 = read
        .iter()
        .map(|(_, step)| if let Step::Up(by) = step { *by } else { 0 })
        .sum();
    assert_eq!(sum, total);
}

#[test]
fn an_answer_that_is_lost_appends_nothing_twice() {
    let shelf = shelf::fresh();
    let sim = sim();
    let ledger = sim.actor::<Ledger>("a");
    shelf.answers_lost.set(true);
    let lost = sim.block_on(ledger.add(ups(2)));
    assert!(
        matches!(lost, Err(CallError::Failed(StateError::Store(_)))),
        "{lost:?}"
    );
    shelf.answers_lost.set(false);
    assert_eq!(sim.block_on(ledger.add(vec![Step::Up(10)])), Ok((3, 13)));
}
