//! TCP listeners and connections.

use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use super::incoming::Inflow;
use super::{Arrivals, Incoming, IoContext, Owned, context, open, run, unexpected};
use crate::driver::{Driver, Handle, Op, Outcome};

/// Takes connections. Dropped, it is closed by its shard's next sweep.
pub struct TcpListener {
    inflow: Inflow,
    owned: Owned,
}

impl TcpListener {
    /// Listens on `addr` (port 0: one that is free), with room for `backlog` connections that
    /// nobody has accepted yet.
    ///
    /// # Errors
    /// What the system says, with the address; for example that it is in use.
    pub fn bind(cx: &dyn IoContext, addr: SocketAddr, backlog: u32) -> io::Result<Self> {
        let handle = ask(cx, |driver| driver.listen(addr, backlog));
        let handle = handle.map_err(context(format!("listen on {addr}")))?;
        Ok(TcpListener {
            inflow: Inflow::default(),
            owned: Owned::new(cx, handle),
        })
    }

    /// The next connection, whose small messages are sent at once (TCP_NODELAY).
    ///
    /// # Errors
    /// What the system says, for example that no descriptor is left.
    pub async fn accept(&self, cx: &dyn IoContext) -> io::Result<TcpStream> {
        let listener = self.owned.handle;
        let accepted = open(cx, Op::Accept { listener }).await;
        accepted.map(TcpStream::new)
    }

    /// The connections as they come: for servers, by one operation of the driver for all of them.
    /// Once begun, no [`accept`](Self::accept) beside it.
    ///
    /// # Panics
    /// If another one of this listener is still there.
    pub fn incoming(&self, cx: &dyn IoContext) -> Arrivals {
        self.inflow.arrivals(cx, self.owned.handle)
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self, cx: &dyn IoContext) -> io::Result<SocketAddr> {
        local_addr(cx, self.owned.handle)
    }

    /// Stops listening. Connections not yet accepted are reset.
    ///
    /// # Errors
    /// What the system says. It is closed all the same.
    pub async fn close(self, cx: &dyn IoContext) -> io::Result<()> {
        drop(self.inflow);
        self.owned.close(cx).await
    }
}

/// A connection. Dropped, it is closed by its shard's next sweep.
pub struct TcpStream {
    inflow: Inflow,
    owned: Owned,
}

impl TcpStream {
    pub(super) fn new(owned: Owned) -> Self {
        TcpStream {
            inflow: Inflow::default(),
            owned,
        }
    }

    /// Connects to `addr`; small messages are sent at once (TCP_NODELAY).
    ///
    /// # Errors
    /// What the system says, with the address.
    pub async fn connect(cx: &dyn IoContext, addr: SocketAddr) -> io::Result<Self> {
        let what = context(format!("connect to {addr}"));
        let owned = open(cx, Op::Connect { addr }).await.map_err(what)?;
        Ok(TcpStream::new(owned))
    }

    /// Receives into `buffer`'s spare capacity, once; nothing new in it means that the peer
    /// has closed.
    ///
    /// # Errors
    /// What the system says; also if `buffer` has no spare capacity. The buffer is then gone.
    pub async fn recv(&self, cx: &dyn IoContext, buffer: BytesMut) -> io::Result<BytesMut> {
        let socket = self.owned.handle;
        match run(cx, Op::Recv { socket, buffer }).await? {
            Outcome::Filled(buffer) => Ok(buffer),
            other => Err(unexpected(&other)),
        }
    }

    /// The bytes as they come, in buffers of the shard's: by one operation of the driver for many
    /// of them. Once begun, no [`recv`](Self::recv), which would take what comes between.
    ///
    /// # Panics
    /// If another one of this connection is still there.
    pub fn incoming(&self, cx: &dyn IoContext) -> Incoming {
        self.inflow.chunks(cx, self.owned.handle)
    }

    /// Sends `buffer`, once; says how much of it was taken.
    ///
    /// # Errors
    /// What the system says, for example that the peer is gone.
    pub async fn send(&self, cx: &dyn IoContext, buffer: Bytes) -> io::Result<usize> {
        let socket = self.owned.handle;
        match run(cx, Op::Send { socket, buffer }).await? {
            Outcome::Wrote(count) => Ok(count),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends all of `buffer`. One such call at a time on a connection: two would mix.
    ///
    /// # Errors
    /// As [`send`](Self::send); some of it may then have been sent.
    pub async fn send_all(&self, cx: &dyn IoContext, mut buffer: Bytes) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = self.send(cx, buffer.clone()).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let _sent = buffer.split_to(count);
        }
        Ok(())
    }

    /// Sends all of `buffers`, one after the other, without joining them first; gives the vector
    /// back, empty. For few large ones: what is small is cheaper copied together. One such call,
    /// or [`send_all`](Self::send_all), at a time on a connection.
    ///
    /// # Errors
    /// As [`send`](Self::send); some of it may then have been sent.
    pub async fn send_vectored(
        &self,
        cx: &dyn IoContext,
        mut buffers: Vec<Bytes>,
    ) -> io::Result<Vec<Bytes>> {
        let socket = self.owned.handle;
        buffers.retain(|buffer| !buffer.is_empty());
        while !buffers.is_empty() {
            let mut sent;
            let op = Op::SendMany { socket, buffers };
            match run(cx, op).await? {
                Outcome::Sent { count: 0, .. } => return Err(io::ErrorKind::WriteZero.into()),
                Outcome::Sent {
                    count,
                    buffers: back,
                } => (sent, buffers) = (count, back),
                other => return Err(unexpected(&other)),
            }
            buffers.retain_mut(|buffer| {
                let part = sent.min(buffer.len());
                let _sent = buffer.split_to(part);
                sent -= part;
                !buffer.is_empty()
            });
        }
        Ok(buffers)
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self, cx: &dyn IoContext) -> io::Result<SocketAddr> {
        local_addr(cx, self.owned.handle)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// What the system says, for example that it is gone.
    pub fn peer_addr(&self, cx: &dyn IoContext) -> io::Result<SocketAddr> {
        let handle = self.owned.handle;
        ask(cx, |driver| driver.peer_addr(handle))
    }

    /// Closes the connection.
    ///
    /// # Errors
    /// What the system says. It is closed all the same.
    pub async fn close(self, cx: &dyn IoContext) -> io::Result<()> {
        drop(self.inflow);
        self.owned.close(cx).await
    }
}

fn local_addr(cx: &dyn IoContext, handle: Handle) -> io::Result<SocketAddr> {
    ask(cx, |driver| driver.local_addr(handle))
}

/// What the driver answers at once.
fn ask<T>(
    cx: &dyn IoContext,
    mut question: impl FnMut(&mut dyn Driver) -> io::Result<T>,
) -> io::Result<T> {
    let mut answer = None;
    cx.with_driver(&mut |driver| answer = Some(question(driver)));
    answer.expect("with_driver calls its closure")
}
