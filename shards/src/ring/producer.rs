//! The ring's sending end.

use std::cell::Cell;

use super::header::Header;
use super::lines::Lines;
use super::{Message, Shared};
use crate::envelope::{fits, slots_of};
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, Site, ordering};

/// How many slots before its turn a line is asked for. Slots are the other core's since it last
/// read them, and a core has room for the stores of some four messages that wait for their lines:
/// between far cores, messages left no faster than a line came for every fourth of them.
///
/// Measured, with what else changed beside it, between cores 540 ns apart, there and back: 24 → 41 M
/// one-way messages a second, 256 asks outstanding 5.5 → 11.7 M/s; 115 ns apart 90 → 100 M/s and
/// 16.8 → 17.4 M/s.
///
/// Not with a message that is alone: its receiver is close behind, and lines fetched for later are
/// taken back before they are written to (messages alone between near cores 6.9 → 4.1 ns without,
/// an ask between far ones 612 → 600 ns). For the same reason no more of them while batches are
/// short: with 16, 256 asks between far cores took 129 ns each instead of 76.
const FETCHED_AHEAD: usize = 6;

/// The same while batches are long, and their receiver busy for longer (measured: in batches of 64
/// between near cores 3.0 → 2.4 ns a message, with what their first header announces).
const FETCHED_FAR_AHEAD: usize = 16;

/// Slots of the longest batch that is short. Its receiver finds each message by the one before it;
/// of a longer one it is told how far it reaches, and has its lines fetched side by side.
///
/// Told of short ones too, it keeps so close behind a far sender that the lines go back and forth:
/// one-way messages 21.1 → 22.0 ns, 256 asks 76 → 84 ns each. In loom's models, whose rings have four
/// slots, a batch of three is long.
const SHORT_SLOTS: usize = if cfg!(loom) { 2 } else { 16 };

/// The sending end. Dropping it publishes what was pushed.
pub struct Producer<C: ?Sized + 'static> {
    lines: Lines<C>,
    /// Where the next message goes.
    tail: Cell<usize>,
    /// Slots before it were free when the consumer's head was last read.
    free_to: Cell<usize>,
    /// Messages from here on are not yet visible. The first of them has no header yet: its slot
    /// looks used, and hides the others.
    published: Cell<usize>,
    /// The header of that first one. Not in its slot, whose line may be with a receiver that looks
    /// at it.
    unshown: Cell<Header<C>>,
    /// How many slots before its turn a line is asked for, by how long the last batch was.
    fetched_ahead: Cell<usize>,
    shared: Arc<Shared<C>>,
}

// SAFETY: the cells are this end's own; messages in the ring are `Send`; of `C` there are only
// function pointers here.
unsafe impl<C: ?Sized + 'static> Send for Producer<C> {}

