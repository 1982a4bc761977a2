//! Who works with the actors: one task for each, so that each waits for one thing at a time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::{StateError, sleep};
use quark_storage::provider::StoreError;

use super::actors::{LedgerRef, PurseRef, Schedule, SleeperRef, heard};
use super::history::Done;
use super::model::Model;

/// What a worker works with.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) model: Rc<RefCell<Model>>,
    pub(super) done: Rc<RefCell<Done>>,
    /// Whether the life is to end.
    pub(super) is_over: Rc<Cell<bool>>,
    pub(super) key: u64,
    pub(super) random: u64,
}

/// What is to be made of an answer.
enum Answer<T> {
    Done(T),
    NotDone,
    /// Nobody knows; a new engine will.
    Unknown,
    /// There is nobody any more.
    Over,
}

impl Work {
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d) | 1;
        self.random = self.random.wrapping_add(0x1405_7b7e_f767_814f);
        self.random >> 33
    }

    async fn rest(&mut self) -> bool {
        let micros = self.random() % 600;
        sleep(Duration::from_micros(micros)).await;
        !self.is_over.get()
    }

    /// Counts an answer, and says what it means.
    fn answer<T>(&self, answer: Result<T, CallError<StateError>>) -> Answer<T> {
        let mut done = self.done.borrow_mut();
        let error = match answer {
            Ok(answer) => {
                done.acknowledged += 1;
                return Answer::Done(answer);
            }
            Err(CallError::Failed(error)) => error,
            Err(CallError::State(error)) => *error,
            Err(CallError::Stopped) => return Answer::Over,
            Err(error) => panic!("actor {}: {error}", self.key),
        };
        match error {
            StateError::Store(StoreError::Full { .. }) => {
                done.full += 1;
                Answer::NotDone
            }
            StateError::Store(StoreError::ReadOnly { .. }) => {
                done.read_only += 1;
                Answer::Unknown
            }
            StateError::Store(StoreError::Unavailable { .. }) => {
                done.unavailable += 1;
                Answer::Unknown
            }
            StateError::Store(StoreError::Closed) => Answer::Over,
            error => panic!("actor {}: nobody else writes, and yet: {error}", self.key),
        }
    }

    pub(super) async fn fill(mut self, purse: PurseRef) {
        let key = self.key as usize;
        while self.rest().await {
            match self.random() % 8 {
                0 => {
                    self.model.borrow_mut().purses[key].may_be.push(None);
                    let answer = self.answer(purse.clear().await);
                    let mut model = self.model.borrow_mut();
                    let may_be = &mut model.purses[key].may_be;
                    match answer {
                        Answer::Done(()) => *may_be = vec![None],
                        Answer::NotDone => drop(may_be.pop()),
                        Answer::Unknown => {}
                        Answer::Over => return,
                    }
                    self.done.borrow_mut().clears += 1;
                }
                1 => {
                    let _ = purse.leave().await;
                    self.done.borrow_mut().leaves += 1;
                }
                2 => {
                    if let Answer::Done(found) = self.answer(purse.look().await) {
                        let mut model = self.model.borrow_mut();
                        model.purses[key].found(self.key, found, false);
                    }
                }
                _ => {
                    let number = self.model.borrow_mut().number();
                    let bytes = (self.random() % 3_000) as usize;
                    self.model.borrow_mut().purses[key]
                        .may_be
                        .push(Some((None, number)));
                    let answer = self.answer(purse.put(number, bytes).await);
                    let mut model = self.model.borrow_mut();
                    let may_be = &mut model.purses[key].may_be;
                    match answer {
                        Answer::Done(etag) => {
                            *may_be = vec![Some((Some(etag), number))];
                            model.given(etag);
                        }
                        Answer::NotDone => drop(may_be.pop()),
                        Answer::Unknown => {}
                        Answer::Over => return,
                    }
                    self.done.borrow_mut().saves += 1;
                }
            }
        }
    }

    pub(super) async fn book(mut self, ledger: LedgerRef) {
        let key = self.key as usize;
        while self.rest().await {
            if self.random().is_multiple_of(6) {
                let _ = ledger.leave().await;
                self.done.borrow_mut().leaves += 1;
                continue;
            }
            let count = 1 + self.random() % 3;
            let events: Vec<u64> = {
                let mut model = self.model.borrow_mut();
                let events: Vec<u64> = (0..count).map(|_| model.number()).collect();
                model.ledgers[key].maybe.push(events.clone());
                events
            };
            let answer = self.answer(ledger.append(events.clone()).await);
            let mut model = self.model.borrow_mut();
            let book = &mut model.ledgers[key];
            match answer {
                Answer::Done((len, sum)) => {
                    book.maybe.pop();
                    book.appended(self.key, &events, len);
                    assert_eq!((len, sum), book.sum(), "the sum of ledger {key}");
                    self.done.borrow_mut().appends += 1;
                }
                Answer::NotDone => drop(book.maybe.pop()),
                Answer::Unknown => {}
                Answer::Over => return,
            }
        }
    }

    pub(super) async fn ring(mut self, sleeper: SleeperRef) {
        let key = self.key as usize;
        while self.rest().await {
            let Ok(now) = sleeper.now().await else { return };
            self.model.borrow_mut().heard(heard());
            let answer = match self.random() % 4 {
                0 => {
                    self.model.borrow_mut().bells[key].may_be.push(None);
                    self.done.borrow_mut().forgets += 1;
                    self.answer(sleeper.forget().await)
                }
                1 => {
                    // As it is, for a while.
                    sleep(Duration::from_millis(self.random() % 40)).await;
                    continue;
                }
                _ => {
                    let due = now + self.random() % 60;
                    let due = self.model.borrow_mut().due(due);
                    let schedule = Schedule {
                        due,
                        period: self
                            .random()
                            .is_multiple_of(2)
                            .then(|| 200 + self.random() % 400),
                        is_each: self.random().is_multiple_of(2),
                    };
                    self.model.borrow_mut().bells[key].may_be_set(schedule);
                    self.done.borrow_mut().reminders += 1;
                    self.answer(sleeper.set(schedule).await)
                }
            };
            let mut model = self.model.borrow_mut();
            model.heard(heard());
            let bell = &mut model.bells[key];
            match answer {
                Answer::Done(()) => bell.is_done(now),
                Answer::NotDone => bell.is_not_done(),
                Answer::Unknown => {}
                Answer::Over => return,
            }
        }
    }
}
