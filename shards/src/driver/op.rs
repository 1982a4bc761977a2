//! What a driver can be asked to do, and what it answers.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};

use super::Received;

/// An operation with the buffers it owns until it completes.
#[derive(Debug)]
pub enum Op {
    /// Opens a file. Completes with [`Outcome::Opened`].
    Open {
        /// Where.
        path: PathBuf,
        /// How.
        options: OpenOptions,
    },
    /// Fills the spare capacity of `buffer` from `offset` on; may read less, and reads nothing
    /// at the file's end. A buffer without spare capacity is refused.
    Read {
        /// An open file.
        file: Handle,
        /// Where the bytes go: after its length, up to its capacity.
        buffer: BytesMut,
        /// Bytes from the file's beginning.
        offset: u64,
    },
    /// Writes `buffer` at `offset`; may write less.
    Write {
        /// An open file.
        file: Handle,
        /// What to write.
        buffer: Bytes,
        /// Bytes from the file's beginning.
        offset: u64,
    },
    /// Makes written data durable (and the metadata needed to read it back).
    Fdatasync {
        /// An open file.
        file: Handle,
    },
    /// Writes `buffer` at `offset`, then makes the file's data durable, in one submission.
    /// [`Outcome::Wrote`] with all of `buffer` promises that both were done; with less of it, it
    /// promises only that so much was written. An error is the write's, or the sync's if all was
    /// written; as after a failed [`Fdatasync`](Op::Fdatasync), nobody knows then what is durable.
    WriteDurable {
        /// An open file.
        file: Handle,
        /// What to write.
        buffer: Bytes,
        /// Bytes from the file's beginning.
        offset: u64,
    },
    /// Has the disk set room aside for the file's bytes from `offset` on, so that writing them
    /// finds it. A file that was shorter grows, by zeros. `EOPNOTSUPP` where the file system
    /// can't.
    Allocate {
        /// A file opened for writing.
        file: Handle,
        /// Bytes from the file's beginning.
        offset: u64,
        /// Bytes, one at least.
        len: u64,
    },
    /// How many bytes the file has. Completes with [`Outcome::Size`].
    Size {
        /// An open file.
        file: Handle,
    },
    /// Gives a file or a directory another name, in one step that a crash does not split: what
    /// had that name before is gone then. Durable by [`SyncDir`](Op::SyncDir).
    Rename {
        /// Its name.
        from: PathBuf,
        /// Its name to be, on the same file system.
        to: PathBuf,
    },
    /// Takes a file's name away, and its bytes with it once nobody has it open any more. Durable
    /// by [`SyncDir`](Op::SyncDir).
    Remove {
        /// A file; directories are refused.
        path: PathBuf,
    },
    /// Makes a directory. `EEXIST` if something has that name. Durable by
    /// [`SyncDir`](Op::SyncDir) of the directory that it is in.
    MakeDir {
        /// Where; all but the last name must be there.
        path: PathBuf,
    },
    /// Makes the names in a directory durable: what was created, renamed or removed there. What
    /// the files hold is not its business.
    SyncDir {
        /// A directory.
        path: PathBuf,
    },
    /// The names in a directory. Completes with [`Outcome::Names`]. It may block the shard while
    /// the directory is read, so it is for launch and recovery only.
    List {
        /// A directory.
        path: PathBuf,
    },
    /// Takes the next connection. Completes with [`Outcome::Opened`].
    Accept {
        /// A listener.
        listener: Handle,
    },
    /// Takes connections as they come. Completes again and again with [`Outcome::Opened`]; the
    /// driver may end it at any time, by a completion after which there are no
    /// [more](Completion::more), and whoever wants more submits it again.
    AcceptMany {
        /// A listener. One such operation at a time, and no [`Accept`](Op::Accept) beside it.
        listener: Handle,
    },
    /// Connects. Completes with [`Outcome::Opened`].
    Connect {
        /// To whom.
        addr: SocketAddr,
    },
    /// Fills the spare capacity of `buffer`; zero bytes mean the peer has closed. A buffer
    /// without spare capacity is refused.
    Recv {
        /// A connection.
        socket: Handle,
        /// Where the bytes go: after its length, up to its capacity.
        buffer: BytesMut,
    },
    /// Receives bytes as they come, into buffers of the driver's. Completes again and again with
    /// [`Outcome::Received`], in order, an empty one last when the peer has closed. The driver
    /// may end it at any time, by a completion after which there are no
    /// [more](Completion::more): whoever wants more submits it again, and loses nothing by it.
    RecvMany {
        /// A connection. One such operation at a time, and no [`Recv`](Op::Recv) beside it.
        socket: Handle,
    },
    /// Sends `buffer`; may send less.
    Send {
        /// A connection.
        socket: Handle,
        /// What to send.
        buffer: Bytes,
    },
    /// Sends `buffers` one after the other, the first [`PARTS_MOST`] of them at most; may send
    /// less. Completes with [`Outcome::Sent`].
    SendMany {
        /// A connection.
        socket: Handle,
        /// What to send.
        buffers: Vec<Bytes>,
    },
    /// Closes a file, listener or connection. What still waits for a peer on it completes with
    /// an error, reads and writes under way go on, but the sync of a durable write may not: wait
    /// for those first. No later operation may name the handle.
    Close {
        /// What to close.
        handle: Handle,
    },
}

