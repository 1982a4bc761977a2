//! The buffers that the kernel receives into by its own choice: one ring of them for a shard.
//!
//! The kernel takes buffers from the ring's front, and those that have been read go back behind
//! its end: a write to memory that both see. When the ring has run out, what is received goes into
//! memory of its own (see [`pending`](super::pending)), so that nobody waits for those who keep
//! theirs.

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::io;
use std::ops::Deref;
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::socket;
use crate::driver::CHUNK_BYTES;

/// Buffers of a shard: 2 MiB of memory, which the system gives when they are first used. A power
/// of two.
const BUFFERS: u16 = 256;
/// The ring's name: a shard has one.
pub(super) const GROUP: u16 = 0;
/// From one buffer to the next. Were it a power of two, the beginnings of all buffers, which is
/// all that small messages use, would lie in the same few places of the core's cache.
const STRIDE: usize = CHUNK_BYTES + 64;

/// A shard's buffers, made when they are first needed.
pub(super) enum Provided {
    /// The kernel can't.
    Lacking,
    /// Not needed yet; how many there will be.
    Unmade(u16),
    /// In use.
    Made(Rc<Buffers>),
}

impl Provided {
    /// The usual number of them, where the kernel can.
    pub(super) fn new(can: bool) -> Self {
        if can {
            Provided::Unmade(BUFFERS)
        } else {
            Provided::Lacking
        }
    }

    /// Makes them, if that has not been tried.
    pub(super) fn make(&mut self, ring: &IoUring) {
        if let Provided::Unmade(count) = *self {
            *self = match Buffers::register(ring, count) {
                Ok(buffers) => Provided::Made(Rc::new(buffers)),
                Err(error) => {
                    tracing::warn!(%error, "no buffers to receive into: each receive has its own");
                    Provided::Lacking
                }
            };
        }
    }

    /// Whether they are there.
    pub(super) fn is_made(&self) -> bool {
        matches!(self, Provided::Made(_))
    }

    /// The first `len` bytes of buffer `id`, which the kernel has given away.
    pub(super) fn lent(&self, id: u16, len: usize) -> Option<Lent> {
        match self {
            Provided::Made(buffers) => Some(buffers.lend(id, len)),
            Provided::Lacking | Provided::Unmade(_) => None,
        }
    }

    /// Receives what is there on `socket`, past the ring, into a buffer that the kernel never has.
    pub(super) fn receive(&self, socket: RawFd) -> Direct {
        match self {
            Provided::Made(buffers) => buffers.receive(socket),
            Provided::Lacking | Provided::Unmade(_) => Direct::Nothing,
        }
    }

    /// Takes the memory back from the kernel, which must have no receive under way.
    pub(super) fn unregister(&self, ring: &IoUring) {
        if let Provided::Made(_) = self {
            // It can't fail but for a ring that is not there, and closing the kernel's side of
            // everything, which comes next, has the same effect.
            drop(ring.submitter().unregister_buf_ring(GROUP));
        }
    }

    /// Leaves the memory to the kernel for ever.
    pub(super) fn forget(&self) {
        if let Provided::Made(buffers) = self {
            std::mem::forget(buffers.clone());
        }
    }

    /// Whether [`receive`](Self::receive) has its buffer.
    pub(super) fn can_receive(&self) -> bool {
        matches!(self, Provided::Made(buffers) if !buffers.is_own_lent.get())
    }

    /// How many are not with the kernel.
    #[cfg(test)]
    pub(super) fn out(&self) -> usize {
        match self {
            Provided::Made(buffers) => buffers.out.get(),
            Provided::Lacking | Provided::Unmade(_) => 0,
        }
    }
}

/// What a plain receive has brought.
pub(super) enum Direct {
    Chunk(Lent),
    Nothing,
    /// Somebody still reads what came last.
    Lent,
    /// The peer has.
    Closed,
    Failed(io::Error),
}

/// Whether the kernel knows such rings: it is asked to take one, and to give it back.
pub(super) fn probe(ring: &IoUring) -> bool {
    let taken = Buffers::register(ring, 1);
    taken.is_ok() && ring.submitter().unregister_buf_ring(GROUP).is_ok()
}

/// The ring and its buffers, in one piece of memory: first `count` entries, which the kernel
/// reads, then the buffers, which it writes to while they are its own. Outlives its driver if
/// somebody still reads.
pub(super) struct Buffers {
    memory: NonNull<u8>,
    layout: Layout,
    /// Where the buffers begin.
    start: usize,
    /// How many the kernel may have; behind them is one more, which it may not.
    count: u16,
    tail: Cell<u16>,
    out: Cell<usize>,
    is_own_lent: Cell<bool>,
}

