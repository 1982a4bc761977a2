//! What comes of itself: the bytes of a connection, and the connections of a listener.

use std::cell::OnceCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::flow::Flow;
use super::{IoContext, Owned, TcpStream, unexpected};
use crate::driver::{Handle, Op, Outcome, Received};

/// Chunks of a connection that may wait before the driver is asked to stop: 256 KiB.
const CHUNKS_MOST: usize = 32;
/// The same for connections of a listener.
const ARRIVALS_MOST: usize = 64;

/// The bytes that come over a connection, in order: see [`TcpStream::incoming`].
///
/// At most some 32 chunks wait to be taken (256 KiB, and what had come before the driver heard of
/// it). A peer who sends on is then held back by TCP, until they have been taken.
///
/// Dropped, it leaves what has come to the next one of its connection.
pub struct Incoming {
    flow: Rc<Flow>,
    socket: Handle,
    ended: bool,
}

impl Incoming {
    /// The next bytes; `None` once the peer has closed, or after an error.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::NotConnected`] if this end was closed.
    pub async fn next(&mut self, cx: &dyn IoContext) -> io::Result<Option<Received>> {
        poll_fn(|task| self.poll_next(cx, task)).await
    }

    /// [`next`](Self::next), for who polls.
    ///
    /// # Errors
    /// As `next`'s.
    pub fn poll_next(
        &mut self,
        cx: &dyn IoContext,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Received>>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let socket = self.socket;
        let next = ready!(self.flow.poll_next(cx, Op::RecvMany { socket }, task));
        let next = next.and_then(|outcome| match outcome {
            Outcome::Received(bytes) if bytes.is_empty() => Ok(None),
            Outcome::Received(bytes) => Ok(Some(bytes)),
            other => Err(unexpected(&other)),
        });
        self.ended = !matches!(next, Ok(Some(_)));
        Poll::Ready(next)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.flow.end();
    }
}

/// The connections that come to a listener: see [`TcpListener::incoming`](super::TcpListener::incoming).
///
/// At most some 64 wait to be taken; the others wait in the system's backlog.
///
/// Dropped, it leaves those that have come to the next one of its listener.
pub struct Arrivals {
    flow: Rc<Flow>,
    listener: Handle,
}

impl Arrivals {
    /// The next connection, whose small messages are sent at once (TCP_NODELAY).
    ///
    /// # Errors
    /// What the system says, for example that no descriptor is left: there may be others later.
    /// [`io::ErrorKind::NotConnected`] if the listener was closed.
    pub async fn next(&mut self, cx: &dyn IoContext) -> io::Result<TcpStream> {
        poll_fn(|task| self.poll_next(cx, task)).await
    }

    /// [`next`](Self::next), for who polls.
    ///
    /// # Errors
    /// As `next`'s.
    pub fn poll_next(
        &mut self,
        cx: &dyn IoContext,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<TcpStream>> {
        let listener = self.listener;
        let next = ready!(self.flow.poll_next(cx, Op::AcceptMany { listener }, task));
        Poll::Ready(match next? {
            Outcome::Opened(handle) => Ok(TcpStream::new(Owned::new(cx, handle))),
            other => Err(unexpected(&other)),
        })
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.flow.end();
    }
}

/// A socket's flow, if it has been asked for. Closed with the socket.
#[derive(Default)]
pub(super) struct Inflow(OnceCell<Rc<Flow>>);

impl Inflow {
    pub(super) fn chunks(&self, cx: &dyn IoContext, socket: Handle) -> Incoming {
        Incoming {
            flow: self.take(cx, CHUNKS_MOST),
            socket,
            ended: false,
        }
    }

    pub(super) fn arrivals(&self, cx: &dyn IoContext, listener: Handle) -> Arrivals {
        Arrivals {
            flow: self.take(cx, ARRIVALS_MOST),
            listener,
        }
    }

    fn take(&self, cx: &dyn IoContext, most: usize) -> Rc<Flow> {
        let make = || Flow::new(most, cx.operations().leftovers());
        let flow = self.0.get_or_init(make);
        assert!(flow.begin(), "one taker of a socket at a time");
        flow.clone()
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        if let Some(flow) = self.0.get() {
            flow.close();
        }
    }
}
