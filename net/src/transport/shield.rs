use std::io::{self, BufRead, Write};

use bytes::{BufMut, Bytes, BytesMut};
use rustls::Connection;
use rustls::pki_types::CertificateDer;

use super::LinkError;
use crate::session::Protection;

/// What lies between a session and its connection: nothing, or TLS.
pub enum Shield {
    /// Frames go as they are.
    Plain,
    /// They go through this.
    Tls(Box<Connection>),
}

/// How much of what came was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// All of it.
    All,
    /// A part, and the rest is to be taken in later.
    Part,
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

    /// The certificate that the peer has shown, once the handshake has checked it.
    pub(super) fn peer_certificate(&self) -> Option<CertificateDer<'static>> {
        let Shield::Tls(connection) = self else {
            return None;
        };
        let shown = (!connection.is_handshaking()).then(|| connection.peer_certificates());
        Some(shown??.first()?.clone().into_owned())
    }

    /// Whether it has something to say itself.
    pub(super) fn wants_to_write(&self) -> bool {
        matches!(self, Shield::Tls(connection) if connection.wants_write())
    }

    /// Has `take` take in what stands in `chunk`, which came over the connection, until it has
    /// taken enough for once.
    pub(super) fn open(
        &mut self,
        chunk: &mut &[u8],
        mut take: impl FnMut(&mut &[u8]) -> Result<Taken, LinkError>,
    ) -> Result<Taken, LinkError> {
        let Shield::Tls(connection) = self else {
            return take(chunk);
        };
        loop {
            loop {
                let mut reader = connection.reader();
                let mut plain = match reader.fill_buf() {
                    Ok(plain) => plain,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                let length = plain.len();
                if length == 0 {
                    // The peer has said that it will say no more.
                    return Err(LinkError::ClosedByPeer);
                }
                let taken = take(&mut plain)?;
                let length = length - plain.len();
                reader.consume(length);
                if taken == Taken::Part {
                    return Ok(taken);
                }
            }
            if chunk.is_empty() {
                return Ok(Taken::All);
            }
            connection.read_tls(chunk)?;
            connection.process_new_packets()?;
        }
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
