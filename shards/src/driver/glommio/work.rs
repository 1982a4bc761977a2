//! What each operation does, as a future on glommio's files and sockets.

use std::fs::File;
use std::io::{self, IoSlice, Read};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use ::glommio::GlommioError;
use ::glommio::io::{BufferedFile, PollableFd};
use bytes::{Bytes, BytesMut};
use socket2::{Domain, Protocol, Type};

use super::handles::{OpenFile, Socket};
use crate::driver::{CHUNK_BYTES, OpenOptions, Outcome, PARTS_MOST, Received, system};

/// The most bytes that one operation moves. glommio's files want buffers of their own, so that
/// every byte is copied once, and a receive clears its buffer first.
const MOVED_MOST: usize = 1 << 20;
/// The same for a receive.
const RECEIVED_MOST: usize = 64 << 10;

pub(super) async fn open(path: &Path, options: OpenOptions) -> io::Result<OpenFile> {
    if options.direct {
        let why = "the glommio driver has no direct I/O: open the file without it, or run uring";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    if path.as_os_str().as_bytes().contains(&0) {
        // glommio would panic.
        let why = "a path has no zero bytes in it";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let file = ::glommio::io::OpenOptions::new()
        .read(options.read)
        .write(options.write)
        .create(options.create)
        .create_new(options.create_new)
        .truncate(options.truncate)
        .buffered_open(path)
        .await;
    let file = file.map_err(plain)?;
    let lock = if options.lock {
        Some(lock(&file)?)
    } else {
        None
    };
    Ok(OpenFile { file, lock })
}

/// glommio doesn't lend its descriptors, so the very file is opened once more to be locked.
fn lock(file: &BufferedFile) -> io::Result<File> {
    let again = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    system::lock(&again)?;
    Ok(again)
}

pub(super) async fn read(
    file: Rc<OpenFile>,
    mut buffer: BytesMut,
    offset: u64,
) -> io::Result<Outcome> {
    let room = (buffer.capacity() - buffer.len()).min(MOVED_MOST);
    let read = file.file.read_at(offset, room).await.map_err(plain)?;
    buffer.extend_from_slice(&read);
    Ok(Outcome::Filled(buffer))
}

pub(super) async fn write(file: Rc<OpenFile>, buffer: Bytes, offset: u64) -> io::Result<Outcome> {
    let part = buffer[..buffer.len().min(MOVED_MOST)].to_vec();
    let wrote = file.file.write_at(part, offset).await.map_err(plain)?;
    Ok(Outcome::Wrote(wrote))
}

pub(super) async fn sync(file: Rc<OpenFile>) -> io::Result<Outcome> {
    file.file.fdatasync().await.map_err(plain)?;
    Ok(Outcome::Done)
}

/// More than one operation moves is a short write here, and not synced.
pub(super) async fn write_durable(
    file: Rc<OpenFile>,
    buffer: Bytes,
    offset: u64,
) -> io::Result<Outcome> {
    let len = buffer.len();
    let wrote = write(file.clone(), buffer, offset).await?;
    if matches!(wrote, Outcome::Wrote(count) if count == len) {
        sync(file).await?;
    }
    Ok(wrote)
}

/// Sets room aside from the beginning on: glommio knows no other way, and the rest of the file
/// has it already or is a hole.
pub(super) async fn allocate(file: Rc<OpenFile>, offset: u64, len: u64) -> io::Result<Outcome> {
    if len == 0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let end = offset.checked_add(len);
    let end = end.ok_or_else(|| io::Error::from_raw_os_error(libc::EFBIG))?;
    file.file.pre_allocate(end, false).await.map_err(plain)?;
    Ok(Outcome::Done)
}

pub(super) async fn size(file: Rc<OpenFile>) -> io::Result<Outcome> {
    let size = file.file.file_size().await.map_err(plain)?;
    Ok(Outcome::Size(size))
}

/// What glommio has no operation for, or one that says less of errors: on its thread for such.
pub(super) async fn aside<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    ::glommio::executor().spawn_blocking(call).await
}

/// Closes a file that nobody else uses; who else does, closes it at the end.
pub(super) async fn close_file(file: Rc<OpenFile>) -> io::Result<Outcome> {
    if let Ok(OpenFile { file, lock }) = Rc::try_unwrap(file) {
        let closed = file.close().await.map_err(plain);
        drop(lock);
        closed?;
    }
    Ok(Outcome::Done)
}

/// A listener. What it accepts inherits its TCP_NODELAY.
///
/// Not glommio's own, which shares its port with whoever asks (SO_REUSEPORT): two servers by one
/// address would each take half of the connections, and neither be told.
pub(super) fn listen(addr: SocketAddr, backlog: u32) -> io::Result<Socket> {
    let socket = stream(addr)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    watched(socket)
}

pub(super) async fn accept(listener: Rc<Socket>) -> io::Result<Socket> {
    let (socket, _) = when_ready(&listener, Side::Read, |listener| listener.accept()).await?;
    socket.set_nonblocking(true)?;
    watched(socket)
}

pub(super) async fn connect(addr: SocketAddr) -> io::Result<Socket> {
    let socket = watched(stream(addr)?)?;
    match socket.get_ref().connect(&addr.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    socket.writable().await.map_err(plain)?;
    match socket.get_ref().take_error()? {
        Some(error) => Err(error),
        None => Ok(socket),
    }
}

pub(super) async fn recv(socket: Rc<Socket>, buffer: BytesMut) -> io::Result<Outcome> {
    fill(socket, buffer).await.map(Outcome::Filled)
}

/// One chunk, in memory of its own.
pub(super) async fn receive(socket: Rc<Socket>) -> io::Result<Outcome> {
    let buffer = BytesMut::with_capacity(CHUNK_BYTES);
    let chunk = fill(socket, buffer).await?;
    Ok(Outcome::Received(Received::own(chunk)))
}

async fn fill(socket: Rc<Socket>, mut buffer: BytesMut) -> io::Result<BytesMut> {
    let start = buffer.len();
    let room = (buffer.capacity() - start).min(RECEIVED_MOST);
    buffer.resize(start + room, 0);
    let received = when_ready(&socket, Side::Read, |mut socket| {
        socket.read(&mut buffer[start..])
    });
    let received = received.await?;
    buffer.truncate(start + received);
    Ok(buffer)
}

pub(super) async fn send(socket: Rc<Socket>, buffer: Bytes) -> io::Result<Outcome> {
    let sent = when_ready(&socket, Side::Write, |socket| {
        socket.send_with_flags(&buffer, libc::MSG_NOSIGNAL)
    });
    Ok(Outcome::Wrote(sent.await?))
}

pub(super) async fn send_many(socket: Rc<Socket>, buffers: Vec<Bytes>) -> io::Result<Outcome> {
    let sent = when_ready(&socket, Side::Write, |socket| {
        let mut parts = [IoSlice::new(&[]); PARTS_MOST];
        for (part, buffer) in parts.iter_mut().zip(&buffers) {
            *part = IoSlice::new(buffer);
        }
        let count = buffers.len().min(PARTS_MOST);
        socket.send_vectored_with_flags(&parts[..count], libc::MSG_NOSIGNAL)
    });
    let count = sent.await?;
    Ok(Outcome::Sent { count, buffers })
}

/// What a socket is waited on for.
#[derive(Clone, Copy)]
enum Side {
    Read,
    Write,
}

/// Tries at once, which is usually enough to send and often to receive, and whenever glommio
/// says that it may work now. Takes nothing from the socket while it waits, so that a future
/// dropped then loses no bytes.
async fn when_ready<T>(
    socket: &Socket,
    side: Side,
    mut attempt: impl FnMut(&socket2::Socket) -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match attempt(socket.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            done => return done,
        }
        let ready = match side {
            Side::Read => socket.readable().await,
            Side::Write => socket.writable().await,
        };
        ready.map_err(plain)?;
    }
}

/// A TCP socket for `addr`'s family, with small messages sent at once.
fn stream(addr: SocketAddr) -> io::Result<socket2::Socket> {
    let socket =
        socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn watched(socket: socket2::Socket) -> io::Result<Socket> {
    PollableFd::new(socket).map_err(plain)
}

/// The system's own error, without glommio's words round it: who reads it looks for its number.
fn plain(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::EnhancedIoError { source, .. } => source,
        other => other.into(),
    }
}
