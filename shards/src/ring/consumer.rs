//! The ring's receiving end.

use std::cell::Cell;

use super::Shared;
use super::header::Vtable;
use super::lines::{Lines, Place};
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, Site, ordering};

/// The receiving end. Dropping it drops what is in the ring.
pub struct Consumer<C: ?Sized + 'static> {
    lines: Lines<C>,
    from: u16,
    /// Up to here all messages are taken, or announced.
    known: Cell<usize>,
    /// Slots of those announced and not taken: the next message lies that far before `known`.
    waiting: Cell<usize>,
    /// Where the next message lay when the producer was last told.
    released: Cell<usize>,
    /// A quarter of the ring: where more slots than that were taken, they are given back.
    quarter: usize,
    shared: Arc<Shared<C>>,
}

// SAFETY: as for `Producer`.
unsafe impl<C: ?Sized + 'static> Send for Consumer<C> {}

impl<C: ?Sized + 'static> Consumer<C> {
    pub(super) fn new(lines: Lines<C>, shared: Arc<Shared<C>>, from: u16) -> Self {
        Consumer {
            lines,
            from,
            known: Cell::new(0),
            waiting: Cell::new(0),
            released: Cell::new(0),
            quarter: lines.capacity() / 4,
            shared,
        }
    }

    /// Takes one message out and delivers it; false if there is none.
    ///
    /// The message has left the ring before [it is delivered](super::Message::deliver), so a panic
    /// there loses that message only, and delivering may look at this ring again.
    #[inline]
    pub fn deliver_next(&self, context: &C) -> bool {
        self.deliver_up_to(1, context) == 1
    }

    /// Delivers at most `budget` messages and gives their slots back together; says how many.
    ///
    /// Inlined, for whoever waits looks here over and over (measured: a message there and back
    /// 141 → 131 ns).
    #[inline(always)]
    pub fn deliver_up_to(&self, budget: usize, context: &C) -> usize {
        let mut delivered = 0;
        while delivered < budget {
            if self.waiting.get() > 0 {
                // SAFETY: some were announced.
                unsafe { self.deliver_announced(context) };
            } else if let Some((place, vtable)) = self.find() {
                // SAFETY: the table is of the message that lies there, and it counts as taken.
                unsafe { (vtable.deliver)(self, place, context) };
            } else {
                break;
            }
            delivered += 1;
        }
        self.release();
        delivered
    }

    /// Whether there is nothing to deliver: one load, of the next header.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.get() == 0 && self.lines.peek(self.known.get()).is_none()
    }

    /// Delivers the next of the messages that were announced.
    ///
    /// Where each of them lies follows from the slots that those before it take, which their own
    /// functions know: so the core works on one while the lines of the others are still on their
    /// way (measured between near cores, in batches of 64: 3.1 → 2.3 ns a message).
    ///
    /// # Safety
    /// Some of them are waiting.
    #[inline(always)]
    unsafe fn deliver_announced(&self, context: &C) {
        let next = self.known.get().wrapping_sub(self.waiting.get());
        let lines = self.lines;
        // SAFETY: the consumer stands there, and a message is known to be there.
        let vtable = unsafe { lines.vtable_at(next) };
        // SAFETY: the message's own table.
        unsafe { (vtable.deliver_announced)(self, lines.place(next), context) };
    }

    /// Takes the message behind all that are known, if there is one: says where it lies, for whoever
    /// delivers or drops it, and gives its table.
    ///
    /// Where the next lies follows from what is loaded of this one: so the core looks at none that
    /// is not there yet, whose line the sender is about to write to (measured between near cores,
    /// messages alone: 8.8 → 3.5 ns).
    #[inline(always)]
    fn find(&self) -> Option<(Place, &'static Vtable<C>)> {
        let position = self.known.get();
        // A long run of messages must not starve the producer of room.
        if position.wrapping_sub(self.released.get()) > self.quarter {
            self.release();
        }
        // A copy, which stays in registers: what `self` holds could change by any store.
        let lines = self.lines;
        let header = lines.peek(position)?;
        // SAFETY: a message's, as `peek` says.
        let vtable = unsafe { header.vtable() };
        let announced = header.announced();
        if announced == 0 {
            self.known.set(position.wrapping_add(vtable.slots));
        } else {
            self.known.set(position.wrapping_add(announced));
            self.waiting.set(announced - vtable.slots);
        }
        Some((lines.place(position), vtable))
    }

    /// Counts announced messages of `slots` slots as taken.
    #[inline(always)]
    pub(super) fn took(&self, slots: usize) {
        self.waiting.set(self.waiting.get() - slots);
    }

    pub(super) fn lines(&self) -> &Lines<C> {
        &self.lines
    }

    pub(super) fn from(&self) -> u16 {
        self.from
    }

    /// Drops the next message; false if there is none.
    fn discard_next(&self) -> bool {
        let waiting = self.waiting.get();
        let (place, vtable) = if waiting > 0 {
            let place = self.lines.place(self.known.get().wrapping_sub(waiting));
            // SAFETY: the consumer stands there, and a message is known to be there.
            let vtable = unsafe { self.lines.vtable_at(place.position) };
            self.took(vtable.slots);
            (place, vtable)
        } else if let Some(found) = self.find() {
            found
        } else {
            return false;
        };
        // SAFETY: the table is of the message that lies there, and it counts as taken.
        unsafe { (vtable.discard)(&self.lines, place) };
        true
    }

    #[inline]
    fn release(&self) {
        let next = self.known.get().wrapping_sub(self.waiting.get());
        if next != self.released.get() {
            self.released.set(next);
            self.shared
                .head
                .store(next, ordering(Site::Release, Ordering::Release));
        }
    }
}

impl<C: ?Sized + 'static> Drop for Consumer<C> {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        // What was taken is told even if dropping a message panics: nobody may drop it again.
        let taken = ReleaseOnDrop(self);
        // At most one ring full, or a busy producer could keep this thread here.
        for _ in 0..taken.0.lines.capacity() {
            if !taken.0.discard_next() {
                break;
            }
        }
    }
}

struct ReleaseOnDrop<'a, C: ?Sized + 'static>(&'a Consumer<C>);

impl<C: ?Sized + 'static> Drop for ReleaseOnDrop<'_, C> {
    fn drop(&mut self) {
        self.0.release();
    }
}
