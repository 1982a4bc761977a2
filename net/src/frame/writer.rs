use bytes::BytesMut;

use super::sum::crc32c;
use super::{FrameError, HEADER_LEN, Header, Integrity, LENGTH_LEN};

/// Appends a frame to `out`, with the body that `body` appends. If it fails, or the frame comes
/// out longer than `most` bytes behind its length, `out` is as before. Returns the frame's bytes,
/// all of them.
///
/// # Errors
/// What `body` says, or that it has become too long.
#[inline]
pub fn write_frame<E: From<FrameError>>(
    out: &mut BytesMut,
    header: Header,
    integrity: Integrity,
    most: u32,
    body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
) -> Result<usize, E> {
    let mut begun = Begun {
        start: out.len(),
        out,
        is_whole: false,
    };
    begun.out.extend_from_slice(&header.to_bytes(0));
    body(begun.out)?;
    let written = close(begun.out, begun.start, integrity, most)?;
    begun.is_whole = true;
    Ok(written)
}

/// A frame that is being written: gone again unless it becomes whole, even if its body panics.
struct Begun<'a> {
    out: &'a mut BytesMut,
    start: usize,
    is_whole: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.out.truncate(self.start);
        }
    }
}

/// Fills in the length and appends the checksum.
fn close(
    out: &mut BytesMut,
    start: usize,
    integrity: Integrity,
    most: u32,
) -> Result<usize, FrameError> {
    let behind = out.len() - start - LENGTH_LEN + integrity.len();
    let length = u32::try_from(behind).unwrap_or(u32::MAX);
    if length > most {
        return Err(FrameError::Length {
            length,
            least: (HEADER_LEN - LENGTH_LEN) as u32,
            most,
        });
    }
    out[start..start + LENGTH_LEN].copy_from_slice(&length.to_le_bytes());
    if let Integrity::Checksum { salt } = integrity {
        let sum = crc32c(salt, &out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }
    Ok(LENGTH_LEN + behind)
}
