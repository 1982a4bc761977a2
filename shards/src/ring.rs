//! The mesh's ring: messages of any type from one thread to one other, acting where they arrive.
//!
//! A slot's header word is the message's own table of functions, tagged with the parity of the
//! lap: one acquire load tells that the slot is full and what to do with it. A small message
//! moves one cache line, and neither side reads the other's position until space runs short.
//!
//! Two rules keep old bytes from looking like headers. A header carries its lap's parity, so what
//! the lap before left is empty now. And where a long message ran over later slots (in memory, or
//! past the ring's end only by number), the consumer gives each the look of a used slot of this
//! lap before it hands them back.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;

use crossbeam::utils::CachePadded;

pub use crate::envelope::MAX_SLOTS;
use crate::envelope::{Slots, fits, slots_of};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use crate::sync::{Arc, Site, kept, ordering};

/// A value that travels by ring and acts where it arrives.
///
/// `C` is what the receiver offers. At most 1,016 bytes, aligned to at most 8 (see
/// [`Producer::fits`]).
pub trait Message<C: ?Sized>: Send + 'static {
    /// Acts on the receiver; `from` is the number that the ring was made with.
    fn deliver(self, context: &C, from: u16);
}

/// A ring of at least `capacity_slots` slots of 64 bytes (rounded up to a power of two, and to
/// [`MAX_SLOTS`]); `from` is told to every message that arrives.
#[must_use]
pub fn ring<C: ?Sized + 'static>(capacity_slots: usize, from: u16) -> (Producer<C>, Consumer<C>) {
    // Models need rings that wrap at once.
    let least = if cfg!(loom) { 2 } else { MAX_SLOTS };
    let lines = Lines::allocate(capacity_slots.max(least).next_power_of_two());
    let shared = Arc::new(Shared {
        head: CachePadded::new(AtomicUsize::new(0)),
        closed: AtomicBool::new(false),
        lines,
    });
    let producer = Producer {
        lines,
        tail: Cell::new(0),
        head_seen: Cell::new(0),
        published: Cell::new(0),
        unshown: Cell::new(ptr::null_mut()),
        shared: Arc::clone(&shared),
    };
    let consumer = Consumer {
        lines,
        from,
        head: Cell::new(0),
        released: Cell::new(0),
        shared,
    };
    (producer, consumer)
}

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
/// an ask between far ones 612 → 600 ns).
const FETCHED_AHEAD: usize = 6;

/// The sending end. Dropping it publishes what was pushed.
pub struct Producer<C: ?Sized + 'static> {
    lines: Lines<C>,
    /// Where the next message goes.
    tail: Cell<usize>,
    /// The consumer's head when last read.
    head_seen: Cell<usize>,
    /// Messages from here on are not yet visible. The first of them has no header yet: its slot
    /// looks used, and hides the others.
    published: Cell<usize>,
    /// The header of that first one. Not in its slot, whose line may be with a receiver that looks
    /// at it.
    unshown: Cell<Header<C>>,
    shared: Arc<Shared<C>>,
}

// SAFETY: the cells are this end's own; messages in the ring are `Send`; of `C` there are only
// function pointers here.
unsafe impl<C: ?Sized + 'static> Send for Producer<C> {}

impl<C: ?Sized + 'static> Producer<C> {
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
        if tail.wrapping_sub(self.head_seen.get()) + slots > self.lines.capacity() {
            self.reread_head();
            if tail.wrapping_sub(self.head_seen.get()) + slots > self.lines.capacity() {
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
            .slots
            .fetch_to_write(tail.wrapping_add(FETCHED_AHEAD));
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
        if !self.has_unpublished() {
            return false;
        }
        self.published.set(self.tail.get());
        self.show(position, self.unshown.get());
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
        self.lines.capacity() - self.tail.get().wrapping_sub(self.head_seen.get())
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
        self.head_seen.set(self.shared.head.load(order));
    }
}

impl<C: ?Sized + 'static> Drop for Producer<C> {
    fn drop(&mut self) {
        self.publish();
    }
}

/// The receiving end. Dropping it drops what is in the ring.
pub struct Consumer<C: ?Sized + 'static> {
    lines: Lines<C>,
    from: u16,
    /// The next message.
    head: Cell<usize>,
    /// What the producer was told of `head`.
    released: Cell<usize>,
    shared: Arc<Shared<C>>,
}

// SAFETY: as for `Producer`.
unsafe impl<C: ?Sized + 'static> Send for Consumer<C> {}

