//! The store that all nodes share, and where they agree on who they are: both linearizable, and at
//! times out of reach for some.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quark::Store;
use quark::membership::{MemoryTable, StoreAnswer, Table, TableStore, TableStoreError};
use quark::storage::memory::MemoryStore;
use quark::storage::provider::{
    Append, Due, ETag, Epoch, Event, Expected, Pending, Provider, Record, RecordKey, Reminder,
    StoreError, StoreReport, WallTime, Write,
};
use quark_shards::shard::Shard;

/// What this thread's nodes share.
#[derive(Default)]
struct Shared {
    memory: MemoryStore,
    /// Nodes that don't reach it.
    cut_off: BTreeSet<u16>,
    /// By record: the epoch of its last commit.
    committed: BTreeMap<String, Epoch>,
    broken: Option<String>,
}

thread_local! {
    static SHARED: RefCell<Shared> = RefCell::default();
}

/// An empty one for this thread.
pub fn begin() {
    SHARED.take();
}

/// Has `node` not reach the store, or reach it again.
pub fn set_cut(node: u16, is_cut: bool) {
    SHARED.with_borrow_mut(|shared| {
        if is_cut {
            shared.cut_off.insert(node);
        } else {
            shared.cut_off.remove(&node);
        }
    });
}

/// What has gone wrong in the order of commits, if anything has.
pub fn broken() -> Option<String> {
    SHARED.with_borrow(|shared| shared.broken.clone())
}

/// This thread's, as `node` sees it.
pub fn store(node: u16) -> Store {
    Store::custom(move |cx| {
        Rc::new(Seen {
            node,
            shard: cx.handle().clone(),
        })
    })
}

struct Seen {
    node: u16,
    shard: Rc<Shard>,
}

/// How long a way takes at most.
const WAY: Duration = Duration::from_millis(3);

impl Seen {
    /// Has the store do something: after a while, and its answer comes after another. Either may be
    /// lost on its way.
    fn ask<T: 'static>(
        &self,
        work: impl FnOnce(&MemoryStore) -> Pending<T> + 'static,
    ) -> Pending<T> {
        let draw = || WAY.mul_f64((self.shard.random() % 1024) as f64 / 1024.0);
        let (there, back, node) = (draw(), draw(), self.node);
        Box::pin(async move {
            quark::sleep(there).await;
            check_way(node, "it can't be reached")?;
            let memory = SHARED.with_borrow(|shared| shared.memory.clone());
            let answer = work(&memory).await;
            quark::sleep(back).await;
            check_way(node, "its answer is lost")?;
            answer
        })
    }
}

fn check_way(node: u16, why: &str) -> Result<(), StoreError> {
    SHARED.with_borrow(|shared| match shared.cut_off.contains(&node) {
        false => Ok(()),
        true => Err(StoreError::Unavailable {
            place: "the shared store".to_owned(),
            why: why.to_owned(),
        }),
    })
}

/// Commits of one record have epochs that do not fall.
fn note_commit(key: &RecordKey, epoch: Epoch) {
    SHARED.with_borrow_mut(|shared| {
        let last = shared.committed.insert(key.to_string(), epoch);
        if let Some(last) = last.filter(|last| *last > epoch) {
            shared.broken = Some(format!("{key} was committed in {epoch:?} after {last:?}"));
        }
    });
}

impl Provider for Seen {
    fn load(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<Record>> {
        let key = key.clone();
        self.ask(move |memory| memory.load(&key, epoch))
    }

    fn save(&self, key: &RecordKey, write: Write) -> Pending<ETag> {
        let key = key.clone();
        self.ask(move |memory| {
            let epoch = write.epoch;
            let saved = memory.save(&key, write);
            Box::pin(async move {
                let saved = saved.await?;
                note_commit(&key, epoch);
                Ok(saved)
            })
        })
    }

    fn clear(&self, key: &RecordKey, epoch: Epoch, expected: Expected) -> Pending<()> {
        let key = key.clone();
        self.ask(move |memory| memory.clear(&key, epoch, expected))
    }

    fn journal_len(&self, key: &RecordKey, epoch: Epoch) -> Pending<u64> {
        let key = key.clone();
        self.ask(move |memory| memory.journal_len(&key, epoch))
    }

    fn append(&self, key: &RecordKey, append: Append) -> Pending<u64> {
        let key = key.clone();
        self.ask(move |memory| memory.append(&key, append))
    }

    fn events(&self, key: &RecordKey, from: u64, most: usize) -> Pending<Vec<Event>> {
        let key = key.clone();
        self.ask(move |memory| memory.events(&key, from, most))
    }

    fn reminder(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<(ETag, Reminder)>> {
        let key = key.clone();
        self.ask(move |memory| memory.reminder(&key, epoch))
    }

    fn set_reminder(
        &self,
        key: &RecordKey,
        epoch: Epoch,
        expected: Expected,
        reminder: Option<Reminder>,
    ) -> Pending<Option<ETag>> {
        let key = key.clone();
        self.ask(move |memory| memory.set_reminder(&key, epoch, expected, reminder))
    }

    fn due(&self, until: WallTime, most: usize) -> Pending<Due> {
        self.ask(move |memory| memory.due(until, most))
    }

    fn report(&self) -> StoreReport {
        StoreReport {
            kind: "shared",
            ..StoreReport::default()
        }
    }
}

/// The table as one node sees it.
#[derive(Clone)]
pub struct SeenTable {
    pub node: u16,
    pub memory: MemoryTable,
    pub cut_off: Arc<Mutex<BTreeSet<u16>>>,
}

impl SeenTable {
    pub fn is_cut(&self) -> bool {
        let cut_off = self.cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        cut_off.contains(&self.node)
    }

    fn unless_cut<T: Send + 'static>(
        &self,
        answer: impl FnOnce() -> StoreAnswer<T>,
    ) -> StoreAnswer<T> {
        if self.is_cut() {
            return Box::pin(async { Err(TableStoreError("it can't be reached".to_owned())) });
        }
        answer()
    }
}

impl TableStore for SeenTable {
    fn read(&self) -> StoreAnswer<Option<Arc<Table>>> {
        self.unless_cut(|| self.memory.read())
    }

    fn write(&self, behind: u64, table: Arc<Table>) -> StoreAnswer<bool> {
        self.unless_cut(|| self.memory.write(behind, table))
    }

    fn watch(&self, changed: Box<dyn Fn() + Send + Sync>) {
        let this = self.clone();
        self.memory.watch(Box::new(move || {
            if !this.is_cut() {
                changed();
            }
        }));
    }
}
