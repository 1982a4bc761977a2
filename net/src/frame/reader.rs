use super::sum::crc32c;
use super::{Frame, FrameError, HEADER_LEN, Header, Integrity, LENGTH_LEN};

/// Bytes that are kept for the next frame that comes in parts.
const KEPT: usize = 64 << 10;

/// Finds the frames in what arrives, wherever it was cut.
///
/// A frame that lies whole in one chunk is lent from there; only those that are cut are copied
/// together. No more is kept than has arrived of one frame, and that has a limit.
#[derive(Debug)]
pub struct FrameReader {
    /// The beginning of a frame, or the one that was lent last; never more than one.
    pub(super) begun: Vec<u8>,
    /// Whether it was lent whole.
    is_lent: bool,
    integrity: Integrity,
    /// The longest that may follow a length.
    most: u32,
}

impl FrameReader {
    /// For frames of at most `most` bytes behind their length.
    #[must_use]
    pub fn new(integrity: Integrity, most: u32) -> Self {
        FrameReader {
            begun: Vec::new(),
            is_lent: false,
            integrity,
            most,
        }
    }

    /// From the next frame on, these are its checks.
    pub fn set_integrity(&mut self, integrity: Integrity) {
        self.integrity = integrity;
    }

    /// From the next frame on, this is the longest.
    pub fn set_most(&mut self, most: u32) {
        self.most = most;
    }

    /// Whether the beginning of a frame waits for its rest.
    #[must_use]
    pub fn is_within_frame(&self) -> bool {
        !self.is_lent && !self.begun.is_empty()
    }

    /// Bytes that it keeps memory for.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.begun.capacity()
    }

    /// Takes the next frame off `chunk`, or, if it has none that is whole, all of it.
    ///
    /// # Errors
    /// [`FrameError`]; nothing can be read after it.
    #[inline]
    pub fn next<'a, 'c: 'a>(
        &'a mut self,
        chunk: &mut &'c [u8],
    ) -> Result<Option<Frame<'a>>, FrameError> {
        self.give_up_lent();
        let mut whole = None;
        if self.begun.is_empty() {
            let Some(length) = length(chunk, self.integrity, self.most)? else {
                self.keep(chunk, chunk.len());
                return Ok(None);
            };
            if let Some((frame, rest)) = chunk.split_at_checked(length) {
                *chunk = rest;
                whole = Some(frame);
            }
        }
        // Looked at in one place, so that what is found stays in registers.
        let frame = match whole {
            Some(frame) => frame,
            None if self.join(chunk)? => &self.begun,
            None => return Ok(None),
        };
        check(frame, self.integrity).map(Some)
    }

    /// A frame that was cut: as much of `chunk` as it lacks is put behind what is there; whether it is
    /// whole then.
    #[inline(never)]
    fn join(&mut self, chunk: &mut &[u8]) -> Result<bool, FrameError> {
        if self.begun.len() < LENGTH_LEN {
            self.keep(chunk, LENGTH_LEN - self.begun.len());
        }
        let Some(length) = length(&self.begun, self.integrity, self.most)? else {
            return Ok(false);
        };
        self.keep(chunk, length - self.begun.len());
        self.is_lent = self.begun.len() == length;
        Ok(self.is_lent)
    }

    fn keep(&mut self, chunk: &mut &[u8], most: usize) {
        let (kept, rest) = chunk.split_at(most.min(chunk.len()));
        self.begun.extend_from_slice(kept);
        *chunk = rest;
    }

    fn give_up_lent(&mut self) {
        if self.is_lent {
            self.is_lent = false;
            self.begun.clear();
            // One large frame must not hold its memory for as long as the connection lasts.
            self.begun.shrink_to(KEPT);
        }
    }
}

/// How long the frame is that `bytes` begin with, its length included; nothing if they don't
/// say so yet.
#[inline]
fn length(bytes: &[u8], integrity: Integrity, most: u32) -> Result<Option<usize>, FrameError> {
    let Some(length) = bytes.first_chunk() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*length);
    let least = (HEADER_LEN - LENGTH_LEN + integrity.len()) as u32;
    if length < least || length > most {
        return Err(FrameError::Length {
            length,
            least,
            most,
        });
    }
    Ok(Some(LENGTH_LEN + length as usize))
}

/// A whole frame, as it lies there.
#[inline]
fn check(bytes: &[u8], integrity: Integrity) -> Result<Frame<'_>, FrameError> {
    let (header, rest) = bytes
        .split_first_chunk::<HEADER_LEN>()
        .expect("a frame is no shorter than its header");
    let header = Header::from_bytes(header)?;
    let Integrity::Checksum { salt } = integrity else {
        return Ok(Frame { header, body: rest });
    };
    let (body, sum) = rest
        .split_last_chunk()
        .expect("a frame is no shorter than its header and its checksum");
    let end = bytes.len() - sum.len();
    if crc32c(salt, &bytes[..end]) != u32::from_le_bytes(*sum) {
        return Err(FrameError::Damaged { kind: header.kind });
    }
    Ok(Frame { header, body })
}