impl<C: ?Sized + 'static> Consumer<C> {
    /// Takes one message out and delivers it; false if there is none.
    ///
    /// The message has left the ring before [`Message::deliver`] runs, so a panic there loses
    /// that message only, and delivering may look at this ring again.
    #[inline]
    pub fn deliver_next(&self, context: &C) -> bool {
        let some = self.take_at(self.head.get(), context).is_some();
        self.release();
        some
    }

    /// Delivers at most `budget` messages and gives their slots back together; says how many.
    #[inline]
    pub fn deliver_up_to(&self, budget: usize, context: &C) -> usize {
        let mut delivered = 0;
        let mut head = self.head.get();
        while delivered < budget
            && let Some(next) = self.take_at(head, context)
        {
            head = next;
            delivered += 1;
            // A long batch must not starve the producer of room.
            if head.wrapping_sub(self.released.get()) > self.lines.capacity() / 4 {
                self.release();
            }
        }
        self.release();
        delivered
    }

    /// Whether there is nothing to deliver: one load, of the next header.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.peek(self.head.get()).is_none()
    }

    /// Delivers the message at `head`, where the consumer stands, and says where it stands then.
    ///
    /// That follows from what was loaded, not from branches: so a core that foresees another
    /// message does not look at its line before this one is there. It would take lines from a
    /// sender that is about to write to them (measured between near cores, messages alone and a
    /// receiver that keeps up: 8.8 → 3.6 ns; in batches up to 5 % more, and in one thread, in
    /// batches of 16, 3.5 → 4.5).
    #[inline(always)]
    fn take_at(&self, head: usize, context: &C) -> Option<usize> {
        let vtable = self.lines.peek(head)?;
        let next = head.wrapping_add(vtable.slots);
        self.head.set(next);
        // SAFETY: the header shows a message of the vtable's type here, and moving the head on
        // says that it is taken.
        unsafe { (vtable.deliver)(&self.lines, head, context, self.from) };
        if self.head.get() == next {
            Some(next)
        } else {
            Some(self.head_since())
        }
    }

    /// Where it stands when delivering has taken more.
    #[cold]
    #[inline(never)]
    fn head_since(&self) -> usize {
        self.head.get()
    }

    #[inline]
    fn release(&self) {
        let head = self.head.get();
        if head != self.released.get() {
            self.released.set(head);
            self.shared
                .head
                .store(head, ordering(Site::Release, Ordering::Release));
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
            let head = taken.0.head.get();
            let Some(vtable) = taken.0.lines.peek(head) else {
                break;
            };
            taken.0.head.set(head.wrapping_add(vtable.slots));
            // SAFETY: as in `take_at`.
            unsafe { (vtable.discard)(&taken.0.lines, head) };
        }
    }
}

struct ReleaseOnDrop<'a, C: ?Sized + 'static>(&'a Consumer<C>);

impl<C: ?Sized + 'static> Drop for ReleaseOnDrop<'_, C> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// What both ends hold together.
struct Shared<C: ?Sized + 'static> {
    /// Slots before it are free again. Written by the consumer.
    head: CachePadded<AtomicUsize>,
    /// The consumer is gone.
    closed: AtomicBool,
    lines: Lines<C>,
}

// SAFETY: the atomics are shared; the slots are used by the ends under the ring's protocol.
unsafe impl<C: ?Sized + 'static> Send for Shared<C> {}
// SAFETY: as above.
unsafe impl<C: ?Sized + 'static> Sync for Shared<C> {}

impl<C: ?Sized + 'static> Drop for Shared<C> {
    fn drop(&mut self) {
        // Both ends are gone: all was published, and what is left lies behind the head.
        let mut head = self.head.load(Ordering::Relaxed);
        while let Some(vtable) = self.lines.peek(head) {
            // SAFETY: a message of the vtable's type, taken by nobody else any more.
            unsafe { (vtable.discard)(&self.lines, head) };
            head = head.wrapping_add(vtable.slots);
        }
        // SAFETY: the views in both ends went with them.
        unsafe { self.lines.free() };
    }
}

/// What a message type does, behind its header. Aligned, so that bit 0 is free for the lap.
#[repr(align(8))]
struct Vtable<C: ?Sized + 'static> {
    slots: usize,
    /// Moves the message out, empties its slots, delivers it.
    deliver: unsafe fn(&Lines<C>, usize, &C, u16),
    /// Moves the message out, empties its slots, drops it.
    discard: unsafe fn(&Lines<C>, usize),
}

type Header<C> = *mut Vtable<C>;

