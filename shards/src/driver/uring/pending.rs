//! The operations the kernel is working on, each with the memory it may touch.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use bytes::{BufMut, Bytes, BytesMut};
use io_uring::squeue::Entry;
use io_uring::{opcode, types};

use super::handles::Handles;
use super::socket::{self, RawAddr};
use crate::driver::{Completion, Op, OpenOptions, Outcome, Token, check};

/// The most bytes one read or write moves on Linux.
const TRANSFER_MAX: usize = 0x7fff_f000;

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
    kept: Kept,
}

/// What must stay where it is until the kernel is done: all of it on the heap (or behind an
/// owner that is), so that moving a slot moves nothing that the kernel points to.
enum Kept {
    Open(#[expect(dead_code, reason = "owned for the kernel")] CString),
    Fill(BytesMut),
    Write(#[expect(dead_code, reason = "owned for the kernel")] Bytes),
    Accept,
    Connect {
        socket: OwnedFd,
        #[expect(dead_code, reason = "owned for the kernel")]
        addr: Box<RawAddr>,
    },
    Nothing,
}

impl Pending {
    /// Operations in the slab.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes `op` in and makes its submission entry. The entry points into the slab's keep.
    ///
    /// # Errors
    /// If the operation cannot be handed to the kernel at all.
    pub(super) fn begin(
        &mut self,
        token: Token,
        op: Op,
        handles: &mut Handles,
    ) -> io::Result<Entry> {
        let (entry, socket, kept) = prepare(op, handles)?;
        let index = self.insert(Busy {
            token,
            socket,
            kept,
        });
        Ok(entry.user_data(u64::from(index)))
    }

    /// Gives up the slot of a finished operation; `result` is the kernel's.
    pub(super) fn finish(
        &mut self,
        user_data: u64,
        result: i32,
        handles: &mut Handles,
    ) -> Option<Completion> {
        let Busy {
            token,
            socket,
            kept,
        } = self.remove(user_data)?;
        if let Some(socket) = socket {
            handles.end(socket);
        }
        Some(Completion {
            token,
            result: outcome(kept, result, handles),
        })
    }

    /// The `user_data` of every operation.
    pub(super) fn all(&self) -> Vec<u64> {
        let all = (0..).zip(&self.slots);
        all.filter_map(|(index, slot)| matches!(slot, Slot::Busy(_)).then_some(index))
            .collect()
    }

    /// The `user_data` of the operation submitted as `token`.
    pub(super) fn find(&self, token: Token) -> Option<u64> {
        let mut all = (0..).zip(&self.slots);
        all.find_map(|(index, slot)| match slot {
            Slot::Busy(busy) if busy.token == token => Some(index),
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

    fn insert(&mut self, busy: Busy) -> u32 {
        self.len += 1;
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
        self.len -= 1;
        Some(busy)
    }
}

/// The entry, the socket on which it waits for a peer, and what it needs kept.
fn prepare(op: Op, handles: &mut Handles) -> io::Result<(Entry, Option<RawFd>, Kept)> {
    Ok(match op {
        Op::Open { path, options } => {
            let path = CString::new(path.into_os_string().as_bytes())?;
            let entry = opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), path.as_ptr())
                .flags(open_flags(options)?)
                .mode(0o666)
                .build();
            (entry, None, Kept::Open(path))
        }
        Op::Read {
            file,
            mut buffer,
            offset,
        } => {
            let (start, len) = spare(&mut buffer)?;
            let fd = handles.get(file)?;
            let entry = opcode::Read::new(types::Fd(fd), start, len).offset(offset);
            (entry.build(), None, Kept::Fill(buffer))
        }
        Op::Write {
            file,
            buffer,
            offset,
        } => {
            let fd = handles.get(file)?;
            let entry = opcode::Write::new(types::Fd(fd), buffer.as_ptr(), transfer(buffer.len()));
            (entry.offset(offset).build(), None, Kept::Write(buffer))
        }
        Op::Fdatasync { file } => {
            let fd = handles.get(file)?;
            let entry = opcode::Fsync::new(types::Fd(fd)).flags(types::FsyncFlags::DATASYNC);
            (entry.build(), None, Kept::Nothing)
        }
        Op::Accept { listener } => {
            let fd = handles.begin(listener)?;
            let none = std::ptr::null_mut();
            let entry = opcode::Accept::new(types::Fd(fd), none, none.cast());
            let entry = entry.flags(libc::SOCK_CLOEXEC).build();
            (entry, Some(fd), Kept::Accept)
        }
        Op::Connect { addr } => {
            let socket = socket::stream(addr)?;
            let addr = Box::new(RawAddr::from(addr));
            let fd = types::Fd(socket.as_raw_fd());
            let entry = opcode::Connect::new(fd, addr.as_ptr(), addr.len()).build();
            (entry, None, Kept::Connect { socket, addr })
        }
        Op::Recv { socket, mut buffer } => {
            let (start, len) = spare(&mut buffer)?;
            let fd = handles.begin(socket)?;
            let entry = opcode::Recv::new(types::Fd(fd), start, len).build();
            (entry, Some(fd), Kept::Fill(buffer))
        }
        Op::Send { socket, buffer } => {
            let fd = handles.begin(socket)?;
            let entry = opcode::Send::new(types::Fd(fd), buffer.as_ptr(), transfer(buffer.len()))
                .flags(libc::MSG_NOSIGNAL);
            (entry.build(), Some(fd), Kept::Write(buffer))
        }
        Op::Close { handle } => {
            let fd = handles.remove(handle)?;
            (
                opcode::Close::new(types::Fd(fd)).build(),
                None,
                Kept::Nothing,
            )
        }
    })
}

/// What the seam gives back for the kernel's `result`.
fn outcome(kept: Kept, result: i32, handles: &mut Handles) -> io::Result<Outcome> {
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    Ok(match kept {
        Kept::Open(_) | Kept::Accept => {
            // SAFETY: the kernel has just made this descriptor for us.
            let fd = unsafe { OwnedFd::from_raw_fd(result) };
            Outcome::Opened(handles.add(fd))
        }
        Kept::Fill(mut buffer) => {
            // SAFETY: the kernel has written `result` bytes from the spare capacity's start
            // on, and was never given more than there is.
            unsafe { buffer.advance_mut(result as usize) };
            Outcome::Filled(buffer)
        }
        Kept::Write(_) => Outcome::Wrote(result as usize),
        Kept::Connect { socket, .. } => Outcome::Opened(handles.add(socket)),
        Kept::Nothing => Outcome::Done,
    })
}

/// Where the kernel may write, and how much.
fn spare(buffer: &mut BytesMut) -> io::Result<(*mut u8, u32)> {
    check::spare(buffer)?;
    let spare = buffer.spare_capacity_mut();
    Ok((spare.as_mut_ptr().cast(), transfer(spare.len())))
}

fn transfer(len: usize) -> u32 {
    len.min(TRANSFER_MAX) as u32
}

fn open_flags(options: OpenOptions) -> io::Result<i32> {
    check::options(options)?;
    let mut flags = match (options.read, options.write) {
        (true, true) => libc::O_RDWR,
        (false, true) => libc::O_WRONLY,
        _ => libc::O_RDONLY,
    };
    if options.create {
        flags |= libc::O_CREAT;
    }
    if options.truncate {
        flags |= libc::O_TRUNC;
    }
    Ok(flags | libc::O_CLOEXEC)
}
