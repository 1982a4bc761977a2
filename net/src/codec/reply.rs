//! Replies: a byte that says whether it is an answer or the method's own error, then that.

use bytes::{BufMut, BytesMut};

use super::{Codec, DecodeError, EncodeError, Travel};

const ANSWER: u8 = 0;
const ERROR: u8 = 1;

/// Appends the reply of a method that has an error of its own.
///
/// # Errors
/// It is too large; `out` is as it was then.
pub fn encode_reply<T: Travel, E: Travel>(
    reply: &Result<T, E>,
    codec: Codec,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    match reply {
        Ok(answer) => marked(ANSWER, answer, codec, out),
        Err(error) => marked(ERROR, error, codec, out),
    }
}

/// The reply of a method that has an error of its own.
///
/// # Errors
/// The bytes, which may come from anyone, are none.
pub fn decode_reply<T: Travel, E: Travel>(
    bytes: &[u8],
    codec: Codec,
) -> Result<Result<T, E>, DecodeError> {
    match bytes.split_first() {
        Some((&ANSWER, bytes)) => T::decode(bytes, codec).map(Ok),
        Some((&ERROR, bytes)) => E::decode(bytes, codec).map(Err),
        other => Err(DecodeError::NoReply(other.map(|(mark, _)| *mark))),
    }
}

/// Appends the reply of a method that has no error.
///
/// # Errors
/// It is too large; `out` is as it was then.
pub fn encode_answer<T: Travel>(
    answer: &T,
    codec: Codec,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    marked(ANSWER, answer, codec, out)
}

/// The reply of a method that has no error.
///
/// # Errors
/// The bytes, which may come from anyone, are none.
pub fn decode_answer<T: Travel>(bytes: &[u8], codec: Codec) -> Result<T, DecodeError> {
    match bytes.split_first() {
        Some((&ANSWER, bytes)) => T::decode(bytes, codec),
        other => Err(DecodeError::NoReply(other.map(|(mark, _)| *mark))),
    }
}

fn marked<T: Travel>(
    mark: u8,
    value: &T,
    codec: Codec,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.put_u8(mark);
    value
        .encode(codec, out)
        .inspect_err(|_| out.truncate(start))
}
