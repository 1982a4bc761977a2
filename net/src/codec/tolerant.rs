//! The tolerant codec: MessagePack with named fields and variants.

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{DEPTH_MOST, DecodeError, ENCODED_BYTES_MOST, EncodeError, skim};

/// Appends the form of `value` to `out`.
pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let start = out.len();
    let mut writer = Out { bytes: out, start };
    write(value, &mut writer).inspect_err(|_| out.truncate(start))
}

/// Writes one value of several.
pub(super) fn write<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Out<'_>,
) -> Result<(), EncodeError> {
    rmp_serde::encode::write_named(out, value).map_err(|error| {
        if out.is_full() {
            EncodeError::TooLarge
        } else {
            EncodeError::Unencodable(error.to_string())
        }
    })
}

/// The value whose form is all of `bytes`.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = reader(bytes)?;
    T::deserialize(&mut reader).map_err(other_type)
}

pub(super) type Reader<'a> = rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'a, [u8]>>;

/// Reads `bytes`, after a look at whether all that they announce is there: else a list's length
/// would make its reader take memory for elements that never come.
pub(super) fn reader(bytes: &[u8]) -> Result<Reader<'_>, DecodeError> {
    skim::check(bytes)?;
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEPTH_MOST + 1);
    Ok(reader)
}

pub(super) fn other_type(error: rmp_serde::decode::Error) -> DecodeError {
    DecodeError::OtherType(error.to_string())
}

/// A buffer's end, as what MessagePack is written to.
pub(super) struct Out<'a> {
    pub(super) bytes: &'a mut BytesMut,
    pub(super) start: usize,
}

impl Out<'_> {
    fn room(&self) -> usize {
        (ENCODED_BYTES_MOST + 1).saturating_sub(self.bytes.len() - self.start)
    }

    /// Whether more was written to it than may be.
    fn is_full(&self) -> bool {
        self.room() == 0
    }
}

impl std::io::Write for Out<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // One byte too many stays, as the mark of a value that is too large.
        let taken = bytes.len().min(self.room());
        self.bytes.extend_from_slice(&bytes[..taken]);
        if self.is_full() {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
