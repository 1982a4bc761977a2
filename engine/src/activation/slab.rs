//! Where the cells of one actor type lie: chunks that never move, and a list of the free ones.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::NonNull;

use super::{Activation, Head, Phase, Resident};
use crate::actor::TypeToken;
use crate::key::Key;

/// The cells of one actor type on one shard.
pub(crate) struct Slab<A> {
    chunks: UnsafeCell<Vec<Box<[Activation<A>]>>>,
    free: RefCell<Vec<u32>>,
    used: Cell<usize>,
    token: &'static TypeToken,
}

/// Cells are added by chunks of this many.
const CHUNK: usize = 256;

impl<A> Slab<A> {
    pub(crate) fn new(token: &'static TypeToken) -> Self {
        Slab {
            chunks: UnsafeCell::default(),
            free: RefCell::default(),
            used: Cell::new(0),
            token,
        }
    }

    /// The cell at `index`, whoever is in it.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<Resident<A>> {
        let index = index as usize;
        // SAFETY: single-threaded; no borrow of the vector outlives its expression, and the
        // cells behind it never move.
        let cell = unsafe { (&*self.chunks.get()).get(index / CHUNK)? };
        Some(Resident(NonNull::from(&cell[index % CHUNK])))
    }

    /// Takes a free cell for the actor `key`.
    pub(crate) fn take(&self, key: Key, hash: u64) -> Resident<A> {
        let free = self.free.borrow_mut().pop();
        let index = free.unwrap_or_else(|| self.grow());
        let resident = self.get(index).expect("free cells exist");
        resident.occupy(key, hash);
        self.used.set(self.used.get() + 1);
        resident
    }

    /// Gives a cell back. Hints to it are void from now on.
    pub(crate) fn give(&self, resident: Resident<A>) {
        resident.vacate();
        self.used.set(self.used.get() - 1);
        self.free.borrow_mut().push(resident.index());
    }

    /// Cells in use.
    pub(crate) fn len(&self) -> usize {
        self.used.get()
    }

    /// Cells that exist.
    pub(crate) fn capacity(&self) -> usize {
        // SAFETY: as in `get`.
        unsafe { (&*self.chunks.get()).len() * CHUNK }
    }

    /// The cells in use.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Resident<A>> {
        (0..self.capacity() as u32)
            .filter_map(|index| self.get(index))
            .filter(|resident| resident.phase() != Phase::Free)
    }

    #[cold]
    fn grow(&self) -> u32 {
        let first = self.capacity() as u32;
        let chunk = (first..first + CHUNK as u32)
            .map(|index| Activation {
                head: Head::new(index, self.token),
                actor: UnsafeCell::new(None),
            })
            .collect();
        // SAFETY: as in `get`; the boxes move, the cells in them don't.
        unsafe { (*self.chunks.get()).push(chunk) };
        self.free
            .borrow_mut()
            .extend((first + 1..first + CHUNK as u32).rev());
        first
    }
}
