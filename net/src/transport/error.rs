use std::io;
use std::rc::Rc;

use thiserror::Error;

use super::link::UNSENT_MOST;
use crate::frame::FrameError;
use crate::session::SessionError;

/// Why a link has ended.
#[derive(Clone, Debug, Error)]
pub enum LinkError {
    /// The peer has closed the connection.
    #[error("the peer has closed the connection")]
    ClosedByPeer,
    /// This side has.
    #[error("this side has closed the connection")]
    ClosedHere,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(Rc<io::Error>),
    /// The peer is not who it should be, or TLS failed otherwise.
    #[error("TLS failed: {0}")]
    Tls(#[from] rustls::Error),
    /// The peer does not take what it has asked for.
    #[error("the peer asks for more than it takes: {UNSENT_MOST} bytes wait for it")]
    Unsent,
    /// All sessions together hold more than they may, and this one the most.
    #[error(
        "all sessions together hold more than {most} bytes, and this one the most of all: {held}; \
         raise .memory(…) if that is meant to be"
    )]
    Memory {
        /// What this one does.
        held: u64,
        /// What all may.
        most: u64,
    },
    /// What came over it was no session's.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        LinkError::Io(Rc::new(error))
    }
}

impl From<FrameError> for LinkError {
    fn from(error: FrameError) -> Self {
        LinkError::Session(error.into())
    }
}
