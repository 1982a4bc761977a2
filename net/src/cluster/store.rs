use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::table::Table;

/// Keeps a cluster's table outside of its nodes.
pub trait TableStore: Send + Sync {
    /// The table as it is now; `None` if there never was one.
    fn read(&self) -> StoreAnswer<Option<Arc<Table>>>;

    /// Writes `table` behind the version `behind`, of which zero is none at all; false if another is
    /// there. A write that fails may have happened.
    fn write(&self, behind: u64, table: Arc<Table>) -> StoreAnswer<bool>;

    /// Has `changed` called when there is a new version, as far as the store can tell: it is read
    /// now and then anyway.
    fn watch(&self, changed: Box<dyn Fn() + Send + Sync>);
}

/// What a store will answer. It may be waited for on any thread.
pub type StoreAnswer<T> = Pin<Box<dyn Future<Output = Result<T, TableStoreError>> + Send>>;

/// Why a table can't be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the table of the cluster: {0}")]
pub struct TableStoreError(pub String);

/// A table in memory, for nodes of one process. Clones are the same one.
#[derive(Clone, Default)]
pub struct MemoryTable(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    table: Option<Arc<Table>>,
    watchers: Vec<Arc<dyn Fn() + Send + Sync>>,
}

impl TableStore for MemoryTable {
    fn read(&self) -> StoreAnswer<Option<Arc<Table>>> {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let table = memory.table.clone();
        Box::pin(async move { Ok(table) })
    }

    fn write(&self, behind: u64, table: Arc<Table>) -> StoreAnswer<bool> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let version = memory.table.as_ref().map_or(0, |table| table.version());
        let is_next = version == behind;
        let mut watchers = Vec::new();
        if is_next {
            memory.table = Some(table);
            watchers.clone_from(&memory.watchers);
        }
        drop(memory);
        // They may come back here.
        watchers.iter().for_each(|changed| changed());
        Box::pin(async move { Ok(is_next) })
    }

    fn watch(&self, changed: Box<dyn Fn() + Send + Sync>) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.watchers.push(changed.into());
    }
}
