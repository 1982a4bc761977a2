//! The ring's memory in loom's models. loom's atomics are no plain words and can't lie under a
//! message's bytes, so the headers stand beside the slots; what a long message's bytes would do to
//! them is done on purpose, in the worst way, and every access to a slot's bytes is shown to loom.

use std::ptr;

use loom::cell::UnsafeCell;

use super::*;
use crate::ring::MAX_SLOTS;

pub(super) struct Model<C: ?Sized + 'static> {
    headers: Vec<AtomicPtr<Vtable<C>>>,
    bytes: Vec<UnsafeCell<()>>,
}

impl<C: ?Sized + 'static> Model<C> {
    pub(super) fn new(capacity: usize) -> Self {
        Model {
            headers: (0..capacity)
                .map(|_| AtomicPtr::new(ptr::null_mut()))
                .collect(),
            bytes: (0..capacity + MAX_SLOTS)
                .map(|_| UnsafeCell::new(()))
                .collect(),
        }
    }
}

impl<C: ?Sized + 'static> Lines<C> {
    pub(super) fn header(&self, position: usize) -> &AtomicPtr<Vtable<C>> {
        &self.model().headers[self.slots.index(position)]
    }

    pub(super) fn written<M: Message<C>>(&self, position: usize) {
        let first = self.slots.index(position);
        for later in 0..slots_of::<M>() {
            self.model().bytes[first + later].with_mut(|_| ());
            let over = first + later;
            if later > 0 && over < self.capacity() {
                // Bytes that look like a message of the lap to come.
                let next_lap = position.wrapping_add(later).wrapping_add(self.capacity());
                self.store(over, self.header_of::<M>(next_lap), Ordering::Relaxed);
            }
        }
    }

    pub(super) fn taken<M>(&self, position: usize) {
        let first = self.slots.index(position);
        for later in 0..slots_of::<M>() {
            self.model().bytes[first + later].with_mut(|_| ());
        }
    }

    fn model(&self) -> &Model<C> {
        // SAFETY: lives as long as the slots.
        unsafe { &*self.model }
    }
}
