//! Where messages of any type lie in a ring: 64-byte slots, one header word each, the message
//! from behind the first slot's header to the end of its last slot.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::{MaybeUninit, align_of, size_of};
use std::ptr::NonNull;

/// Slots that the longest message takes; a longer one is a compile error, and belongs in a box.
pub const MAX_SLOTS: usize = 16;

/// Bytes of a slot: one cache line.
const SLOT_BYTES: usize = 64;
/// The header: one pointer-sized word, at the slot's beginning.
const HEADER_BYTES: usize = 8;

/// One cache line of a ring.
#[repr(C, align(64))]
pub(crate) struct Slot {
    header: MaybeUninit<*mut ()>,
    payload: [MaybeUninit<u64>; 7],
}

const _: () = assert!(size_of::<Slot>() == SLOT_BYTES && size_of::<*mut ()>() <= HEADER_BYTES);

/// Slots that a message of type `M` takes, its header included.
#[must_use]
pub(crate) const fn slots_of<M>() -> usize {
    (HEADER_BYTES + size_of::<M>()).div_ceil(SLOT_BYTES)
}

/// Whether a message of type `M` can lie in a ring: at most [`MAX_SLOTS`] slots (1,016 bytes),
/// aligned to at most 8 bytes. Others belong in a box.
#[must_use]
pub(crate) const fn fits<M>() -> bool {
    align_of::<M>() <= HEADER_BYTES && slots_of::<M>() <= MAX_SLOTS
}

/// The memory of a ring: a power of two of slots, and a tail behind them into which a message
/// that begins near the end runs over, so that every message lies in one piece.
///
/// A plain view: whoever allocates it frees it.
pub(crate) struct Slots {
    base: NonNull<Slot>,
    mask: usize,
}

impl Clone for Slots {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for Slots {}

impl Slots {
    /// Zeroed slots, which the system hands out untouched: the first to write owns the pages.
    ///
    /// # Panics
    /// If `capacity` is no power of two or beyond what memory can be.
    pub(crate) fn allocate(capacity: usize) -> Self {
        assert!(
            capacity.is_power_of_two(),
            "a ring's capacity must be a power of two"
        );
        let layout = Self::layout(capacity);
        // SAFETY: the layout is never empty, its size is at least one slot.
        let base = unsafe { alloc_zeroed(layout) }.cast::<Slot>();
        let Some(base) = NonNull::new(base) else {
            handle_alloc_error(layout)
        };
        Slots {
            base,
            mask: capacity - 1,
        }
    }

    /// Has the line of the slot at `position` come from whichever core has it, to be written to.
    /// A hint: nothing waits for it.
    ///
    /// An instruction of its own, since compilers for any x86-64 make a hint to read of the usual
    /// one to write, and what is fetched so has to be asked for again. Where there is none,
    /// nothing happens.
    #[inline(always)]
    pub(crate) fn fetch_to_write(&self, position: usize) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: a hint, which changes nothing and faults on no address.
        unsafe {
            std::arch::asm!(
                "prefetchw [{}]",
                in(reg) self.header(position).addr(),
                options(nomem, nostack, preserves_flags)
            );
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = position;
    }

    /// Gives the memory back; what lies in it is forgotten.
    ///
    /// # Safety
    /// No view of these slots is used afterwards.
    pub(crate) unsafe fn free(self) {
        // SAFETY: allocated by `allocate` with this layout, and freed once, as the caller says.
        unsafe { dealloc(self.base.as_ptr().cast(), Self::layout(self.capacity())) }
    }

    pub(crate) const fn capacity(self) -> usize {
        self.mask + 1
    }

    pub(crate) const fn index(self, position: usize) -> usize {
        position & self.mask
    }

    /// The header word of the slot at `position`; valid as long as the slots are.
    pub(crate) fn header(self, position: usize) -> *mut *mut () {
        self.slot(position).cast()
    }

    /// Moves `message` into the slots from `position` on.
    ///
    /// # Safety
    /// Those slots are the caller's alone, and [`slots_of`] was checked for `M`.
    #[inline(always)]
    pub(crate) unsafe fn write<M>(self, position: usize, message: M) {
        // SAFETY: the payload begins 8 bytes into an aligned slot; at most MAX_SLOTS slots from
        // it on exist behind every index, and the caller owns them.
        unsafe { payload::<M>(self.slot(position)).write(message) }
    }

    /// Moves the message out of the slots from `position` on.
    ///
    /// # Safety
    /// An `M` was written there, is seen by this thread, and is not read again.
    #[inline(always)]
    pub(crate) unsafe fn read<M>(self, position: usize) -> M {
        // SAFETY: as the caller says.
        unsafe { Self::read_at(self.slot(position)) }
    }

    /// The same for whoever has the first slot at hand.
    ///
    /// # Safety
    /// As for [`read`](Self::read).
    #[inline(always)]
    pub(crate) unsafe fn read_at<M>(slot: *mut Slot) -> M {
        // SAFETY: as the caller says; the place is valid as in `write`.
        unsafe { payload::<M>(slot).read() }
    }

    /// Copies `slots` whole slots, headers included, into another ring's memory.
    ///
    /// # Safety
    /// Both ranges are the caller's alone, and the rings are different.
    pub(crate) unsafe fn copy(self, from: usize, to: Slots, to_position: usize, slots: usize) {
        // SAFETY: a message begins at `from` and fits behind `to_position` too, because both
        // memories carry the tail; the caller owns both.
        unsafe {
            self.slot(from)
                .copy_to_nonoverlapping(to.slot(to_position), slots)
        }
    }

    /// The slot at `position`; valid as long as the slots are.
    pub(crate) fn slot(self, position: usize) -> *mut Slot {
        self.base.as_ptr().wrapping_add(self.index(position))
    }

    fn layout(capacity: usize) -> Layout {
        match Layout::array::<Slot>(capacity.saturating_add(MAX_SLOTS - 1)) {
            Ok(layout) => layout,
            Err(_) => panic!("a ring of {capacity} slots is beyond what memory can be"),
        }
    }
}

fn payload<M>(slot: *mut Slot) -> *mut M {
    slot.wrapping_byte_add(HEADER_BYTES).cast()
}