/// The table of `M`, one constant per message and receiver type.
struct VtableOf<M, C: ?Sized>(PhantomData<(M, *const C)>);

impl<C: ?Sized + 'static, M: Message<C>> VtableOf<M, C> {
    const VTABLE: &'static Vtable<C> = &Vtable {
        slots: slots_of::<M>(),
        deliver: Self::deliver,
        discard: Self::discard,
    };

    /// # Safety
    /// An `M` lies at `position`, published, and is taken by this call.
    unsafe fn deliver(lines: &Lines<C>, position: usize, context: &C, from: u16) {
        // SAFETY: as the caller says.
        unsafe { lines.take::<M>(position) }.deliver(context, from);
    }

    /// # Safety
    /// As for `deliver`.
    unsafe fn discard(lines: &Lines<C>, position: usize) {
        // SAFETY: as the caller says.
        drop(unsafe { lines.take::<M>(position) });
    }
}

/// The ring's memory with its headers as atomics.
struct Lines<C: ?Sized + 'static> {
    slots: Slots,
    lap_shift: u32,
    #[cfg(loom)]
    model: *const model::Model<C>,
    #[cfg(not(loom))]
    _receiver: PhantomData<*const C>,
}

impl<C: ?Sized + 'static> Clone for Lines<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: ?Sized + 'static> Copy for Lines<C> {}

impl<C: ?Sized + 'static> Lines<C> {
    fn allocate(capacity: usize) -> Self {
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
    unsafe fn free(self) {
        // SAFETY: as the caller says.
        unsafe { self.slots.free() };
        #[cfg(loom)]
        // SAFETY: made by `allocate`, freed once.
        drop(unsafe { Box::from_raw(self.model.cast_mut()) });
    }

    fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// The tag of a slot in use in the lap of `position`. Zeroed memory is empty in the first lap.
    #[inline(always)]
    fn tag(&self, position: usize) -> usize {
        !(position >> self.lap_shift) & 1
    }

    /// What shows a message of type `M` at `position`.
    #[inline(always)]
    fn header_of<M: Message<C>>(&self, position: usize) -> Header<C> {
        // Added, not joined by `|`, of which compilers make more instructions.
        ptr::from_ref(VtableOf::<M, C>::VTABLE)
            .cast_mut()
            .wrapping_byte_add(self.tag(position))
    }

    #[inline(always)]
    fn store(&self, position: usize, header: Header<C>, order: Ordering) {
        self.header(position).store(header, order);
    }

    /// The table of the message at `position`, if it is there. For the consumer, at its head.
    #[inline(always)]
    fn peek(&self, position: usize) -> Option<&'static Vtable<C>> {
        let header = self
            .header(position)
            .load(ordering(Site::Peek, Ordering::Acquire));
        if header.addr() & 1 != self.tag(position) {
            return None;
        }
        let vtable = header.map_addr(|address| address & !1);
        // SAFETY: a header with this lap's tag, where the consumer's head stands, was stored by
        // `store`: the two rules at the top of this file.
        Some(unsafe { &*vtable })
    }

    /// # Safety
    /// The slots are the producer's: released by the consumer.
    #[inline(always)]
    unsafe fn write<M: Message<C>>(&self, position: usize, message: M) {
        #[cfg(loom)]
        self.written::<M>(position);
        // SAFETY: as the caller says; `push` has checked the size.
        unsafe { self.slots.write(position, message) }
    }

    /// Moves a message out and leaves its later slots looking used.
    ///
    /// # Safety
    /// An `M` lies at `position`, published, and is taken once.
    #[inline(always)]
    unsafe fn take<M: Message<C>>(&self, position: usize) -> M {
        #[cfg(loom)]
        self.taken::<M>(position);
        // SAFETY: as the caller says.
        let message = unsafe { self.slots.read::<M>(position) };
        if kept(Site::Reset) {
            for later in 1..slots_of::<M>() {
                let position = position.wrapping_add(later);
                let used = ptr::without_provenance_mut(self.tag(position));
                self.store(position, used, Ordering::Relaxed);
            }
        }
        message
    }

    #[cfg(not(loom))]
    #[inline(always)]
    fn header(&self, position: usize) -> &AtomicPtr<Vtable<C>> {
        let word = self.slots.header(position).cast::<Header<C>>();
        // SAFETY: aligned, and valid as long as the view is used. A message's bytes are only
        // written over it while no end reads it as a header.
        unsafe { AtomicPtr::from_ptr(word) }
    }
}

#[cfg(loom)]
mod model;

#[cfg(all(test, not(loom)))]
mod tests;
