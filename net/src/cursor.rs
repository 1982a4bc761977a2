//! Reads what peers say of themselves: every length is checked before it is believed.

use thiserror::Error;

/// Why the body of a frame can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedError {
    /// It ends before what it announces.
    #[error("it ends within {0}")]
    Short(&'static str),
    /// Something is longer, or there is more of it, than anyone may say.
    #[error("{what} is {is}, more than {most}")]
    TooMuch {
        /// What.
        what: &'static str,
        /// Bytes, or how many.
        is: usize,
        /// The most allowed.
        most: usize,
    },
    /// A name that is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    /// A number that stands for nothing.
    #[error("{what} {is} is unknown")]
    Unknown {
        /// What.
        what: &'static str,
        /// As it was sent.
        is: u64,
    },
    /// Bytes behind the end.
    #[error("{0} bytes follow its end")]
    Long(usize),
}

/// Takes a body apart from its front. Integers are little-endian.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Reads `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor(bytes)
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// If there are not so many.
    pub fn bytes(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], MalformedError> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(MalformedError::Short(what))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Text of at most `most` bytes, behind its length in two bytes.
    ///
    /// # Errors
    /// If it is longer, cut off, or not UTF-8.
    pub fn text(&mut self, most: usize, what: &'static str) -> Result<&'a str, MalformedError> {
        let length = usize::from(self.u16(what)?);
        check(length, most, what)?;
        let bytes = self.bytes(length, what)?;
        std::str::from_utf8(bytes).map_err(|_| MalformedError::NotText(what))
    }

    /// How many of something follow, in two bytes: at most `most`.
    ///
    /// # Errors
    /// If there are more.
    pub fn count(&mut self, most: usize, what: &'static str) -> Result<usize, MalformedError> {
        let count = usize::from(self.u16(what)?);
        check(count, most, what)?;
        Ok(count)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// If something is.
    pub fn end(self) -> Result<(), MalformedError> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(MalformedError::Long(more)),
        }
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], MalformedError> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(MalformedError::Short(what))?;
        self.0 = rest;
        Ok(*taken)
    }
}

macro_rules! integers {
    ($($name:ident)*) => {
        impl Cursor<'_> {
            $(
                /// The next integer of this size.
                ///
                /// # Errors
                /// If too few bytes are left.
                #[inline]
                pub fn $name(&mut self, what: &'static str) -> Result<$name, MalformedError> {
                    self.array(what).map($name::from_le_bytes)
                }
            )*
        }
    };
}

integers!(u8 u16 u32 u64);

fn check(is: usize, most: usize, what: &'static str) -> Result<(), MalformedError> {
    if is > most {
        return Err(MalformedError::TooMuch { what, is, most });
    }
    Ok(())
}
