//! The ring's memory, with its headers as atomics.

#[cfg(loom)]
mod model;

#[cfg(not(loom))]
use std::marker::PhantomData;

use super::Message;
use super::header::{Header, Vtable};
use crate::envelope::{Slot, Slots, slots_of};
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::{Site, kept, ordering};

/// A plain view, as [`Slots`] is: whoever allocates it frees it.
pub(super) struct Lines<C: ?Sized + 'static> {
    slots: Slots,
    lap_shift: u32,
    #[cfg(loom)]
    model: *const model::Model<C>,
    #[cfg(not(loom))]
    _receiver: PhantomData<*const C>,
}

/// A position, with the slot that lies there.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) position: usize,
    slot: *mut Slot,
}

impl<C: ?Sized + 'static> Clone for Lines<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: ?Sized + 'static> Copy for Lines<C> {}

impl<C: ?Sized + 'static> Lines<C> {
    pub(super) fn allocate(capacity: usize) -> Self {
        Lines {
            slots: Slots::allocate(capacity),
            lap_shift: capacity.trailing_zeros(),
            #[cfg(loom)]
            model: Box::into_raw(Box::new(model::Model::new(capacity))),
            #[cfg(not(loom))]
            _receiver: PhantomData,
        }
    }

    /// # Safety
    /// No copy of this view is used afterwards.
    pub(super) unsafe fn free(self) {
        // SAFETY: as the caller says.
        unsafe { self.slots.free() };
        #[cfg(loom)]
        // SAFETY: made by `allocate`, freed once.
        drop(unsafe { Box::from_raw(self.model.cast_mut()) });
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// The tag of a slot in use in the lap of `position`. Zeroed memory is empty in the first lap.
    #[inline(always)]
    fn tag(&self, position: usize) -> usize {
        !(position >> self.lap_shift) & 1
    }

    /// What shows a message of type `M` at `position`.
    #[inline(always)]
    pub(super) fn header_of<M: Message<C>>(&self, position: usize) -> Header<C> {
        Header::of::<M>(self.tag(position))
    }

    #[inline(always)]
    pub(super) fn store(&self, position: usize, header: Header<C>, order: Ordering) {
        self.header(position).store(header.word(), order);
    }

    #[inline(always)]
    pub(super) fn place(&self, position: usize) -> Place {
        Place {
            position,
            slot: self.slots.slot(position),
        }
    }

    /// The header of the message at `position`, if there is one. For the consumer, at its head:
    /// there, a header with this lap's tag was stored for a message, by the two rules at the top
    /// of the ring's file.
    #[inline(always)]
    pub(super) fn peek(&self, position: usize) -> Option<Header<C>> {
        let order = ordering(Site::Peek, Ordering::Acquire);
        let header = Header::from_word(self.header(position).load(order));
        (header.tag() == self.tag(position)).then_some(header)
    }

    /// The table of the message at `position`.
    ///
    /// # Safety
    /// The consumer stands there, and knows of a message.
    #[inline(always)]
    pub(super) unsafe fn vtable_at(&self, position: usize) -> &'static Vtable<C> {
        // Not to be acquired: that was done with the first of the messages shown together.
        let header = Header::from_word(self.header(position).load(Ordering::Relaxed));
        // SAFETY: a message's header, as the caller says.
        unsafe { header.vtable() }
    }

    /// Has the line at `position` fetched, to be written to.
    #[inline(always)]
    pub(super) fn fetch_to_write(&self, position: usize) {
        self.slots.fetch_to_write(position);
    }

    /// # Safety
    /// The slots are the producer's: released by the consumer.
    #[inline(always)]
    pub(super) unsafe fn write<M: Message<C>>(&self, position: usize, message: M) {
        #[cfg(loom)]
        self.written::<M>(position);
        // SAFETY: as the caller says; `push` has checked the size.
        unsafe { self.slots.write(position, message) }
    }

    /// Moves a message out and leaves its later slots looking used.
    ///
    /// # Safety
    /// The place is of this ring; an `M` lies there, published, and is taken once.
    #[inline(always)]
    pub(super) unsafe fn take<M>(&self, place: Place) -> M {
        #[cfg(loom)]
        self.taken::<M>(place.position);
        // SAFETY: as the caller says.
        let message = unsafe { Slots::read_at::<M>(place.slot) };
        if kept(Site::Reset) {
            for later in 1..slots_of::<M>() {
                let position = place.position.wrapping_add(later);
                let used = Header::used(self.tag(position));
                self.store(position, used, Ordering::Relaxed);
            }
        }
        message
    }

    #[cfg(not(loom))]
    #[inline(always)]
    fn header(&self, position: usize) -> &AtomicPtr<Vtable<C>> {
        let word = self.slots.header(position).cast::<*mut Vtable<C>>();
        // SAFETY: aligned, and valid as long as the view is used. A message's bytes are only
        // written over it while no end reads it as a header.
        unsafe { AtomicPtr::from_ptr(word) }
    }
}
