//! Files and sockets for tasks of a shard, on whatever driver it has.
//!
//! An operation owns its buffer until it completes, so a future may be dropped at any time:
//! what it waited for is then stopped if it waited for a peer, its result is discarded, and a
//! handle it would have given is closed. Bytes that a dropped receive had already taken from
//! the connection are lost with it.
//!
//! A server reads by [`TcpStream::incoming`] and accepts by [`TcpListener::incoming`]: one operation
//! of the driver for many chunks or connections.
//!
//! ```
//! # use quark_shards::io::{File, IoContext};
//! # use quark_shards::driver::OpenOptions;
//! # use bytes::{Bytes, BytesMut};
//! async fn first_line(cx: &dyn IoContext) -> std::io::Result<BytesMut> {
//!     let options = OpenOptions { read: true, ..OpenOptions::default() };
//!     let file = File::open(cx, "notes.txt", options).await?;
//!     let line = file.read_at(cx, BytesMut::with_capacity(80), 0).await?;
//!     file.close(cx).await?;
//!     Ok(line)
//! }
//! ```

mod file;
mod flow;
mod incoming;
pub mod names;
mod operations;
mod tcp;

pub use self::file::File;
pub use self::incoming::{Arrivals, Incoming};
pub use self::operations::{OpId, Operations};
pub use self::tcp::{TcpListener, TcpStream};

use std::io;
use std::rc::Rc;

use self::operations::{Leftovers, Submitted};
use crate::driver::{Driver, Handle, Op, Outcome};

/// What files and sockets need of the shard they are used on.
pub trait IoContext {
    /// Calls `then` once, with the shard's driver. `then` never calls back into the context.
    fn with_driver(&self, then: &mut dyn FnMut(&mut dyn Driver));

    /// The shard's operations in flight.
    fn operations(&self) -> &Operations;
}

/// Submits `op` and waits for what becomes of it.
async fn run(cx: &dyn IoContext, op: Op) -> io::Result<Outcome> {
    let mut op = Some(op);
    let mut submitted = None;
    cx.with_driver(&mut |driver| {
        if let Some(op) = op.take() {
            submitted = Some(cx.operations().submit(driver, op));
        }
    });
    let id = submitted.expect("with_driver calls its closure");
    Submitted::new(cx.operations(), id).await
}

/// `run` for an operation that opens.
async fn open(cx: &dyn IoContext, op: Op) -> io::Result<Owned> {
    match run(cx, op).await? {
        Outcome::Opened(handle) => Ok(Owned::new(cx, handle)),
        other => Err(unexpected(&other)),
    }
}

/// A handle that is closed when it is dropped, by the next sweep of its shard.
struct Owned {
    handle: Handle,
    left: Rc<Leftovers>,
    open: bool,
}

impl Owned {
    fn new(cx: &dyn IoContext, handle: Handle) -> Self {
        Owned {
            handle,
            left: cx.operations().leftovers(),
            open: true,
        }
    }

    async fn close(mut self, cx: &dyn IoContext) -> io::Result<()> {
        let handle = self.handle;
        // Submitted before anything can be dropped: from then on the driver sees to it.
        self.open = false;
        run(cx, Op::Close { handle }).await.map(drop)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.open {
            self.left.close(self.handle);
        }
    }
}

/// Says what was tried, and to what, before the system's words.
fn context(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("cannot {what}: {error}"))
}

fn unexpected(outcome: &Outcome) -> io::Error {
    io::Error::other(format!("the driver answered with {outcome:?}"))
}
