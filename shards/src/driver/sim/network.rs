//! The simulated network: listeners, and streams of bytes that take time.

mod many;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use self::many::joined;
use super::disk::shorten;
use super::world::{Event, World};
use crate::driver::{Handle, Op, Outcome};
use crate::time::Time;

/// The first of the ports that are given out.
const FIRST_PORT: u16 = 49_152;

/// Every socket of the world.
#[derive(Default)]
pub(super) struct Network {
    sockets: BTreeMap<Handle, Socket>,
    listening: BTreeMap<SocketAddr, Handle>,
    ports: u16,
}

enum Socket {
    Listener(Listener),
    Stream(Stream),
}

struct Listener {
    shard: u16,
    addr: SocketAddr,
    room: usize,
    /// Connected and not yet accepted.
    backlog: VecDeque<Handle>,
    accepts: VecDeque<u64>,
}

struct Stream {
    shard: u16,
    local: SocketAddr,
    remote: SocketAddr,
    /// The other end, until it is closed.
    peer: Option<Handle>,
    inbox: BytesMut,
    /// Nothing more will come.
    ended: bool,
    /// Nothing more can be done.
    reset: bool,
    /// Bytes sent by this end and not yet received by the other's program.
    in_pipe: usize,
    /// When the last of what was sent here arrives: later bytes never overtake it.
    last_arrival: Time,
    recvs: VecDeque<u64>,
    sends: VecDeque<u64>,
    /// The nodes of both ends.
    nodes: (u16, u16),
    /// What has come while the way here was cut.
    stalled: VecDeque<Event>,
}

impl Network {
    /// The sockets `shard` holds.
    pub(super) fn handles_of(&self, shard: u16) -> Vec<Handle> {
        let of = |socket: &Socket| match socket {
            Socket::Listener(listener) => listener.shard,
            Socket::Stream(stream) => stream.shard,
        };
        let sockets = self
            .sockets
            .iter()
            .filter(|(_, socket)| of(socket) == shard);
        sockets.map(|(handle, _)| *handle).collect()
    }

    /// Takes operation `number` out of whatever queue it waits in.
    pub(super) fn forget(&mut self, number: u64) {
        for socket in self.sockets.values_mut() {
            match socket {
                Socket::Listener(listener) => listener.accepts.retain(|other| *other != number),
                Socket::Stream(stream) => {
                    stream.recvs.retain(|other| *other != number);
                    stream.sends.retain(|other| *other != number);
                }
            }
        }
    }

