//! A store in a test's own thread: it outlives simulated engines, several may use it, and it does
//! what the test says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use quark::Store;
use quark_storage::memory::MemoryStore;
use quark_storage::provider::{
    Append, Due, ETag, Epoch, Event, Expected, Pending, Provider, Record, RecordKey, Reminder,
    StoreError, StoreReport, WallTime, Write,
};

/// What the store of this thread has, and is told.
#[derive(Default)]
pub struct Shelf {
    /// What it keeps.
    pub memory: MemoryStore,
    /// How long every load and write takes; to find what is due takes three times that.
    pub delay: Cell<Duration>,
    /// What loads end with, instead of what is kept.
    pub loads_fail: RefCell<Option<StoreError>>,
    /// What saves end with, and are not done.
    pub writes_fail: RefCell<Option<StoreError>>,
    /// Writes are done, and their answers lost.
    pub answers_lost: Cell<bool>,
    /// Loads so far.
    pub loads: Cell<u32>,
    /// Saves so far.
    pub saves: Cell<u32>,
    /// The shards on which it was asked, in order.
    pub asked_on: RefCell<Vec<u16>>,
    /// Shards that have closed it.
    pub closed: Cell<u32>,
}

thread_local! {
    static SHELF: RefCell<Rc<Shelf>> = RefCell::default();
}

/// A new one for this thread.
pub fn fresh() -> Rc<Shelf> {
    let shelf = Rc::new(Shelf::default());
    SHELF.with(|place| place.replace(shelf.clone()));
    shelf
}

/// This thread's, as a store.
#[must_use]
pub fn store() -> Store {
    Store::custom(|cx| {
        Rc::new(OnShelf {
            shelf: SHELF.with(|place| place.borrow().clone()),
            shard: cx.shard(),
        })
    })
}

struct OnShelf {
    shelf: Rc<Shelf>,
    shard: u16,
}

impl OnShelf {
    fn later<T: 'static>(&self, answer: Pending<T>) -> Pending<T> {
        self.much_later(1, answer)
    }

    fn much_later<T: 'static>(&self, times: u32, answer: Pending<T>) -> Pending<T> {
        self.shelf.asked_on.borrow_mut().push(self.shard);
        let delay = times * self.shelf.delay.get();
        Box::pin(async move {
            if !delay.is_zero() {
                quark::sleep(delay).await;
            }
            answer.await
        })
    }

    fn written<T: 'static>(&self, answer: Pending<T>) -> Pending<T> {
        let lost = self.shelf.answers_lost.get();
        let answer = self.later(answer);
        Box::pin(async move {
            let answer = answer.await;
            if lost {
                return Err(StoreError::Unavailable {
                    place: "the shelf".to_owned(),
                    why: "its answer is lost".to_owned(),
                });
            }
            answer
        })
    }
}

impl Provider for OnShelf {
    fn load(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<Record>> {
        self.shelf.loads.set(self.shelf.loads.get() + 1);
        let failure = self.shelf.loads_fail.borrow().clone();
        let answer = self.shelf.memory.load(key, epoch);
        self.later(match failure {
            Some(error) => Box::pin(async { Err(error) }),
            None => answer,
        })
    }

    fn save(&self, key: &RecordKey, write: Write) -> Pending<ETag> {
        self.shelf.saves.set(self.shelf.saves.get() + 1);
        if let Some(error) = self.shelf.writes_fail.borrow().clone() {
            return self.later(Box::pin(async { Err(error) }));
        }
        self.written(self.shelf.memory.save(key, write))
    }

    fn clear(&self, key: &RecordKey, epoch: Epoch, expected: Expected) -> Pending<()> {
        self.written(self.shelf.memory.clear(key, epoch, expected))
    }

    fn journal_len(&self, key: &RecordKey, epoch: Epoch) -> Pending<u64> {
        self.later(self.shelf.memory.journal_len(key, epoch))
    }

    fn append(&self, key: &RecordKey, append: Append) -> Pending<u64> {
        self.written(self.shelf.memory.append(key, append))
    }

    fn events(&self, key: &RecordKey, from: u64, most: usize) -> Pending<Vec<Event>> {
        self.later(self.shelf.memory.events(key, from, most))
    }

    fn reminder(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<(ETag, Reminder)>> {
        self.later(self.shelf.memory.reminder(key, epoch))
    }

    fn set_reminder(
        &self,
        key: &RecordKey,
        epoch: Epoch,
        expected: Expected,
        reminder: Option<Reminder>,
    ) -> Pending<Option<ETag>> {
        self.written(
            self.shelf
                .memory
                .set_reminder(key, epoch, expected, reminder),
        )
    }

    fn due(&self, until: WallTime, most: usize) -> Pending<Due> {
        self.much_later(3, self.shelf.memory.due(until, most))
    }

    fn close(&self) -> Pending<()> {
        let shelf = self.shelf.clone();
        Box::pin(async move {
            shelf.closed.set(shelf.closed.get() + 1);
            Ok(())
        })
    }

    fn report(&self) -> StoreReport {
        StoreReport {
            kind: "shelf",
            ..self.shelf.memory.report()
        }
    }
}
