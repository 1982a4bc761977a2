use std::io;

use quark_net::codec::{DecodeError, EncodeError};
use quark_net::frame::FrameError;
use quark_net::session::{SendError, SessionError};

/// Why there was no load, or not as it was to be.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A connection can't be opened, or broke.
    #[error("the connection to the server failed: {0}")]
    Io(#[from] io::Error),
    /// The server has closed a connection.
    #[error("the server has closed the connection")]
    Closed,
    /// It does not answer.
    #[error("the server has said nothing for {0} s")]
    Silent(u64),
    /// Certificates can't be made, or are not accepted.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// What came is no session's, or the session was refused.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A call does not leave.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Its arguments can't be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Its answer can't be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The server does not have the actors that are called.
    #[error("the server has no actors of the type {0}: start it by `quark-bench serve`")]
    NoSuchActor(&'static str),
    /// A call was not answered as it should be.
    #[error("a call was refused, by status {0}")]
    Refused(u16),
    /// Redis says something else than a number.
    #[error("Redis says {0:?} instead of a number")]
    NotANumber(String),
    /// A core may not be used.
    #[error("the generator has no core of its own: {0}")]
    Core(String),
}

impl From<FrameError> for LoadError {
    fn from(error: FrameError) -> Self {
        LoadError::Session(error.into())
    }
}

impl From<rustls::Error> for LoadError {
    fn from(error: rustls::Error) -> Self {
        LoadError::Tls(error.to_string())
    }
}

impl From<quark::tls::TlsError> for LoadError {
    fn from(error: quark::tls::TlsError) -> Self {
        LoadError::Tls(error.to_string())
    }
}
