use std::io::{self, BufRead, Write};

use bytes::{BufMut, Bytes, BytesMut};
use rustls::Connection;

use super::LinkError;
use crate::session::Protection;

/// What lies between a session and its connection: nothing, or TLS.
pub enum Shield {
    /// Frames go as they are.
    Plain,
    /// They go through this.
    Tls(Box<Connection>),
}

impl Shield {
    /// TLS by `connection`, which nothing has gone through yet.
    #[must_use]
    pub fn tls(connection: impl Into<Connection>) -> Self {
        let mut connection = connection.into();
        // Sessions bound what they write, and it is taken out at once.
        connection.set_buffer_limit(None);
        Shield::Tls(Box::new(connection))
    }

    /// Whether it keeps what is sent from harm.
    #[must_use]
    pub fn protection(&self) -> Protection {
        match self {
            Shield::Plain => Protection::Plain,
            Shield::Tls(_) => Protection::Tls,
        }
    }

    /// Whether it has something to say itself.
    pub(super) fn wants_to_write(&self) -> bool {
        matches!(self, Shield::Tls(connection) if connection.wants_write())
    }

    /// Has `take` take in what stands in `chunk`, which came over the connection.
    pub(super) fn open(
        &mut self,
        mut chunk: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), LinkError>,
    ) -> Result<(), LinkError> {
        let Shield::Tls(connection) = self else {
            return take(chunk);
        };
        while !chunk.is_empty() {
            connection.read_tls(&mut chunk)?;
            connection.process_new_packets()?;
            loop {
                let mut reader = connection.reader();
                let plain = match reader.fill_buf() {
                    Ok(plain) => plain,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                let length = plain.len();
                if length == 0 {
                    // The peer has said that it will say no more.
                    return Err(LinkError::ClosedByPeer);
                }
                take(plain)?;
                reader.consume(length);
            }
        }
        Ok(())
    }

    /// What is to be sent for `plain`, and for the shield itself.
    pub(super) fn seal(&mut self, plain: BytesMut) -> io::Result<Bytes> {
        let Shield::Tls(connection) = self else {
            return Ok(plain.freeze());
        };
        connection.writer().write_all(&plain)?;
        let mut sealed = BytesMut::with_capacity(plain.len() + RECORD_OVERHEAD).writer();
        while connection.wants_write() {
            connection.write_tls(&mut sealed)?;
        }
        Ok(sealed.into_inner().freeze())
    }
}

/// What a record takes beside what it carries, and some.
const RECORD_OVERHEAD: usize = 64;
