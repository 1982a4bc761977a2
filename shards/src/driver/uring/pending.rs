//! The operations the kernel is working on, each with the memory it may touch.

use std::io;
use std::os::fd::RawFd;

use io_uring::cqueue;
use io_uring::squeue::{Entry, Flags};

use super::entry::{Kept, Prepared, ends_early, instead, one_of_many, outcome, prepare};
use super::kit::Kit;
use crate::driver::{Completion, Op, Outcome, Token};

/// A slab of operations. A slot is given up when the kernel's completion has come, and with it
/// the buffers; a slot's index is the `user_data` of its operation.
#[derive(Default)]
pub(super) struct Pending {
    slots: Vec<Slot>,
    free: Option<u32>,
    len: usize,
}

enum Slot {
    Free(Option<u32>),
    Busy(Busy),
}

struct Busy {
    token: Token,
    /// The socket on which it waits for a peer, until that is closed.
    socket: Option<RawFd>,
    /// It was asked to end.
    stopped: bool,
    kept: Kept,
    pair: Option<Pair>,
}

/// What the kernel has said of an operation.
pub(super) struct News {
    result: i32,
    /// It will say more.
    more: bool,
    /// The buffer of the ring that it has filled.
    buffer: Option<u16>,
}

impl From<&cqueue::Entry> for News {
    fn from(entry: &cqueue::Entry) -> Self {
        let flags = entry.flags();
        News {
            result: entry.result(),
            more: cqueue::more(flags),
            buffer: cqueue::buffer_select(flags),
        }
    }
}

/// What the kernel's news mean.
pub(super) enum Finished {
    /// Nothing yet.
    No,
    /// For who has submitted the operation.
    Yes(Completion),
    /// It goes on with this, to be submitted.
    Again(Entry),
}

/// A write and the sync that is to follow it, seen from either: each has a slot of its own, and
/// both are given up together.
#[derive(Clone, Copy)]
struct Pair {
    other: u32,
    /// What the kernel has said of this half.
    result: Option<i32>,
    /// The kernel may have taken the halves apart.
    doubtful: bool,
}

/// What an operation is handed to the kernel as.
#[derive(Clone)]
pub(super) enum Submission {
    One(Entry),
    /// Two that must go in one batch, the second only if the first succeeds.
    Linked([Entry; 2]),
}

impl Pending {
    /// Operations under way.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes `op` in and makes what is submitted for it, which points into the slab's keep.
    ///
    /// # Errors
    /// If the operation cannot be handed to the kernel at all.
    pub(super) fn begin(&mut self, token: Token, op: Op, kit: &mut Kit) -> io::Result<Submission> {
        let Prepared {
            entry,
            then,
            socket,
            kept,
        } = prepare(op, kit)?;
        self.len += 1;
        let first = self.insert(Busy {
            token,
            socket,
            stopped: false,
            kept,
            pair: None,
        });
        let entry = entry.user_data(u64::from(first));
        let Some(then) = then else {
            return Ok(Submission::One(entry));
        };
        let second = self.insert(Busy {
            token,
            socket: None,
            stopped: false,
            kept: Kept::Nothing,
            pair: Some(Pair::with(first)),
        });
        self.pair(first, |pair| *pair = Some(Pair::with(second)));
        let then = then.user_data(u64::from(second));
        Ok(Submission::Linked([entry.flags(Flags::IO_LINK), then]))
    }

    /// Who receives many by this slot, and from where; nobody once it was asked to end.
    #[inline]
    pub(super) fn receiving(&self, user_data: u64) -> Option<(Token, RawFd)> {
        match self.slots.get(usize::try_from(user_data).ok()?)? {
            Slot::Busy(Busy {
                token,
                socket: Some(socket),
                stopped: false,
                kept: Kept::Chunks,
                ..
            }) => Some((*token, *socket)),
            _ => None,
        }
    }

    /// Whether by its `news` the kernel lets go of a receive that nobody has stopped.
    pub(super) fn lets_go(&self, user_data: u64, news: &News) -> bool {
        !news.more && news.result == -libc::ECANCELED && self.receiving(user_data).is_some()
    }

    /// Notes the kernel's `news`; gives up the slot of an operation that is finished by them.
    pub(super) fn finish(&mut self, user_data: u64, news: News, kit: &mut Kit) -> Finished {
        if let Some(pair) = self.pair_of(user_data) {
            let both = self.finish_half(user_data, pair, news.result);
            return both.map_or(Finished::No, Finished::Yes);
        }
        // Whatever becomes of it: a buffer that is not taken here is lost.
        let len = usize::try_from(news.result).unwrap_or(0);
        let lent = news.buffer.and_then(|id| kit.provided.lent(id, len));
        let Some(busy) = self.busy(user_data) else {
            return Finished::No;
        };
        if news.more {
            return Finished::Yes(Completion {
                token: busy.token,
                result: one_of_many(news.result, lent, &mut kit.handles),
                more: true,
            });
        }
        let mut result = news.result;
        if ends_early(&busy.kept, result) {
            if let Some(socket) = busy.socket
                && !busy.stopped
            {
                let (entry, kept) = instead(&busy.kept, socket);
                busy.kept = kept;
                return Finished::Again(entry.user_data(user_data));
            }
            // Whoever stopped it should not hear of buffers.
            result = -libc::ECANCELED;
        }
        let Some(busy) = self.remove(user_data) else {
            return Finished::No;
        };
        self.len -= 1;
        if let Some(socket) = busy.socket {
            kit.handles.end(socket);
        }
        let result = outcome(busy.kept, result, lent, kit);
        Finished::Yes(Completion::last(busy.token, result))
    }

