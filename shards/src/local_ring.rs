//! A core's own queue of messages of any type: the mesh's slots without its atomics, growing as
//! far as its users let it.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;

use crate::envelope::{MAX_SLOTS, Slots, fits, slots_of};

/// A value that waits in a [`LocalRing`] and acts when its turn comes. Need not be `Send`.
///
/// `C` is what the owner offers. At most 1,016 bytes, aligned to at most 8.
pub trait LocalMessage<C: ?Sized>: 'static {
    /// Acts on the owner.
    fn deliver(self, context: &C);
}

/// A queue of messages, first in first out, for one thread.
///
/// It has no limit of its own: whoever pushes bounds what he pushes.
pub struct LocalRing<C: ?Sized + 'static> {
    slots: Cell<Slots>,
    head: Cell<usize>,
    tail: Cell<usize>,
    /// The furthest that the tail came between two times of being empty, lately.
    reach: Cell<usize>,
    /// Looks that found nothing since the last thought of shrinking.
    idle: Cell<u32>,
    _receiver: PhantomData<fn(&C)>,
}

/// Slots of a new ring (4 KiB).
const INITIAL_SLOTS: usize = 64;
/// Empty looks before the ring may halve, so that a burst a pass does not grow it every time.
const IDLE_BEFORE_SHRINKING: u32 = 4096;

const _: () = assert!(INITIAL_SLOTS >= MAX_SLOTS);

impl<C: ?Sized + 'static> LocalRing<C> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        LocalRing {
            slots: Cell::new(Slots::allocate(INITIAL_SLOTS)),
            head: Cell::new(0),
            tail: Cell::new(0),
            reach: Cell::new(0),
            idle: Cell::new(0),
            _receiver: PhantomData,
        }
    }

    /// Appends `message`. Grows the ring when it is full.
    ///
    /// # Panics
    /// If the message is larger than 1,016 bytes or aligned beyond 8.
    #[inline(always)]
    pub fn push<M: LocalMessage<C>>(&self, message: M) {
        // As in the mesh's ring: folds away.
        assert!(
            const { fits::<M>() },
            "a message beyond 1,016 bytes or an alignment of 8: box it"
        );
        let slots = const { slots_of::<M>() };
        if self.tail.get() - self.head.get() + slots > self.slots.get().capacity() {
            self.grow();
        }
        let tail = self.tail.get();
        let memory = self.slots.get();
        // SAFETY: behind the tail and within the capacity, so no message lies there.
        unsafe { memory.write(tail, message) };
        let vtable = ptr::from_ref(VtableOf::<M, C>::VTABLE)
            .cast_mut()
            .cast::<()>();
        // SAFETY: the header of the same slot; this thread's own.
        unsafe { memory.header(tail).write(vtable) };
        self.tail.set(tail + slots);
    }

    /// Takes the oldest message out and delivers it; false if there is none.
    ///
    /// The message has left the queue before [`LocalMessage::deliver`] runs: that may push,
    /// deliver more, or panic.
    #[inline]
    pub fn deliver_next(&self, context: &C) -> bool {
        if self.is_empty() {
            self.rest();
            return false;
        }
        let (memory, position, vtable) = self.take();
        // SAFETY: the header's own message lies at `position`, and `take` says it is taken;
        // nothing is pushed before it has been moved out.
        unsafe { (vtable.deliver)(&memory, position, context) };
        true
    }

    /// Messages waiting: counted one by one, for observers.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut position = self.head.get();
        let mut messages = 0;
        while position != self.tail.get() {
            position += self.vtable_at(position).slots;
            messages += 1;
        }
        messages
    }

    /// Whether no message waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.get() == self.tail.get()
    }

    /// Counts the oldest message as taken; it must be moved out before anything else happens.
    #[inline(always)]
    fn take(&self) -> (Slots, usize, &'static Vtable<C>) {
        let (memory, position) = (self.slots.get(), self.head.get());
        let vtable = self.vtable_at(position);
        let head = position + vtable.slots;
        if head == self.tail.get() {
            // Begins again where the cache is warm.
            self.reach.set(self.reach.get().max(head));
            self.head.set(0);
            self.tail.set(0);
        } else {
            self.head.set(head);
        }
        (memory, position, vtable)
    }

    #[inline(always)]
    fn vtable_at(&self, position: usize) -> &'static Vtable<C> {
        // SAFETY: called where a message begins, whose header `push` wrote.
        unsafe { &*self.slots.get().header(position).read().cast::<Vtable<C>>() }
    }

    /// Moves all messages to a ring of twice the slots.
    #[cold]
    #[inline(never)]
    fn grow(&self) {
        let old = self.slots.get();
        let new = Slots::allocate(old.capacity() * 2);
        let (mut from, mut to) = (self.head.get(), 0);
        while from != self.tail.get() {
            let slots = self.vtable_at(from).slots;
            // SAFETY: a message of that many slots begins at `from`; the new memory is ours and
            // larger.
            unsafe { old.copy(from, new, to, slots) };
            from += slots;
            to += slots;
        }
        self.slots.set(new);
        self.head.set(0);
        self.tail.set(to);
        // SAFETY: all was moved, and the field was the only view.
        unsafe { old.free() };
    }

    /// Halves an empty ring that has long used less than a quarter of itself.
    #[inline]
    fn rest(&self) {
        if self.slots.get().capacity() == INITIAL_SLOTS {
            return;
        }
        self.idle.set(self.idle.get() + 1);
        if self.idle.get() == IDLE_BEFORE_SHRINKING {
            self.shrink();
        }
    }

    #[cold]
    #[inline(never)]
    fn shrink(&self) {
        let old = self.slots.get();
        if self.reach.get() < old.capacity() / 4 {
            self.slots.set(Slots::allocate(old.capacity() / 2));
            // SAFETY: empty, and the field was the only view.
            unsafe { old.free() };
        }
        self.reach.set(0);
        self.idle.set(0);
    }
}

impl<C: ?Sized + 'static> Default for LocalRing<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: ?Sized + 'static> Drop for LocalRing<C> {
    fn drop(&mut self) {
        while !self.is_empty() {
            let (memory, position, vtable) = self.take();
            // SAFETY: as in `deliver_next`.
            unsafe { (vtable.discard)(&memory, position) };
        }
        // SAFETY: empty, and the field was the only view.
        unsafe { self.slots.get().free() };
    }
}

/// What a message type does, behind its header.
struct Vtable<C: ?Sized + 'static> {
    slots: usize,
    deliver: unsafe fn(&Slots, usize, &C),
    discard: unsafe fn(&Slots, usize),
}

/// The table of `M`, one constant per message and owner type.
struct VtableOf<M, C: ?Sized>(PhantomData<(M, *const C)>);

impl<C: ?Sized + 'static, M: LocalMessage<C>> VtableOf<M, C> {
    const VTABLE: &'static Vtable<C> = &Vtable {
        slots: slots_of::<M>(),
        deliver: Self::deliver,
        discard: Self::discard,
    };

    /// # Safety
    /// An `M` lies at `position` and is taken by this call.
    unsafe fn deliver(memory: &Slots, position: usize, context: &C) {
        // SAFETY: as the caller says.
        unsafe { memory.read::<M>(position) }.deliver(context);
    }

    /// # Safety
    /// As for `deliver`.
    unsafe fn discard(memory: &Slots, position: usize) {
        // SAFETY: as the caller says.
        drop(unsafe { memory.read::<M>(position) });
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
