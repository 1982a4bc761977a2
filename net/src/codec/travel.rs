//! What can leave the process.

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exact::{self, Exact};
use super::{Codec, DecodeError, EncodeError, tolerant};
use crate::schema::Schema;

/// A type whose values can leave the process: whatever has both codecs. `#[message]` gives them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't leave the process",
    label = "this type has no form for its way between processes",
    note = "put `#[message]` on its definition"
)]
pub trait Travel: Schema + Send + Sized {
    /// Appends its form to `out`. Takes no memory besides, once the thread has encoded something
    /// of the like.
    ///
    /// # Errors
    /// It is too large; `out` is as it was then.
    fn encode(&self, codec: Codec, out: &mut BytesMut) -> Result<(), EncodeError>;

    /// The value whose form is all of `bytes`, which may come from anyone and lie anywhere.
    ///
    /// # Errors
    /// They are not the form of such a value.
    fn decode(bytes: &[u8], codec: Codec) -> Result<Self, DecodeError>;
}

impl<T: Schema + Send + Exact + Serialize + DeserializeOwned> Travel for T {
    fn encode(&self, codec: Codec, out: &mut BytesMut) -> Result<(), EncodeError> {
        match codec {
            Codec::Exact => exact::encode(self, out),
            Codec::Tolerant => tolerant::encode(self, out),
        }
    }

    fn decode(bytes: &[u8], codec: Codec) -> Result<Self, DecodeError> {
        match codec {
            Codec::Exact => exact::decode(bytes),
            Codec::Tolerant => tolerant::decode(bytes),
        }
    }
}
