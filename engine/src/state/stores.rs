//! The stores that one shard has open.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use quark_storage::provider::{Epoch, Provider, StoreError};

use super::error::StateError;
use super::reach::Requests;
use super::store::DEFAULT_STORE;

/// The stores of one shard, by their names.
pub(crate) struct Stores {
    open: RefCell<BTreeMap<String, Rc<dyn Provider>>>,
    is_closed: Cell<bool>,
    /// What the first shard keeps for all.
    kept: RefCell<Vec<Box<dyn Any>>>,
    epoch: Cell<Epoch>,
    /// What was asked of other shards' stores.
    pub(super) requests: Requests,
    /// What values are encoded into; kept for its memory.
    buffer: RefCell<Vec<u8>>,
}

/// What is larger is not worth keeping.
const BUFFER_BYTES_MOST: usize = 64 << 10;

impl Default for Stores {
    fn default() -> Self {
        Stores {
            open: RefCell::default(),
            is_closed: Cell::new(false),
            kept: RefCell::default(),
            epoch: Cell::new(Epoch(1)),
            requests: Requests::default(),
            buffer: RefCell::default(),
        }
    }
}

impl Stores {
    /// This shard's access to the store called `name`.
    ///
    /// # Errors
    /// If there is none, with the remedy; [`StoreError::Closed`] at the engine's end.
    pub(crate) fn get(&self, name: &str) -> Result<Rc<dyn Provider>, StateError> {
        let open = self.open.borrow();
        match open.get(name) {
            Some(provider) => Ok(provider.clone()),
            None if self.is_closed.get() => Err(StoreError::Closed.into()),
            None if name == DEFAULT_STORE => Err(StateError::NoStore),
            None => Err(StateError::NoSuchStore {
                store: name.to_owned(),
                known: open.keys().cloned().collect(),
            }),
        }
    }

    /// Under which an engine that is no node of a cluster owns its keys. An activation says all its
    /// life what it was when it began.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch.get()
    }

    pub(crate) fn set_epoch(&self, epoch: Epoch) {
        self.epoch.set(epoch);
    }

    pub(super) fn take_buffer(&self) -> Vec<u8> {
        self.buffer.take()
    }

    pub(super) fn give_buffer(&self, buffer: Vec<u8>) {
        if buffer.capacity() <= BUFFER_BYTES_MOST {
            self.buffer.replace(buffer);
        }
    }

    pub(super) fn add(&self, name: &str, provider: Rc<dyn Provider>) {
        self.open.borrow_mut().insert(name.to_owned(), provider);
    }

    pub(super) fn keep(&self, kept: Option<Box<dyn Any>>) {
        self.kept.borrow_mut().extend(kept);
    }

    /// Lets go of all that is left: the shard ends.
    pub(crate) fn clear(&self) {
        drop(self.take_all());
        drop(self.kept.take());
    }

    /// The stores that are to be closed now; nobody gets at them any more.
    pub(crate) fn take_all(&self) -> Vec<(String, Rc<dyn Provider>)> {
        self.is_closed.set(true);
        self.open.take().into_iter().collect()
    }
}