    fn stream(&mut self, handle: Handle) -> Option<&mut Stream> {
        match self.sockets.get_mut(&handle) {
            Some(Socket::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    fn listener(&mut self, handle: Handle) -> Option<&mut Listener> {
        match self.sockets.get_mut(&handle) {
            Some(Socket::Listener(listener)) => Some(listener),
            _ => None,
        }
    }

    /// Who listens on `addr`, be it on all addresses of its port.
    fn listener_at(&self, addr: SocketAddr) -> Option<Handle> {
        let everywhere: [SocketAddr; 2] = [
            (std::net::Ipv4Addr::UNSPECIFIED, addr.port()).into(),
            (std::net::Ipv6Addr::UNSPECIFIED, addr.port()).into(),
        ];
        let mut names = [addr].into_iter().chain(everywhere);
        names.find_map(|name| self.listening.get(&name).copied())
    }

    fn port(&mut self) -> u16 {
        let port = FIRST_PORT + self.ports;
        self.ports = (self.ports + 1) % (u16::MAX - FIRST_PORT);
        port
    }
}

impl World {
    pub(super) fn listen(
        &mut self,
        shard: u16,
        mut addr: SocketAddr,
        backlog: u32,
    ) -> io::Result<Handle> {
        if addr.port() == 0 {
            addr.set_port(self.network.port());
        }
        if self.network.listening.contains_key(&addr) {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        let handle = self.handle();
        let listener = Listener {
            shard,
            addr,
            room: backlog as usize,
            backlog: VecDeque::new(),
            accepts: VecDeque::new(),
        };
        self.network.listening.insert(addr, handle);
        let listener = Socket::Listener(listener);
        self.network.sockets.insert(handle, listener);
        Ok(handle)
    }

    /// The local address of a socket, and the remote one of a connection.
    pub(super) fn addresses(
        &self,
        shard: u16,
        handle: Handle,
    ) -> io::Result<(SocketAddr, Option<SocketAddr>)> {
        match self.network.sockets.get(&handle) {
            Some(Socket::Listener(socket)) if socket.shard == shard => Ok((socket.addr, None)),
            Some(Socket::Stream(socket)) if socket.shard == shard => {
                Ok((socket.local, Some(socket.remote)))
            }
            _ => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    /// Queues a socket operation in submission order, or refuses it.
    pub(super) fn admit_socket(&mut self, shard: u16, number: u64, op: &Op) -> io::Result<()> {
        let handle = match op {
            Op::Accept { listener } | Op::AcceptMany { listener } => *listener,
            Op::Recv { socket, .. }
            | Op::RecvMany { socket }
            | Op::Send { socket, .. }
            | Op::SendMany { socket, .. } => *socket,
            Op::Close { handle } => *handle,
            _ => return Ok(()),
        };
        self.addresses(shard, handle)?;
        match (op, self.network.sockets.get_mut(&handle)) {
            (Op::Accept { .. } | Op::AcceptMany { .. }, Some(Socket::Listener(listener))) => {
                listener.accepts.push_back(number);
            }
            (Op::Recv { .. } | Op::RecvMany { .. }, Some(Socket::Stream(stream))) => {
                stream.recvs.push_back(number);
            }
            (Op::Send { .. } | Op::SendMany { .. }, Some(Socket::Stream(stream))) => {
                stream.sends.push_back(number);
            }
            (Op::Close { .. }, Some(_)) => self.close_socket(handle),
            (Op::Accept { .. } | Op::AcceptMany { .. }, _) => {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            _ => return Err(io::Error::from_raw_os_error(libc::ENOTCONN)),
        }
        Ok(())
    }

    /// A socket operation has taken its time: it goes on as soon as it can.
    pub(super) fn socket_due(&mut self, number: u64) {
        match self.flights.get(&number).map(|flight| &flight.op) {
            Some(&(Op::Accept { listener } | Op::AcceptMany { listener })) => {
                self.pump_accepts(listener)
            }
            Some(&(Op::Recv { socket, .. } | Op::RecvMany { socket })) => self.pump_recvs(socket),
            Some(&(Op::Send { socket, .. } | Op::SendMany { socket, .. })) => {
                self.pump_sends(socket)
            }
            _ => {}
        }
    }

    pub(super) fn connect(&mut self, shard: u16, addr: SocketAddr) -> io::Result<Handle> {
        let refused = self.random.chance(self.config.refuse_probability);
        let listener = self.network.listener_at(addr);
        let server = listener.and_then(|handle| self.network.listener(handle));
        let Some(server) = server.filter(|l| !refused && l.backlog.len() <= l.room) else {
            return Err(io::Error::from_raw_os_error(libc::ECONNREFUSED));
        };
        let server_shard = server.shard;
        let local = SocketAddr::new(addr.ip(), self.network.port());
        let (near, far) = (self.handle(), self.handle());
        let (here, there) = (self.node_of(shard), self.node_of(server_shard));
        let mut stream = Stream::new(shard, local, addr, far);
        stream.nodes = (here, there);
        self.network.sockets.insert(near, Socket::Stream(stream));
        let mut stream = Stream::new(server_shard, addr, local, near);
        stream.nodes = (there, here);
        self.network.sockets.insert(far, Socket::Stream(stream));
        if let Some(listener) = listener {
            if let Some(server) = self.network.listener(listener) {
                server.backlog.push_back(far);
            }
            self.pump_accepts(listener);
        }
        Ok(near)
    }

    /// The shard that listens at `addr`.
    pub(super) fn listener_shard(&self, addr: SocketAddr) -> Option<u16> {
        let handle = self.network.listener_at(addr)?;
        match self.network.sockets.get(&handle) {
            Some(Socket::Listener(listener)) => Some(listener.shard),
            _ => None,
        }
    }

    /// Keeps what has come by a way that is cut, in order; else gives it back.
    pub(super) fn held_up(&mut self, event: Event) -> Option<Event> {
        let (Event::Arrive(to, _) | Event::Fin(to) | Event::Reset(to)) = &event else {
            return Some(event);
        };
        let Some(Socket::Stream(stream)) = self.network.sockets.get_mut(to) else {
            return Some(event);
        };
        let (here, there) = stream.nodes;
        if self.nodes.is_cut(there, here) || !stream.stalled.is_empty() {
            stream.stalled.push_back(event);
            return None;
        }
        Some(event)
    }

    /// What was kept on the way from one node to another comes now.
    pub(super) fn let_through(&mut self, from: u16, to: u16) {
        let mut stalled = Vec::new();
        for (handle, socket) in &mut self.network.sockets {
            if let Socket::Stream(stream) = socket
                && stream.nodes == (to, from)
            {
                stalled.push((*handle, std::mem::take(&mut stream.stalled)));
            }
        }
        for (handle, events) in stalled {
            for event in events {
                let at = self.arrival(handle);
                self.schedule(at, event);
            }
        }
    }

    pub(super) fn arrive(&mut self, to: Handle, bytes: Bytes) {
        if let Some(stream) = self.network.stream(to) {
            stream.inbox.extend_from_slice(&bytes);
            self.pump_recvs(to);
        }
    }

    pub(super) fn fin(&mut self, to: Handle) {
        if let Some(stream) = self.network.stream(to) {
            stream.ended = true;
            self.pump_recvs(to);
            self.pump_sends(to);
        }
    }

    pub(super) fn reset(&mut self, to: Handle) {
        if let Some(stream) = self.network.stream(to) {
            stream.reset = true;
            self.pump_recvs(to);
            self.pump_sends(to);
        }
    }

    /// Closes a socket: what waits on it is aborted, and the other end gets to know.
    pub(super) fn close_socket(&mut self, handle: Handle) {
        match self.network.sockets.get(&handle) {
            // As on Linux, unread bytes make it a reset.
            Some(Socket::Stream(stream)) if !stream.inbox.is_empty() => self.reset_peer(handle),
            Some(Socket::Stream(_)) => self.tell_peer(handle, Event::Fin),
            _ => {}
        }
        let waiting: Vec<u64> = match self.network.sockets.remove(&handle) {
            Some(Socket::Stream(stream)) => stream.recvs.into_iter().chain(stream.sends).collect(),
            Some(Socket::Listener(listener)) => {
                self.network.listening.remove(&listener.addr);
                for waiting in listener.backlog {
                    self.reset_peer(waiting);
                    self.network.sockets.remove(&waiting);
                }
                listener.accepts.into()
            }
            None => Vec::new(),
        };
        for number in waiting {
            self.abort(number);
        }
    }

    /// Cuts a connection's other end off.
    pub(super) fn reset_peer(&mut self, handle: Handle) {
        self.tell_peer(handle, Event::Reset);
    }

    /// Unties `handle` from its peer, who hears of it after everything sent before.
    fn tell_peer(&mut self, handle: Handle, event: fn(Handle) -> Event) {
        let peer = self.network.stream(handle).and_then(|s| s.peer.take());
        if let Some(peer) = peer {
            let at = self.arrival(peer);
            if let Some(stream) = self.network.stream(peer) {
                stream.peer = None;
            }
            self.schedule(at, event(peer));
        }
    }

    /// When what is sent to `to` now will be there.
    fn arrival(&mut self, to: Handle) -> Time {
        let at = self.now() + self.draw(|config| &config.network_delay);
        match self.network.stream(to) {
            Some(stream) => {
                stream.last_arrival = stream.last_arrival.max(at);
                stream.last_arrival
            }
            None => at,
        }
    }

    fn is_due(&self, number: Option<&u64>) -> Option<u64> {
        let number = *number?;
        self.flights.get(&number)?.due.then_some(number)
    }

    fn pump_accepts(&mut self, handle: Handle) {
        while let Some(Socket::Listener(listener)) = self.network.sockets.get(&handle)
            && let Some(number) = self.is_due(listener.accepts.front())
            && let Some(listener) = self.network.listener(handle)
            && let Some(accepted) = listener.backlog.pop_front()
        {
            let opened = Ok(Outcome::Opened(accepted));
            self.bring(handle, number, opened);
        }
    }

    fn pump_recvs(&mut self, handle: Handle) {
        while let Some(Socket::Stream(stream)) = self.network.sockets.get(&handle)
            && let Some(number) = self.is_due(stream.recvs.front())
            && (!stream.inbox.is_empty() || stream.ended || stream.reset)
        {
            let op = self.flights.get(&number).map(|flight| &flight.op);
            if let Some(Op::RecvMany { .. }) = op {
                self.bring_chunk(handle, number);
                continue;
            }
            let short = self.random.chance(self.config.short_probability);
            let Some(flight) = self.flights.remove(&number) else {
                return;
            };
            let Some(stream) = self.network.stream(handle) else {
                return;
            };
            stream.recvs.pop_front();
            let Op::Recv { mut buffer, .. } = flight.op else {
                return;
            };
            let peer = stream.peer;
            let (empty, reset) = (stream.inbox.is_empty(), stream.reset);
            let room = buffer.capacity() - buffer.len();
            let len = stream.inbox.len().min(room);
            let len = shorten(len, short, &mut self.random);
            if let Some(stream) = self.network.stream(handle) {
                buffer.put_slice(&stream.inbox[..len]);
                stream.inbox.advance(len);
            }
            let result = if empty && reset {
                Err(io::Error::from_raw_os_error(libc::ECONNRESET))
            } else {
                Ok(Outcome::Filled(buffer))
            };
            self.complete(flight.shard, flight.token, result);
            self.make_room(peer, len);
        }
    }

    fn pump_sends(&mut self, handle: Handle) {
        while let Some(Socket::Stream(stream)) = self.network.sockets.get(&handle)
            && let Some(number) = self.is_due(stream.sends.front())
            && (stream.in_pipe < self.config.socket_bytes || stream.ended || stream.reset)
        {
            let injected = self.random.chance(self.config.reset_probability);
            let short = self.random.chance(self.config.short_probability);
            let Some(flight) = self.flights.remove(&number) else {
                return;
            };
            if injected {
                self.reset_peer(handle);
            }
            let room = self.config.socket_bytes;
            let Some(stream) = self.network.stream(handle) else {
                return;
            };
            stream.sends.pop_front();
            stream.reset |= injected;
            let (buffer, buffers) = match flight.op {
                Op::Send { buffer, .. } => (buffer, None),
                Op::SendMany { buffers, .. } => (joined(&buffers), Some(buffers)),
                _ => return,
            };
            let room = room.saturating_sub(stream.in_pipe);
            let (peer, ended, reset) = (stream.peer, stream.ended, stream.reset);
            let result = if reset {
                Err(io::Error::from_raw_os_error(libc::ECONNRESET))
            } else if ended {
                Err(io::Error::from_raw_os_error(libc::EPIPE))
            } else {
                let len = shorten(buffer.len().min(room), short, &mut self.random);
                // Sent to an end that is closed already: on its way into nothing.
                if let Some(peer) = peer {
                    if let Some(stream) = self.network.stream(handle) {
                        stream.in_pipe += len;
                    }
                    let at = self.arrival(peer);
                    self.schedule(at, Event::Arrive(peer, buffer.slice(..len)));
                }
                Ok(match buffers {
                    Some(buffers) => Outcome::Sent {
                        count: len,
                        buffers,
                    },
                    None => Outcome::Wrote(len),
                })
            };
            self.complete(flight.shard, flight.token, result);
            if injected {
                self.pump_recvs(handle);
            }
        }
    }
}

impl Stream {
    fn new(shard: u16, local: SocketAddr, remote: SocketAddr, peer: Handle) -> Self {
        Stream {
            shard,
            local,
            remote,
            peer: Some(peer),
            inbox: BytesMut::new(),
            ended: false,
            reset: false,
            in_pipe: 0,
            last_arrival: Time::ZERO,
            recvs: VecDeque::new(),
            sends: VecDeque::new(),
            nodes: (0, 0),
            stalled: VecDeque::new(),
        }
    }
}
