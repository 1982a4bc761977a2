use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{LoadError, Speech};

/// How long it may take to connect.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection, which never blocks.
pub(super) struct Connection<S> {
    socket: TcpStream,
    pub(super) speech: S,
    /// Said, and not taken by the system.
    unsent: Vec<u8>,
    /// Requests without an answer yet.
    pub(super) under_way: usize,
}

impl<S: Speech> Connection<S> {
    pub(super) fn open(to: SocketAddr, speech: S) -> Result<Self, LoadError> {
        let socket = TcpStream::connect_timeout(&to, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Connection {
            socket,
            speech,
            unsent: Vec::new(),
            under_way: 0,
        })
    }

    /// Takes in what has come, if anything has, up to what fits into `buffer`. Gives back when,
    /// as `clock` says.
    #[inline]
    pub(super) fn hear(
        &mut self,
        buffer: &mut [u8],
        clock: impl Fn() -> u64,
        mut answered: impl FnMut(u64),
    ) -> Result<Option<u64>, LoadError> {
        let read = match self.socket.read(buffer) {
            Ok(0) => return Err(LoadError::Closed),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let now = clock();
        let under_way = &mut self.under_way;
        self.speech.hear(&buffer[..read], now, |asked| {
            *under_way -= 1;
            answered(now - asked);
        })?;
        Ok(Some(now))
    }

    /// Asks until as many requests as `most` are under way.
    #[inline]
    pub(super) fn ask(
        &mut self,
        most: usize,
        now: u64,
        mut key: impl FnMut() -> u64,
    ) -> Result<(), LoadError> {
        while self.under_way < most {
            self.speech.ask(key(), now)?;
            self.under_way += 1;
        }
        Ok(())
    }

    /// Sends what is to be sent, as far as there is room for it.
    #[inline]
    pub(super) fn send(&mut self) -> Result<(), LoadError> {
        self.speech.say(&mut self.unsent)?;
        if self.unsent.is_empty() {
            return Ok(());
        }
        match self.socket.write(&self.unsent) {
            Ok(sent) if sent == self.unsent.len() => self.unsent.clear(),
            Ok(sent) => drop(self.unsent.drain(..sent)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
