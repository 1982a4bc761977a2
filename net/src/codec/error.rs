//! What goes wrong between values and bytes.

use super::{DEPTH_MOST, ENCODED_BYTES_MOST};

/// Why a value could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is larger than any may be.
    #[error("the message has more than {ENCODED_BYTES_MOST} bytes: send it in parts")]
    TooLarge,
    /// Its type has no form for it.
    #[error("the message can't be encoded: {0}")]
    Unencodable(String),
}

/// Why some bytes are not the value that they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not what the exact codec writes.
    #[error("the message is malformed, or its nodes disagree about its type")]
    Malformed,
    /// Not what the tolerant codec writes.
    #[error("the message is no MessagePack: byte {at} is wrong, or what should follow is missing")]
    NotMessagePack {
        /// Bytes before the one.
        at: usize,
    },
    /// Nested deeper than a value may be.
    #[error("the message is nested more than {DEPTH_MOST} deep")]
    TooDeep,
    /// Of another type than the one it should be.
    #[error("the message is not of the type expected: {0}")]
    OtherType(String),
    /// Neither an answer nor an error.
    #[error("the reply begins with {0:?}, and is neither an answer nor an error")]
    NoReply(Option<u8>),
}
