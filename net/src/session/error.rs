use quark_shards::time::Time;
use thiserror::Error;

use crate::cursor::MalformedError;
use crate::frame::{FrameError, Kind};
use crate::message::{CONTEXT_MOST, KEY_MOST};

/// Why a session did not open, or can't go on. Its connection is to be closed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SessionError {
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame's body does not say what its kind has to.
    #[error("the peer sent a frame of kind {kind:?} that can't be read: {error}")]
    Malformed {
        /// What it was to be.
        kind: Kind,
        /// What is wrong with it.
        error: MalformedError,
    },
    /// A frame that may not come now.
    #[error("the peer sent a frame of kind {0:?} out of turn")]
    OutOfTurn(Kind),
    /// It belongs to another cluster.
    #[error(
        "the peer is of the cluster \"{theirs}\", this side of \"{ours}\": correct the address, or \
         the cluster's name on one side"
    )]
    WrongCluster {
        /// This side's.
        ours: String,
        /// The peer's.
        theirs: String,
    },
    /// The peer has not let this side in.
    #[error("the peer refused the session: {0}")]
    Refused(String),
    /// It has sent more than it was given room for.
    #[error("the peer sent more than it was given room for: {0}")]
    Flood(&'static str),
    /// A call under a number that is in use, or a reply to none.
    #[error("the peer named the call {0:#x}, which is not under way")]
    WrongCall(u64),
    /// A type or a method that this side does not have.
    #[error("the peer named {what} {index}, where this side has {has}")]
    WrongIndex {
        /// What.
        what: &'static str,
        /// As it was sent.
        index: u16,
        /// How many there are.
        has: usize,
    },
    /// The handshake has not come to its end in time.
    #[error("the peer has not finished the handshake in time")]
    SlowHandshake,
    /// Nothing was heard, though it was asked.
    #[error("nothing was heard of the peer since {since:?}, though it was asked")]
    Silent {
        /// When something was heard last.
        since: Time,
    },
}

impl SessionError {
    /// A body that can't be read.
    pub(super) fn malformed(kind: Kind) -> impl Fn(MalformedError) -> Self {
        move |error| SessionError::Malformed { kind, error }
    }
}

/// Why a message was not sent. Nothing of it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The session is not open (yet, or any more).
    #[error("the session is not open")]
    Closed,
    /// As much is under way as the peer has room for.
    #[error("the peer has no room: as much is under way as it allows")]
    NoRoom,
    /// The peer has no such type or method, or an incompatible one.
    #[error("the peer does not offer it")]
    NotOffered,
    /// The key or the context is longer than any may be.
    #[error(
        "a key has {} bytes at most on its way to another machine, a context {}",
        KEY_MOST,
        CONTEXT_MOST
    )]
    TooLong,
    /// Longer than the peer reads, or it can't be encoded.
    #[error(transparent)]
    Frame(#[from] FrameError),
}