impl Buffers {
    fn register(ring: &IoUring, count: u16) -> io::Result<Self> {
        let page = page_size();
        let entries = usize::from(count) * size_of::<BufRingEntry>();
        let start = entries.next_multiple_of(page);
        let layout = Layout::from_size_align(start + (usize::from(count) + 1) * STRIDE, page);
        let layout = layout.map_err(io::Error::other)?;
        // SAFETY: the layout is not of size zero.
        let memory = unsafe { alloc::alloc_zeroed(layout) };
        let memory = NonNull::new(memory).ok_or(io::ErrorKind::OutOfMemory)?;
        let buffers = Buffers {
            memory,
            layout,
            start,
            count,
            tail: Cell::new(0),
            out: Cell::new(usize::from(count)),
            is_own_lent: Cell::new(false),
        };
        // SAFETY: the memory is that of a ring of `count` entries, aligned to pages, and is
        // freed only when the driver is done with the kernel: see `UringDriver`'s drop.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                buffers.memory.as_ptr().expose_provenance() as u64,
                count,
                GROUP,
                0,
            )?;
        }
        (0..count).for_each(|id| buffers.give(id));
        Ok(buffers)
    }

    /// Lets the kernel have buffer `id`.
    fn give(&self, id: u16) {
        let base = self.memory.cast::<BufRingEntry>().as_ptr();
        let tail = self.tail.get();
        let place = usize::from(tail & (self.count - 1));
        // SAFETY: `place` is one of `count` entries, all zeroes at first, which is a valid entry.
        // The kernel looks at it only once the tail is past it.
        unsafe {
            let entry = &mut *base.add(place);
            entry.set_addr(self.buffer(id).as_ptr().expose_provenance() as u64);
            entry.set_len(CHUNK_BYTES as u32);
            entry.set_bid(id);
        }
        self.tail.set(tail.wrapping_add(1));
        self.out.set(self.out.get() - 1);
        // SAFETY: the tail lies in what the first entry does not use; it is aligned, and nobody
        // but us writes to it.
        let shared = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(base).cast_mut()) };
        // The kernel that sees it sees the entry.
        shared.store(tail.wrapping_add(1), Ordering::Release);
    }

    fn receive(self: &Rc<Self>, socket: RawFd) -> Direct {
        if self.is_own_lent.get() {
            return Direct::Lent;
        }
        let own = self.buffer(self.count);
        // SAFETY: it has `CHUNK_BYTES`, all of them set, is never the kernel's, and nobody has it now.
        let own = unsafe { slice::from_raw_parts_mut(own.as_ptr(), CHUNK_BYTES) };
        match socket::receive_some(socket, own) {
            Ok(None) => Direct::Nothing,
            Ok(Some(0)) => Direct::Closed,
            Ok(Some(len)) => {
                self.is_own_lent.set(true);
                Direct::Chunk(Lent {
                    buffers: self.clone(),
                    id: self.count,
                    len,
                })
            }
            Err(error) => Direct::Failed(error),
        }
    }

    fn lend(self: &Rc<Self>, id: u16, len: usize) -> Lent {
        assert!(id < self.count && len <= CHUNK_BYTES, "no such buffer");
        self.out.set(self.out.get() + 1);
        Lent {
            buffers: self.clone(),
            id,
            len,
        }
    }

    fn buffer(&self, id: u16) -> NonNull<u8> {
        // SAFETY: `id` is no more than `count`, so it is within the memory.
        unsafe { self.memory.add(self.start + usize::from(id) * STRIDE) }
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout; nobody has any of it any more, nor has the kernel.
        unsafe { alloc::dealloc(self.memory.as_ptr(), self.layout) };
    }
}

/// A buffer that the kernel has filled and that somebody reads. Dropped, it goes back to where it came
/// from.
pub(in crate::driver) struct Lent {
    buffers: Rc<Buffers>,
    id: u16,
    len: usize,
}

impl Deref for Lent {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the kernel has given the buffer to us, and leaves it alone until it is given
        // back, or it never was the kernel's; all of it was zeroed at first, so it is initialised.
        unsafe { slice::from_raw_parts(self.buffers.buffer(self.id).as_ptr(), self.len) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.id == self.buffers.count {
            self.buffers.is_own_lent.set(false);
        } else {
            self.buffers.give(self.id);
        }
    }
}

fn page_size() -> usize {
    // SAFETY: no memory is passed.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}
