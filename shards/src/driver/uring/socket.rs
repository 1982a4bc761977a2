//! The few socket calls that io_uring does not make for us.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A TCP socket for `addr`'s family, with small messages sent at once.
///
/// It blocks, on purpose: io_uring waits for a blocking socket by itself, while on a
/// non-blocking one it hands `EAGAIN` straight back. No thread ever blocks in it.
pub(super) fn stream(addr: SocketAddr) -> io::Result<OwnedFd> {
    let family = if addr.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the call above has just made it, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    Ok(socket)
}

/// A listener. What it accepts inherits its TCP_NODELAY.
pub(super) fn listen(addr: SocketAddr, backlog: u32) -> io::Result<OwnedFd> {
    let socket = stream(addr)?;
    set(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    let name = RawAddr::from(addr);
    // SAFETY: `name` is a socket address of `name.len` bytes and outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), name.as_ptr(), name.len()) })?;
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    // SAFETY: no memory is passed.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(socket)
}

/// The address `fd` is bound to.
pub(super) fn local_addr(fd: RawFd) -> io::Result<SocketAddr> {
    RawAddr::filled_by(|addr, len| {
        // SAFETY: `filled_by` passes room for any address, and its true length.
        check(unsafe { libc::getsockname(fd, addr, len) })
    })
}

/// The address `fd` is connected to.
pub(super) fn peer_addr(fd: RawFd) -> io::Result<SocketAddr> {
    RawAddr::filled_by(|addr, len| {
        // SAFETY: `filled_by` passes room for any address, and its true length.
        check(unsafe { libc::getpeername(fd, addr, len) })
    })
}

/// Receives what is there, without waiting: zero bytes mean that the peer has closed, none that nothing
/// is there.
pub(super) fn receive_some(fd: RawFd, into: &mut [u8]) -> io::Result<Option<usize>> {
    let (start, len) = (into.as_mut_ptr().cast(), into.len());
    // SAFETY: the kernel writes to no more than `into`, which outlives the call.
    at_once(unsafe { libc::recv(fd, start, len, libc::MSG_DONTWAIT) })
}

/// Sends as much of `bytes` as there is room for; nothing where there is none.
pub(super) fn send_some(fd: RawFd, bytes: &[u8]) -> io::Result<Option<usize>> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel reads no more than `bytes`, which outlive the call.
    at_once(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) })
}

/// What a call moved that does not wait; nothing if it had to.
fn at_once(moved: isize) -> io::Result<Option<usize>> {
    if let Ok(moved) = usize::try_from(moved) {
        return Ok(Some(moved));
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
        _ => Err(error),
    }
}

/// A socket address as the kernel has it.
pub(super) struct RawAddr {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

impl RawAddr {
    pub(super) fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const self.storage).cast()
    }

    pub(super) fn len(&self) -> libc::socklen_t {
        self.len
    }

    fn filled_by(
        call: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> io::Result<i32>,
    ) -> io::Result<SocketAddr> {
        let mut raw = RawAddr::blank();
        call((&raw mut raw.storage).cast(), &raw mut raw.len)?;
        raw.to_addr()
    }

    fn blank() -> Self {
        RawAddr {
            // SAFETY: all zeroes is a valid sockaddr_storage (family AF_UNSPEC).
            storage: unsafe { mem::zeroed() },
            len: mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t,
        }
    }

    fn to_addr(&self) -> io::Result<SocketAddr> {
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the family says that it is a sockaddr_in, which storage has room
                // and alignment for.
                let name = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
                Ok(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: the family says that it is a sockaddr_in6, which storage has room
                // and alignment for.
                let name = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
                let port = u16::from_be(name.sin6_port);
                Ok(SocketAddrV6::new(ip, port, name.sin6_flowinfo, name.sin6_scope_id).into())
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl From<SocketAddr> for RawAddr {
    fn from(addr: SocketAddr) -> Self {
        let mut raw = RawAddr::blank();
        match addr {
            SocketAddr::V4(addr) => {
                // SAFETY: storage has room and alignment for every kind of address, and all
                // zeroes is a valid sockaddr_in.
                let name = unsafe { &mut *(&raw mut raw.storage).cast::<libc::sockaddr_in>() };
                name.sin_family = libc::AF_INET as libc::sa_family_t;
                name.sin_port = addr.port().to_be();
                name.sin_addr.s_addr = u32::from(*addr.ip()).to_be();
                raw.len = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(addr) => {
                // SAFETY: as above, for a sockaddr_in6.
                let name = unsafe { &mut *(&raw mut raw.storage).cast::<libc::sockaddr_in6>() };
                name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                name.sin6_port = addr.port().to_be();
                name.sin6_addr.s6_addr = addr.ip().octets();
                name.sin6_flowinfo = addr.flowinfo();
                name.sin6_scope_id = addr.scope_id();
                raw.len = mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        raw
    }
}

fn set(socket: &OwnedFd, level: i32, option: i32) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is an int of our own stack, with its true size.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
    .map(drop)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_to_the_kernel_and_back() {
        for text in [
            "127.0.0.1:0",
            "10.1.2.3:65535",
            "[::1]:80",
            "[fe80::1%3]:443",
        ] {
            let addr: SocketAddr = text.parse().expect("an address");
            assert_eq!(RawAddr::from(addr).to_addr().expect("known family"), addr);
        }
    }

    #[test]
    fn accepted_connections_inherit_no_delay() {
        let listener = listen("127.0.0.1:0".parse().expect("an address"), 4).expect("listens");
        let addr = local_addr(listener.as_raw_fd()).expect("bound");
        let client = std::net::TcpStream::connect(addr).expect("connects");
        let accepted = std::net::TcpListener::from(listener)
            .accept()
            .expect("accepts");
        assert!(accepted.0.nodelay().expect("an option"));
        drop(client);
    }
}
