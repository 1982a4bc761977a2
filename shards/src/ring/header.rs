//! What shows a message: a word that names its table of functions.
//!
//! From the lowest bit: the parity of the lap; the table's address; and in the upper 16 bits, which
//! no address of a program uses, how many slots are shown together from here on. They are zero in
//! all but the first of a long batch.

use std::marker::PhantomData;
use std::ptr;

use super::lines::{Lines, Place};
use super::{Consumer, Message};
use crate::envelope::slots_of;

// On others nothing would be left of an address beside the count.
const _: () = assert!(usize::BITS == 64, "rings need addresses of 64 bits");

/// Bits of an address. More are used only by programs that ask for it (five-level paging).
const ADDRESS_BITS: u32 = usize::BITS - 16;
const ADDRESS: usize = usize::MAX >> 16 & !TAG;
const TAG: usize = 1;
/// The most slots that a header can announce.
pub(super) const MOST_ANNOUNCED: usize = usize::MAX >> ADDRESS_BITS;

/// What a message type does, behind its header. Aligned, so that bit 0 is free for the lap.
#[repr(align(8))]
pub(super) struct Vtable<C: ?Sized + 'static> {
    pub(super) slots: usize,
    /// Takes the next of the messages that were announced, which lies there, and delivers it. Nothing
    /// else may lie there; so for the other two, whose caller has taken it.
    pub(super) deliver_announced: unsafe fn(&Consumer<C>, Place, &C),
    /// Moves the message out, empties its slots, delivers it.
    pub(super) deliver: unsafe fn(&Consumer<C>, Place, &C),
    /// Moves the message out, empties its slots, drops it.
    pub(super) discard: unsafe fn(&Lines<C>, Place),
}

/// A slot's first word: see the [module](self).
pub(super) struct Header<C: ?Sized + 'static>(*mut Vtable<C>);

impl<C: ?Sized + 'static> Clone for Header<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: ?Sized + 'static> Copy for Header<C> {}

impl<C: ?Sized + 'static> Header<C> {
    /// What memory holds before its first lap.
    pub(super) const EMPTY: Self = Header(ptr::null_mut());

    /// Shows an `M` in a lap of parity `tag`.
    #[inline(always)]
    pub(super) fn of<M: Message<C>>(tag: usize) -> Self {
        let vtable = ptr::from_ref(VtableOf::<M, C>::VTABLE).cast_mut();
        debug_assert_eq!(vtable.addr() & !ADDRESS, 0, "beyond 48 bits");
        // Added, not joined by `|`, of which compilers make more instructions.
        Header(vtable.wrapping_byte_add(tag))
    }

    /// Shows no message, in a lap of parity `tag`.
    pub(super) fn used(tag: usize) -> Self {
        Header(ptr::without_provenance_mut(tag))
    }

    /// The same, for the first of messages that take `slots` slots and are shown together. If they
    /// are too many to tell, each of them stands for itself.
    #[inline(always)]
    pub(super) fn announcing(self, slots: usize) -> Self {
        let slots = if slots <= MOST_ANNOUNCED { slots } else { 0 };
        Header(self.0.wrapping_byte_add(slots << ADDRESS_BITS))
    }

    #[inline(always)]
    pub(super) fn tag(self) -> usize {
        self.0.addr() & TAG
    }

    /// # Safety
    /// A message's header: from [`of`](Self::of).
    #[inline(always)]
    pub(super) unsafe fn vtable(self) -> &'static Vtable<C> {
        // SAFETY: as the caller says; such an address is that of a table which is never freed.
        unsafe { &*self.0.map_addr(|word| word & ADDRESS) }
    }

    /// Slots of all messages that it announces, its own among them; zero if it announces none.
    #[inline(always)]
    pub(super) fn announced(self) -> usize {
        self.0.addr() >> ADDRESS_BITS
    }

    pub(super) fn word(self) -> *mut Vtable<C> {
        self.0
    }

    pub(super) fn from_word(word: *mut Vtable<C>) -> Self {
        Header(word)
    }
}

/// The table of `M`, one constant per message and receiver type.
struct VtableOf<M, C: ?Sized>(PhantomData<(M, *const C)>);

impl<C: ?Sized + 'static, M: Message<C>> VtableOf<M, C> {
    const VTABLE: &'static Vtable<C> = &Vtable {
        slots: slots_of::<M>(),
        deliver: Self::deliver,
        deliver_announced: Self::deliver_announced,
        discard: Self::discard,
    };

    /// # Safety
    /// The consumer's next message lies there, and is an `M` that was announced.
    unsafe fn deliver_announced(consumer: &Consumer<C>, place: Place, context: &C) {
        consumer.took(const { slots_of::<M>() });
        // SAFETY: as the caller says.
        unsafe { Self::deliver(consumer, place, context) };
    }

    /// # Safety
    /// An `M` lies there, published, and is taken by this call.
    unsafe fn deliver(consumer: &Consumer<C>, place: Place, context: &C) {
        // SAFETY: as the caller says.
        unsafe { consumer.lines().take::<M>(place) }.deliver(context, consumer.from());
    }

    /// # Safety
    /// As for `deliver`.
    unsafe fn discard(lines: &Lines<C>, place: Place) {
        // SAFETY: as the caller says.
        drop(unsafe { lines.take::<M>(place) });
    }
}
