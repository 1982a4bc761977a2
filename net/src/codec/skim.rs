//! Whether bytes are one value of MessagePack: all there, nothing after it, and not too deep.

use super::{DEPTH_MOST, DecodeError};

/// Looks through `bytes`, once, without taking memory.
pub(super) fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut skim = Skim { bytes, at: 0 };
    // How many values are still to come at each depth.
    let mut open = [0_u64; DEPTH_MOST + 1];
    open[0] = 1;
    let mut depth = 0;
    loop {
        while open[depth] == 0 {
            if depth == 0 {
                return skim.end();
            }
            depth -= 1;
        }
        open[depth] -= 1;
        let within = skim.value()?;
        if within > 0 {
            depth += 1;
            *open.get_mut(depth).ok_or(DecodeError::TooDeep)? = within;
        }
    }
}

struct Skim<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Skim<'_> {
    fn wrong(&self) -> DecodeError {
        DecodeError::NotMessagePack { at: self.at }
    }

    fn end(&self) -> Result<(), DecodeError> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    /// Steps over a value's head and, if it is no list or map, its content. The number of values
    /// within it.
    fn value(&mut self) -> Result<u64, DecodeError> {
        let marker = *self.bytes.get(self.at).ok_or_else(|| self.wrong())?;
        self.at += 1;
        let (content, within) = match marker {
            // Small numbers, nil and booleans.
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 0),
            0x80..=0x8f => (0, 2 * u64::from(marker & 0x0f)),
            0x90..=0x9f => (0, u64::from(marker & 0x0f)),
            0xa0..=0xbf => (u64::from(marker & 0x1f), 0),
            // Bytes and strings.
            0xc4 | 0xd9 => (self.length(1)?, 0),
            0xc5 | 0xda => (self.length(2)?, 0),
            0xc6 | 0xdb => (self.length(4)?, 0),
            // Numbers.
            0xcc | 0xd0 => (1, 0),
            0xcd | 0xd1 => (2, 0),
            0xca | 0xce | 0xd2 => (4, 0),
            0xcb | 0xcf | 0xd3 => (8, 0),
            // Lists and maps.
            0xdc => (0, self.length(2)?),
            0xdd => (0, self.length(4)?),
            0xde => (0, 2 * self.length(2)?),
            0xdf => (0, 2 * self.length(4)?),
            // What never was, and extensions, which nothing of ours is.
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => {
                self.at -= 1;
                return Err(self.wrong());
            }
        };
        let left = self.bytes.len() - self.at;
        if content.max(within) > left as u64 {
            return Err(self.wrong());
        }
        self.at += usize::try_from(content).unwrap_or(left);
        Ok(within)
    }

    fn length(&mut self, bytes: usize) -> Result<u64, DecodeError> {
        let end = self.at + bytes;
        let digits = self.bytes.get(self.at..end).ok_or_else(|| self.wrong())?;
        self.at = end;
        Ok(digits
            .iter()
            .fold(0, |length, digit| length << 8 | u64::from(*digit)))
    }
}
