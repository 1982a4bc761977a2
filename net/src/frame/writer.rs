use bytes::BytesMut;

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
    let start = out.len();
    out.extend_from_slice(&header.to_bytes(0));
    let written = body(out).and_then(|()| close(out, start, integrity, most).map_err(E::from));
    if written.is_err() {
        out.truncate(start);
    }
    written
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
        let sum = crc32c::crc32c_append(salt, &out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }
    Ok(LENGTH_LEN + behind)
}
