//! The driver seam: all that a shard knows of clocks, randomness and I/O.
//!
//! A shard is sans-IO: it hands [`Op`]s with owned buffers to its driver and takes
//! [`Completion`]s back. Nothing above this module makes a system call for I/O, reads a clock
//! or draws randomness by any other way.
#![allow(clippy::disallowed_methods)]

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use crate::time::Time;

mod check;
mod error;
#[cfg(all(feature = "glommio", not(loom)))]
pub mod glommio;
mod random;
pub mod sim;
pub mod uring;

pub use error::DriverError;

/// What stands between one shard and the world. Lives on the shard's thread.
pub trait Driver {
    /// The monotonic clock now.
    fn now(&mut self) -> Time;

    /// The next word of the shard's own seeded randomness.
    fn random(&mut self) -> u64;

    /// Queues one operation; the next [`poll`](Driver::poll) or [`park`](Driver::park) hands it on.
    fn submit(&mut self, token: Token, op: Op);

    /// Asks that the operation submitted as `token` end early. It completes all the same: with
    /// an error if it was stopped, with its outcome if that came first. Costs a look at every
    /// operation in flight, so it is for timeouts and dropped futures, not for the hot path.
    fn cancel(&mut self, token: Token) {
        let _ = token;
    }

    /// Operations submitted and not yet completed. The loop skips `poll` when it is zero.
    fn in_flight(&self) -> usize;

    /// Hands queued operations on and appends what has finished to `done`. Never blocks.
    fn poll(&mut self, done: &mut Vec<Completion>);

    /// Blocks until the bell rings, something completes, or `until` has come.
    fn park(&mut self, until: Option<Time>);

    /// [`park`](Driver::park) for a shard that is a task of somebody else's executor, which must
    /// not be blocked: ready once the park has ended. Drivers with a thread to themselves park
    /// right here.
    fn poll_park(&mut self, until: Option<Time>, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        self.park(until);
        Poll::Ready(())
    }

    /// Lets the executor that hosts the shard see to its own I/O and its other tasks: ready once
    /// it has. At once where there is none.
    fn poll_yield(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }

    /// What other threads ring to end this shard's [`park`](Driver::park).
    fn bell(&self) -> Arc<dyn Bell>;

    /// Whether [`park`](Driver::park) only notes the park and returns at once.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Whether messages from `peer` are held up just now, so that they count as not yet there.
    /// Only the simulator does that.
    fn mesh_is_held(&mut self, peer: u16) -> bool {
        let _ = peer;
        false
    }

    /// How many messages the shard may take from `peer`'s ring in this pass. The simulator
    /// delays and reorders between shards with it; real drivers set no limit. To be asked only
    /// when something waits in that ring: a delay that the simulator begins will wake the shard.
    fn mesh_budget(&mut self, peer: u16) -> usize {
        let _ = peer;
        usize::MAX
    }

    /// Binds and listens on `addr`; the handle takes [`Op::Accept`].
    ///
    /// # Errors
    /// What the system says, for example that the address is in use.
    fn listen(&mut self, addr: SocketAddr, backlog: u32) -> io::Result<Handle>;

    /// The address a listener or a connection is bound to.
    ///
    /// # Errors
    /// If `handle` is no socket of this driver.
    fn local_addr(&mut self, handle: Handle) -> io::Result<SocketAddr>;

    /// The address at the other end of a connection.
    ///
    /// # Errors
    /// If `handle` is no connection of this driver, or the peer is gone.
    fn peer_addr(&mut self, handle: Handle) -> io::Result<SocketAddr> {
        let _ = handle;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What the driver can do here, for the launch report.
    fn report(&self) -> DriverReport;
}

/// Wakes a parked shard. Rung from any thread.
pub trait Bell: Send + Sync {
    /// Ends the shard's current or next park.
    fn ring(&self);
}

/// Names one submitted operation; chosen by the shard, given back with its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// An open file, listener or connection of one driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub i32);

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
    /// Takes the next connection. Completes with [`Outcome::Opened`].
    Accept {
        /// A listener.
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
    /// Sends `buffer`; may send less.
    Send {
        /// A connection.
        socket: Handle,
        /// What to send.
        buffer: Bytes,
    },
    /// Closes a file, listener or connection. What still waits for a peer on it completes with
    /// an error, reads and writes under way go on; no later operation may name the handle.
    Close {
        /// What to close.
        handle: Handle,
    },
}

/// How [`Op::Open`] opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Make it where it is missing.
    pub create: bool,
    /// Cut it to nothing first.
    pub truncate: bool,
}

/// What became of one operation.
#[derive(Debug)]
pub struct Completion {
    /// As submitted.
    pub token: Token,
    /// What happened, or the system's error.
    pub result: io::Result<Outcome>,
}

/// What a successful operation gives back.
#[derive(Debug)]
pub enum Outcome {
    /// A new handle: opened, accepted or connected.
    Opened(Handle),
    /// Bytes now in the buffer; its length has grown by what was read.
    Filled(BytesMut),
    /// How many bytes were written or sent.
    Wrote(usize),
    /// Done; nothing to give back.
    Done,
}

/// What a driver found at launch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverReport {
    /// `uring`, `sim`, …
    pub name: &'static str,
    /// Features in use.
    pub on: Vec<&'static str>,
    /// Features the system lacks, each with what that means.
    pub missing: Vec<String>,
}
