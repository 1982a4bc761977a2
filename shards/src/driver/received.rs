//! Bytes received into a buffer of the driver's.

use std::fmt;
use std::ops::Deref;

use bytes::BytesMut;

use super::uring::Lent;

/// The most bytes that one completion of [`Op::RecvMany`](super::Op::RecvMany) brings.
pub const CHUNK_BYTES: usize = 8 << 10;

/// Bytes received, in the buffer that they came in. Dropped, it gives the buffer back to whom it
/// belongs, by a write to memory. Those who keep many for long leave the other connections of
/// their shard without: these then receive into memory allocated for each time.
pub struct Received(Buffer);

enum Buffer {
    Own(BytesMut),
    Lent(Lent),
}

impl Received {
    pub(super) fn own(buffer: BytesMut) -> Self {
        Received(Buffer::Own(buffer))
    }

    pub(super) fn lent(buffer: Lent) -> Self {
        Received(Buffer::Lent(buffer))
    }
}

impl Deref for Received {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Buffer::Own(bytes) => bytes,
            Buffer::Lent(lent) => lent,
        }
    }
}

impl AsRef<[u8]> for Received {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.0 {
            Buffer::Own(_) => "own",
            Buffer::Lent(_) => "lent",
        };
        write!(to, "Received({} bytes, {place})", self.len())
    }
}
