//! The mesh's ring: messages of any type from one thread to one other, acting where they arrive.
//!
//! A slot's header word is the message's own table of functions, tagged with the parity of the
//! lap: one acquire load tells that the slot is full and what to do with it. A small message
//! moves one cache line, and neither side reads the other's position until space runs short.
//! A long batch is announced by its first message, whose header says how far it reaches: so the
//! receiver's core fetches its lines side by side, and none behind them.
//!
//! Two rules keep old bytes from looking like headers. A header carries its lap's parity, so what
//! the lap before left is empty now. And where a long message ran over later slots (in memory, or
//! past the ring's end only by number), the consumer gives each the look of a used slot of this
//! lap before it hands them back.

#![allow(unsafe_code)]

mod consumer;
mod header;
mod lines;
mod producer;

use crossbeam::utils::CachePadded;

pub use crate::envelope::MAX_SLOTS;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub use consumer::Consumer;
use lines::Lines;
pub use producer::Producer;

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
    (
        Producer::new(lines, Arc::clone(&shared)),
        Consumer::new(lines, shared, from),
    )
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
        while let Some(header) = self.lines.peek(head) {
            // SAFETY: a message's, as `peek` says.
            let vtable = unsafe { header.vtable() };
            // SAFETY: of the table's type, taken by nobody else any more.
            unsafe { (vtable.discard)(&self.lines, self.lines.place(head)) };
            head = head.wrapping_add(vtable.slots);
        }
        // SAFETY: the views in both ends went with them.
        unsafe { self.lines.free() };
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