    /// The later half answers for both.
    fn finish_half(&mut self, user_data: u64, pair: Pair, result: i32) -> Option<Completion> {
        let Some(other) = self.pair_of(u64::from(pair.other))?.result else {
            self.pair(u32::try_from(user_data).ok()?, |pair| {
                if let Some(pair) = pair {
                    pair.result = Some(result);
                }
            });
            return None;
        };
        let one = self.remove(user_data)?;
        let two = self.remove(u64::from(pair.other))?;
        self.len -= 1;
        let (len, wrote, synced) = match (&one.kept, &two.kept) {
            (Kept::Write(buffer), _) => (buffer.len(), result, other),
            (_, Kept::Write(buffer)) => (buffer.len(), other, result),
            _ => unreachable!("one half of a pair is a write"),
        };
        let result = durable(len, wrote, synced, pair.doubtful);
        Some(Completion::last(one.token, result))
    }

    /// The kernel took only a part of what it was given: whatever was linked may not be any more.
    pub(super) fn doubt_links(&mut self) {
        for slot in &mut self.slots {
            if let Slot::Busy(Busy {
                pair: Some(pair), ..
            }) = slot
            {
                pair.doubtful = true;
            }
        }
    }

    /// The `user_data` of every operation, to be cancelled.
    pub(super) fn stop_all(&mut self) -> Vec<u64> {
        self.stop_those(|_| true).collect()
    }

    /// The `user_data` of the operation submitted as `token`, to be cancelled.
    pub(super) fn stop(&mut self, token: Token) -> Option<u64> {
        self.stop_those(|busy| busy.token == token).next()
    }

    fn stop_those(&mut self, which: impl Fn(&Busy) -> bool) -> impl Iterator<Item = u64> {
        let all = (0..).zip(&mut self.slots);
        all.filter_map(move |(index, slot)| match slot {
            Slot::Busy(busy) if which(busy) => {
                busy.stopped = true;
                Some(index)
            }
            _ => None,
        })
    }

    /// The `user_data` of what waits on `socket`, which it no longer counts as waiting there:
    /// the number may soon name another.
    pub(super) fn detach(&mut self, socket: RawFd) -> Vec<u64> {
        let all = (0..).zip(&mut self.slots);
        all.filter_map(|(index, slot)| match slot {
            Slot::Busy(busy) => busy.socket.take_if(|on| *on == socket).map(|_| index),
            Slot::Free(_) => None,
        })
        .collect()
    }

    fn busy(&mut self, user_data: u64) -> Option<&mut Busy> {
        match self.slots.get_mut(usize::try_from(user_data).ok()?)? {
            Slot::Busy(busy) => Some(busy),
            Slot::Free(_) => None,
        }
    }

    fn pair_of(&self, user_data: u64) -> Option<Pair> {
        match self.slots.get(usize::try_from(user_data).ok()?)? {
            Slot::Busy(busy) => busy.pair,
            Slot::Free(_) => None,
        }
    }

    fn pair(&mut self, index: u32, change: impl FnOnce(&mut Option<Pair>)) {
        if let Some(Slot::Busy(busy)) = self.slots.get_mut(index as usize) {
            change(&mut busy.pair);
        }
    }

    fn insert(&mut self, busy: Busy) -> u32 {
        if let Some(index) = self.free {
            let slot = &mut self.slots[index as usize];
            if let Slot::Free(next) = slot {
                self.free = *next;
            }
            *slot = Slot::Busy(busy);
            return index;
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 operations in flight");
        self.slots.push(Slot::Busy(busy));
        index
    }

    fn remove(&mut self, user_data: u64) -> Option<Busy> {
        let index = u32::try_from(user_data).ok()?;
        let slot = self.slots.get_mut(index as usize)?;
        if matches!(slot, Slot::Free(_)) {
            return None;
        }
        let Slot::Busy(busy) = std::mem::replace(slot, Slot::Free(self.free)) else {
            return None;
        };
        self.free = Some(index);
        Some(busy)
    }
}

impl Pair {
    fn with(other: u32) -> Self {
        Pair {
            other,
            result: None,
            doubtful: false,
        }
    }
}

/// What became of a write of `len` bytes and of the sync behind it.
fn durable(len: usize, wrote: i32, synced: i32, doubtful: bool) -> io::Result<Outcome> {
    let failed = |code: i32| Err(io::Error::from_raw_os_error(-code));
    match usize::try_from(wrote) {
        Err(_) => failed(wrote),
        // The link is cut by it: there was no sync.
        Ok(count) if count < len => Ok(Outcome::Wrote(count)),
        Ok(_) if synced < 0 => failed(synced),
        // The sync may have come first. The kernel divides a batch when it has no memory left.
        Ok(_) if doubtful => failed(-libc::ENOMEM),
        Ok(count) => Ok(Outcome::Wrote(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_worth_its_worse_half() {
        let said = |wrote, synced, doubtful| match durable(10, wrote, synced, doubtful) {
            Ok(Outcome::Wrote(count)) => Ok(count),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.raw_os_error().expect("the system's")),
        };
        assert_eq!(said(10, 0, false), Ok(10));
        // A short write ends the link.
        assert_eq!(said(4, -libc::ECANCELED, false), Ok(4));
        assert_eq!(said(0, -libc::ECANCELED, false), Ok(0));
        let failed = said(-libc::ENOSPC, -libc::ECANCELED, false);
        assert_eq!(failed, Err(libc::ENOSPC));
        assert_eq!(said(10, -libc::EIO, false), Err(libc::EIO));
        assert_eq!(said(10, 0, true), Err(libc::ENOMEM));
    }
}
