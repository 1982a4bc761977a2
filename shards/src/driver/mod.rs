//! The driver seam: all that a shard knows of clocks, randomness and I/O.
//!
//! A shard is sans-IO: it hands [`Op`]s with owned buffers to its driver and takes
//! [`Completion`]s back. Nothing above this module makes a system call for I/O, reads a clock
//! or draws randomness by any other way.
#![allow(clippy::disallowed_methods)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::time::Time;

mod check;
mod error;
#[cfg(all(feature = "glommio", not(loom)))]
pub mod glommio;
mod op;
mod random;
mod received;
pub mod sim;
mod system;
pub mod uring;

pub use error::{DriverError, was_stopped};
pub use op::{Completion, DIRECT_ALIGN, Handle, Op, OpenOptions, Outcome, PARTS_MOST, Token};
pub use received::{CHUNK_BYTES, Received};

/// What stands between one shard and the world. Lives on the shard's thread.
pub trait Driver {
    /// The monotonic clock now.
    fn now(&mut self) -> Time;

    /// The time of day: since 1970-01-01 00:00 UTC, zero for any earlier. It may jump, back too,
    /// whenever somebody sets it, so it is for saying when something was and never for measuring
    /// how long.
    fn wall_time(&mut self) -> Duration;

    /// The next word of the shard's own seeded randomness.
    fn random(&mut self) -> u64;

    /// A word that no other run has been given either, with all likelihood: for names that
    /// outlive a process. It does not come from the shard's seed, but for the simulator, where
    /// it comes from the world's.
    fn unique(&mut self) -> u64;

    /// Queues one operation; the next [`poll`](Driver::poll) or [`park`](Driver::park) hands it on, at the
    /// latest.
    fn submit(&mut self, token: Token, op: Op);

    /// Asks that the operation submitted as `token` end early. It completes all the same: with
    /// an error if it was stopped, with its outcome if that came first. Costs a look at every
    /// operation in flight, so it is for timeouts and dropped futures, not for the hot path.
    fn cancel(&mut self, token: Token) {
        let _ = token;
    }

    /// Operations submitted and not yet completed for the last time. The loop skips `poll` when it is zero.
    fn in_flight(&self) -> usize;

    /// Hands queued operations on and appends what has finished to `done`. Never blocks.
    fn poll(&mut self, done: &mut Vec<Completion>);

    /// Looks, for a shard that has nothing to do and spins, whether `poll` would bring anything: as often
    /// as it likes, between two of them.
    fn look(&mut self) -> bool {
        false
    }

    /// Blocks until the bell rings, something completes, or `until` has come.
    fn park(&mut self, until: Option<Time>);

    /// Lets the kernel's workers have the core for a moment, where they share it: called again and
    /// again while the shard looks for the end of what they do.
    fn give_way(&mut self) {}

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