/// What addresses, offsets and lengths are multiples of when a file is opened
/// [direct](OpenOptions::direct), in bytes.
pub const DIRECT_ALIGN: usize = 4096;

/// The most buffers that one [`Op::SendMany`] sends.
pub const PARTS_MOST: usize = 64;

/// How [`Op::Open`] opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Make it where it is missing.
    pub create: bool,
    /// Make it, and fail with `EEXIST` if something is there under its name.
    pub create_new: bool,
    /// Cut it to nothing first.
    pub truncate: bool,
    /// Read and write past the system's cache (`O_DIRECT`). Buffers' addresses, offsets and
    /// lengths must then be multiples of [`DIRECT_ALIGN`]; others may be refused with `EINVAL`.
    /// Not every file system takes it, nor the `glommio` driver.
    pub direct: bool,
    /// Hold the file alone: refused with [`io::ErrorKind::WouldBlock`] while anyone else does, in
    /// this process or another. Advisory: only those who ask for it too are kept out. Let go
    /// when the file is closed, and with the process.
    pub lock: bool,
}

/// What became of one operation.
#[derive(Debug)]
pub struct Completion {
    /// As submitted.
    pub token: Token,
    /// What happened, or the system's error.
    pub result: io::Result<Outcome>,
    /// Whether the operation goes on: only [`Op::AcceptMany`] and [`Op::RecvMany`] do.
    pub more: bool,
}

impl Completion {
    /// The only one of its operation, or the last.
    #[must_use]
    pub fn last(token: Token, result: io::Result<Outcome>) -> Self {
        Completion {
            token,
            result,
            more: false,
        }
    }
}

/// What a successful operation gives back.
#[derive(Debug)]
pub enum Outcome {
    /// A new handle: opened, accepted or connected.
    Opened(Handle),
    /// Bytes now in the buffer; its length has grown by what was read.
    Filled(BytesMut),
    /// Bytes in a buffer of the driver's; none if the peer has closed.
    Received(Received),
    /// How many bytes were written or sent.
    Wrote(usize),
    /// Bytes sent of many buffers.
    Sent {
        /// How many.
        count: usize,
        /// As they were given, all of them.
        buffers: Vec<Bytes>,
    },
    /// How many bytes the file has.
    Size(u64),
    /// The names in a directory, in order, without `.` and `..`.
    Names(Vec<OsString>),
    /// Done; nothing to give back.
    Done,
}

/// Names one submitted operation; chosen by the shard, given back with its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// An open file, listener or connection of one driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub i32);