impl<C: ?Sized + 'static> Producer<C> {
    pub(super) fn new(lines: Lines<C>, shared: Arc<Shared<C>>) -> Self {
        Producer {
            lines,
            tail: Cell::new(0),
            free_to: Cell::new(lines.capacity()),
            published: Cell::new(0),
            unshown: Cell::new(Header::EMPTY),
            fetched_ahead: Cell::new(FETCHED_AHEAD),
            shared,
        }
    }

    /// Moves `message` into the ring, not yet visible to the other end.
    ///
    /// # Errors
    /// Gives the message back when there is no room.
    ///
    /// # Panics
    /// If the message does not [fit](Self::fits).
    #[inline]
    pub fn push<M: Message<C>>(&self, message: M) -> Result<(), M> {
        match self.place::<M>() {
            Some(place) => {
                self.fill(place, || message, false);
                Ok(())
            }
            None => Err(message),
        }
    }

    /// The same for a message that is made only once there is room, straight in its slots; false
    /// if there is none.
    ///
    /// A message made elsewhere and copied is read back in other pieces than it was written in,
    /// which a core can do only after all its earlier stores, those to slots that the other core
    /// still holds among them (measured: 12.3 → 11.4 ns a one-way message).
    ///
    /// # Panics
    /// As for [`push`](Self::push), and if `make` itself pushes.
    #[inline(always)]
    pub fn push_with<M: Message<C>>(&self, make: impl FnOnce() -> M) -> bool {
        self.push_and_show_if(false, make)
    }

    /// The same, and what was pushed is [published](Self::publish) at once if `show` says so. A
    /// receiver that looks at a message's line over and over may take it away between two stores
    /// to it: so one that is alone is shown by the only store to its header.
    ///
    /// # Panics
    /// As for [`push_with`](Self::push_with).
    #[inline(always)]
    pub fn push_and_show_if<M: Message<C>>(&self, show: bool, make: impl FnOnce() -> M) -> bool {
        let place = self.place::<M>();
        if let Some(place) = place {
            self.fill(place, make, show);
        }
        place.is_some()
    }

    /// Where an `M` can go.
    #[inline(always)]
    fn place<M: Message<C>>(&self) -> Option<usize> {
        // Not a compile-time check: generic senders choose by `fits` between a message and a box
        // of it, and both arms are compiled. The test folds away.
        assert!(
            const { fits::<M>() },
            "a message beyond 1,016 bytes or an alignment of 8: box it"
        );
        let slots = const { slots_of::<M>() };
        let tail = self.tail.get();
        if self.free_to.get().wrapping_sub(tail) < slots {
            self.reread_head();
            if self.free_to.get().wrapping_sub(tail) < slots {
                return None;
            }
        }
        Some(tail)
    }

    /// Puts a message where [`place`](Self::place) has found room.
    #[inline(always)]
    fn fill<M: Message<C>>(&self, tail: usize, make: impl FnOnce() -> M, show: bool) {
        let message = make();
        if self.tail.get() != tail {
            // Forgotten, for a message that may have to be dropped is not made in its slots.
            std::mem::forget(message);
            panic!("a message that is being made pushed another");
        }
        // SAFETY: the consumer has released these slots, and looks at none of them before the
        // header of the first unpublished message is stored.
        unsafe { self.lines.write(tail, message) };
        let header = self.lines.header_of::<M>(tail);
        let is_first = tail == self.published.get();
        let end = tail.wrapping_add(const { slots_of::<M>() });
        self.tail.set(end);
        if show && is_first {
            self.published.set(end);
            self.show(tail, header);
            return;
        }
        self.lines
            .fetch_to_write(tail.wrapping_add(self.fetched_ahead.get()));
        if is_first {
            self.unshown.set(header);
        } else {
            self.lines.store(tail, header, Ordering::Relaxed);
        }
        if show {
            self.publish();
        }
    }

    /// How many slots an `M` takes, its header included.
    #[must_use]
    pub const fn slots_of<M>() -> usize {
        slots_of::<M>()
    }

    /// Whether an `M` can lie in a ring: at most 1,016 bytes, aligned to at most 8.
    #[must_use]
    pub const fn fits<M>() -> bool {
        fits::<M>()
    }

    /// Makes all that was pushed visible at once; true if there was something.
    #[inline]
    pub fn publish(&self) -> bool {
        let position = self.published.get();
        let end = self.tail.get();
        if position == end {
            return false;
        }
        self.published.set(end);
        let slots = end.wrapping_sub(position);
        if slots <= SHORT_SLOTS {
            self.fetched_ahead.set(FETCHED_AHEAD);
            self.show(position, self.unshown.get());
        } else {
            self.fetched_ahead.set(FETCHED_FAR_AHEAD);
            self.show(position, self.unshown.get().announcing(slots));
        }
        true
    }

    /// Shows the message at `position`, and all that are hidden behind it.
    #[inline(always)]
    fn show(&self, position: usize, header: Header<C>) {
        self.lines
            .store(position, header, ordering(Site::Publish, Ordering::Release));
    }

    /// Whether something was pushed since the last [`publish`](Self::publish).
    #[must_use]
    pub fn has_unpublished(&self) -> bool {
        self.published.get() != self.tail.get()
    }

    /// Slots free at this moment at least; the consumer may free more at any time.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.reread_head();
        self.free_to.get().wrapping_sub(self.tail.get())
    }

    /// Slots of the whole ring.
    #[must_use]
    pub fn capacity_slots(&self) -> usize {
        self.lines.capacity()
    }

    /// Whether the consumer is gone; what is pushed now is only dropped later.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    #[cold]
    fn reread_head(&self) {
        let order = ordering(Site::Reclaim, Ordering::Acquire);
        let head = self.shared.head.load(order);
        self.free_to.set(head.wrapping_add(self.lines.capacity()));
    }
}

impl<C: ?Sized + 'static> Drop for Producer<C> {
    fn drop(&mut self) {
        self.publish();
    }
}
