//! What the kernel is given for each operation, and what its answer means.

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use bytes::{BufMut, Bytes, BytesMut};
use io_uring::squeue::Entry;
use io_uring::{opcode, types};

use super::handles::Handles;
use super::kit::Kit;
use super::message::Message;
use super::provided::{GROUP, Lent};
use super::socket::{self, RawAddr};
use crate::driver::{CHUNK_BYTES, Op, OpenOptions, Outcome, Received, check, system};

/// The most bytes one read or write moves on Linux.
const TRANSFER_MAX: usize = 0x7fff_f000;
/// Paths are relative to the working directory.
const HERE: types::Fd = types::Fd(libc::AT_FDCWD);

/// An operation, ready for the kernel.
pub(super) struct Prepared {
    pub(super) entry: Entry,
    /// What is linked behind it.
    pub(super) then: Option<Entry>,
    /// The socket on which it waits for a peer.
    pub(super) socket: Option<RawFd>,
    pub(super) kept: Kept,
}

/// What must stay where it is until the kernel is done: all of it on the heap (or behind an
/// owner that is), so that moving a slot moves nothing that the kernel points to.
pub(super) enum Kept {
    Open {
        #[expect(dead_code, reason = "owned for the kernel")]
        path: CString,
        /// To be locked when it is open.
        lock: bool,
    },
    Fill(BytesMut),
    /// As `Fill`, for who wants no buffer back.
    Chunk(BytesMut),
    /// Goes on, into the shard's ring of buffers.
    Chunks,
    Write(Bytes),
    Message(Box<Message>),
    Accept,
    /// Goes on.
    Accepts,
    Connect {
        socket: OwnedFd,
        #[expect(dead_code, reason = "owned for the kernel")]
        addr: Box<RawAddr>,
    },
    Names(
        #[expect(dead_code, reason = "owned for the kernel")] CString,
        #[expect(dead_code, reason = "owned for the kernel")] Option<CString>,
    ),
    Directory(#[expect(dead_code, reason = "open for the kernel")] fs::File),
    Nothing,
}

/// Makes what the kernel gets for `op`.
pub(super) fn prepare(op: Op, kit: &mut Kit) -> io::Result<Prepared> {
    let handles = &mut kit.handles;
    let (entry, socket, kept) = match op {
        Op::Open { path, options } => {
            let path = plain(path)?;
            let entry = opcode::OpenAt::new(HERE, path.as_ptr())
                .flags(open_flags(options)?)
                .mode(0o666)
                .build();
            let lock = options.lock;
            (entry, None, Kept::Open { path, lock })
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
        Op::Fdatasync { file } => (fdatasync(handles.get(file)?), None, Kept::Nothing),
        Op::WriteDurable {
            file,
            buffer,
            offset,
        } => {
            let fd = handles.get(file)?;
            let entry = opcode::Write::new(types::Fd(fd), buffer.as_ptr(), transfer(buffer.len()));
            return Ok(Prepared {
                entry: entry.offset(offset).build(),
                then: Some(fdatasync(fd)),
                socket: None,
                kept: Kept::Write(buffer),
            });
        }
        Op::Allocate { file, offset, len } => {
            let fd = handles.get(file)?;
            let entry = opcode::Fallocate::new(types::Fd(fd), len).offset(offset);
            (entry.build(), None, Kept::Nothing)
        }
        Op::Rename { from, to } => {
            let (from, to) = (plain(from)?, plain(to)?);
            let entry = opcode::RenameAt::new(HERE, from.as_ptr(), HERE, to.as_ptr());
            (entry.build(), None, Kept::Names(from, Some(to)))
        }
        Op::Remove { path } => {
            let path = plain(path)?;
            let entry = opcode::UnlinkAt::new(HERE, path.as_ptr());
            (entry.build(), None, Kept::Names(path, None))
        }
        Op::SyncDir { path } => {
            // Opened here, which waits for nothing if it was looked at before; the sync is what
            // takes its time.
            let directory = system::directory(&path)?;
            let entry = opcode::Fsync::new(types::Fd(directory.as_raw_fd()));
            (entry.build(), None, Kept::Directory(directory))
        }
        Op::Accept { listener } => {
            let fd = handles.begin(listener)?;
            (accept(fd), Some(fd), Kept::Accept)
        }
        Op::AcceptMany { listener } => {
            let fd = handles.begin(listener)?;
            if kit.multishot.accept {
                let entry = opcode::AcceptMulti::new(types::Fd(fd)).flags(libc::SOCK_CLOEXEC);
                (entry.build(), Some(fd), Kept::Accepts)
            } else {
                (accept(fd), Some(fd), Kept::Accept)
            }
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
        Op::RecvMany { socket } => {
            let fd = handles.begin(socket)?;
            if kit.provided.is_made() {
                (receive_many(fd), Some(fd), Kept::Chunks)
            } else {
                let (entry, kept) = chunk(fd);
                (entry, Some(fd), kept)
            }
        }
        Op::Send { socket, buffer } => {
            let fd = handles.begin(socket)?;
            let entry = opcode::Send::new(types::Fd(fd), buffer.as_ptr(), transfer(buffer.len()))
                .flags(libc::MSG_NOSIGNAL);
            (entry.build(), Some(fd), Kept::Write(buffer))
        }
        Op::SendMany { socket, buffers } => {
            let fd = handles.begin(socket)?;
            let message = kit.messages.take(buffers);
            let entry = opcode::SendMsg::new(types::Fd(fd), message.header())
                .flags(libc::MSG_NOSIGNAL as u32);
            (entry.build(), Some(fd), Kept::Message(message))
        }
        Op::Close { handle } => {
            let fd = handles.remove(handle)?;
            (
                opcode::Close::new(types::Fd(fd)).build(),
                None,
                Kept::Nothing,
            )
        }
        Op::Size { .. } | Op::MakeDir { .. } | Op::List { .. } => {
            unreachable!("answered by plain calls")
        }
    };
    Ok(Prepared {
        entry,
        then: None,
        socket,
        kept,
    })
}

/// Answers what is no operation of the ring; gives the others back.
pub(super) fn at_once(op: Op, handles: &Handles) -> Result<io::Result<Outcome>, Op> {
    Ok(match op {
        Op::Size { file } => handles.get(file).and_then(size).map(Outcome::Size),
        Op::MakeDir { path } => system::make_dir(&path).map(|()| Outcome::Done),
        Op::List { path } => system::list(&path).map(Outcome::Names),
        op => return Err(op),
    })
}

/// Whether `result` ends an operation that could go on, but not for its own reasons: the ring of
/// buffers has run out, or the kernel cannot go on after all.
pub(super) fn ends_early(kept: &Kept, result: i32) -> bool {
    match kept {
        Kept::Chunks => matches!(-result, libc::ENOBUFS | libc::EINVAL),
        Kept::Accepts => -result == libc::EINVAL,
        _ => false,
    }
}

/// A single operation in the place of one that goes on.
pub(super) fn instead(kept: &Kept, fd: RawFd) -> (Entry, Kept) {
    match kept {
        Kept::Accepts => (accept(fd), Kept::Accept),
        _ => chunk(fd),
    }
}

/// What the seam gives back for the kernel's `result` while the operation goes on.
pub(super) fn one_of_many(
    result: i32,
    lent: Option<Lent>,
    handles: &mut Handles,
) -> io::Result<Outcome> {
    match lent {
        _ if result < 0 => Err(io::Error::from_raw_os_error(-result)),
        Some(lent) => Ok(Outcome::Received(Received::lent(lent))),
        None => Ok(Outcome::Opened(handles.add(opened(result)))),
    }
}

/// What the seam gives back for the kernel's last `result`.
pub(super) fn outcome(
    kept: Kept,
    result: i32,
    lent: Option<Lent>,
    kit: &mut Kit,
) -> io::Result<Outcome> {
    let handles = &mut kit.handles;
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    Ok(match kept {
        Kept::Open { lock, .. } => {
            let fd = opened(result);
            Outcome::Opened(handles.add(if lock { locked(fd)? } else { fd }))
        }
        Kept::Accept | Kept::Accepts => Outcome::Opened(handles.add(opened(result))),
        Kept::Fill(buffer) => Outcome::Filled(filled(buffer, result)),
        Kept::Chunk(buffer) => Outcome::Received(Received::own(filled(buffer, result))),
        Kept::Chunks => Outcome::Received(match lent {
            Some(lent) => Received::lent(lent),
            // The end needs no buffer.
            None => Received::own(BytesMut::new()),
        }),
        Kept::Write(_) => Outcome::Wrote(result as usize),
        Kept::Message(message) => Outcome::Sent {
            count: result as usize,
            buffers: kit.messages.give(message),
        },
        Kept::Connect { socket, .. } => Outcome::Opened(handles.add(socket)),
        Kept::Names(..) | Kept::Directory(_) | Kept::Nothing => Outcome::Done,
    })
}

/// Notes that the kernel has written `result` bytes.
fn filled(mut buffer: BytesMut, result: i32) -> BytesMut {
    // SAFETY: it has written them from the spare capacity's start on, and was never given more
    // than there is.
    unsafe { buffer.advance_mut(result as usize) };
    buffer
}

fn accept(fd: RawFd) -> Entry {
    let none = std::ptr::null_mut();
    let entry = opcode::Accept::new(types::Fd(fd), none, none.cast());
    entry.flags(libc::SOCK_CLOEXEC).build()
}

/// Receives into the shard's ring of buffers until it is told to end.
pub(super) fn receive_many(fd: RawFd) -> Entry {
    opcode::RecvMulti::new(types::Fd(fd), GROUP).build()
}

/// A single receive of what receives many.
fn chunk(fd: RawFd) -> (Entry, Kept) {
    let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
    let start = buffer.spare_capacity_mut().as_mut_ptr().cast();
    let entry = opcode::Recv::new(types::Fd(fd), start, CHUNK_BYTES as u32);
    (entry.build(), Kept::Chunk(buffer))
}

fn opened(result: i32) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us.
    unsafe { OwnedFd::from_raw_fd(result) }
}

/// Closes the file again if somebody else has its lock.
fn locked(fd: OwnedFd) -> io::Result<OwnedFd> {
    let file = fs::File::from(fd);
    system::lock(&file)?;
    Ok(file.into())
}

/// By a plain call: it waits for nothing, where the ring would send it to a worker.
fn size(fd: RawFd) -> io::Result<u64> {
    // SAFETY: the descriptor is ours and open, and is not closed here.
    let file = ManuallyDrop::new(unsafe { fs::File::from_raw_fd(fd) });
    Ok(file.metadata()?.len())
}

fn fdatasync(fd: RawFd) -> Entry {
    opcode::Fsync::new(types::Fd(fd))
        .flags(types::FsyncFlags::DATASYNC)
        .build()
}

fn plain(path: PathBuf) -> io::Result<CString> {
    Ok(CString::new(path.into_os_string().into_vec())?)
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
    if options.create || options.create_new {
        flags |= libc::O_CREAT;
    }
    if options.create_new {
        flags |= libc::O_EXCL;
    }
    if options.direct {
        flags |= libc::O_DIRECT;
    }
    if options.truncate {
        flags |= libc::O_TRUNC;
    }
    Ok(flags | libc::O_CLOEXEC)
}
