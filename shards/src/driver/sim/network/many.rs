//! Operations that bring many things, or send them.

use std::io;

use bytes::{Buf, Bytes, BytesMut};

use super::Socket;
use crate::driver::sim::disk::shorten;
use crate::driver::sim::world::World;
use crate::driver::{CHUNK_BYTES, Completion, Handle, Op, Outcome, PARTS_MOST, Received};

/// That a chunk of a connection is a piece of what has come, which may be torn anywhere.
const TORN: f64 = 0.25;
/// That an operation which could go on ends with what it brings.
const ENDS: f64 = 0.1;

impl World {
    /// Gives an operation that waits on `handle` what it waits for. If it is one that goes on, it
    /// may end here all the same.
    pub(super) fn bring(&mut self, handle: Handle, number: u64, result: io::Result<Outcome>) {
        let Some(flight) = self.flights.get(&number) else {
            return;
        };
        let (shard, token) = (flight.shard, flight.token);
        let could = match (&flight.op, &result) {
            (Op::AcceptMany { .. }, Ok(_)) => true,
            (Op::RecvMany { .. }, Ok(Outcome::Received(bytes))) => !bytes.is_empty(),
            _ => false,
        };
        if could && !self.random.chance(ENDS) {
            let completion = Completion {
                token,
                result,
                more: true,
            };
            return self.tell(shard, completion);
        }
        match self.network.sockets.get_mut(&handle) {
            Some(Socket::Listener(listener)) => listener.accepts.retain(|one| *one != number),
            Some(Socket::Stream(stream)) => stream.recvs.retain(|one| *one != number),
            None => {}
        }
        self.flights.remove(&number);
        self.complete(shard, token, result);
    }

    /// Gives an operation that receives many its next chunk.
    pub(super) fn bring_chunk(&mut self, handle: Handle, number: u64) {
        let Some(stream) = self.network.stream(handle) else {
            return;
        };
        let torn = self.random.chance(TORN);
        let most = stream.inbox.len().min(CHUNK_BYTES);
        let len = shorten(most, torn, &mut self.random);
        let chunk = BytesMut::from(&stream.inbox[..len]);
        stream.inbox.advance(len);
        let result = if len == 0 && stream.reset {
            Err(io::Error::from_raw_os_error(libc::ECONNRESET))
        } else {
            Ok(Outcome::Received(Received::own(chunk)))
        };
        let peer = stream.peer;
        self.bring(handle, number, result);
        self.make_room(peer, len);
    }

    /// `len` of the bytes that `peer` has sent have been received.
    pub(super) fn make_room(&mut self, peer: Option<Handle>, len: usize) {
        if let Some(peer) = peer {
            if let Some(sender) = self.network.stream(peer) {
                sender.in_pipe -= len;
            }
            self.pump_sends(peer);
        }
    }
}

/// What one operation sends of `buffers`.
pub(super) fn joined(buffers: &[Bytes]) -> Bytes {
    let parts = buffers.iter().take(PARTS_MOST);
    parts.flat_map(|part| part.iter().copied()).collect()
}
