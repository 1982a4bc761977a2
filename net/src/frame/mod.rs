//! Frames: how messages lie on a connection.
//!
//! ```text
//! bytes   what
//! 0-4     length of all that follows
//! 4       version of the format
//! 5       kind
//! 6-8     flags
//! 8-16    which call
//! 16-20   time left, in µs; all ones: no deadline
//! 20-22   actor type, by its place in the receiver's list; of a reply, its status
//! 22-24   method, by its place in the receiver's list of that type
//! 24-     the body
//! last 4  CRC32C of all before, where nothing else protects it
//! ```
//!
//! Integers are little-endian. The checksum is salted by a number that both ends of a session have
//! drawn a part of, so that what was recorded in one session is damaged in another.

mod reader;
mod sum;
mod writer;

use thiserror::Error;

pub use self::reader::FrameReader;
pub use self::writer::write_frame;

/// The version of this format.
pub const VERSION: u8 = 1;

/// Bytes before the body.
pub const HEADER_LEN: usize = 24;

/// Bytes of a checksum.
const CHECKSUM_LEN: usize = 4;

/// Bytes of the length itself.
const LENGTH_LEN: usize = 4;

/// No deadline.
const FOREVER: u32 = u32::MAX;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A dialer's first: who it is and what it speaks of.
    Hello = 1,
    /// The answer to it: the session is open.
    Welcome = 2,
    /// The other answer, and the last frame: why not, in words.
    Refused = 3,
    /// What one of the receiver's actor types looks like is asked, or one of the sender's is told:
    /// for types of which the two have different ideas.
    Schema = 4,
    /// A message whose sender waits.
    Call = 5,
    /// A message whose sender doesn't.
    Tell = 6,
    /// What became of a call.
    Reply = 7,
    /// Room for one-way messages is free again.
    Credit = 8,
    /// Are you there?
    Ping = 9,
    /// I am.
    Pong = 10,
    /// Send me no more, what is under way will be answered; or, in answer: I have sent my last.
    Goodbye = 11,
    /// What nodes say to each other about their cluster.
    Cluster = 12,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Kind::Hello,
            2 => Kind::Welcome,
            3 => Kind::Refused,
            4 => Kind::Schema,
            5 => Kind::Call,
            6 => Kind::Tell,
            7 => Kind::Reply,
            8 => Kind::Credit,
            9 => Kind::Ping,
            10 => Kind::Pong,
            11 => Kind::Goodbye,
            12 => Kind::Cluster,
            _ => return None,
        })
    }
}

/// What all frames begin with, beside their length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is for.
    pub kind: Kind,
    /// Of the kind's own.
    pub flags: u16,
    /// Which call; of a credit, how many messages.
    pub call: u64,
    /// Time left, in µs.
    pub left_us: Option<u32>,
    /// The actor's type, or a reply's status.
    pub actor: u16,
    /// The method.
    pub method: u16,
}

impl Header {
    /// The header of a frame that says nothing beside its kind.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        Header {
            kind,
            flags: 0,
            call: 0,
            left_us: None,
            actor: 0,
            method: 0,
        }
    }

    /// As it is sent, behind the length `length`.
    fn to_bytes(self, length: u32) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4] = VERSION;
        bytes[5] = self.kind as u8;
        bytes[6..8].copy_from_slice(&self.flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.call.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.left_us.unwrap_or(FOREVER).to_le_bytes());
        bytes[20..22].copy_from_slice(&self.actor.to_le_bytes());
        bytes[22..].copy_from_slice(&self.method.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let [call] = *bytes[8..16].as_chunks::<8>().0 else {
            unreachable!("eight bytes are one chunk of eight");
        };
        let [left] = *bytes[16..20].as_chunks::<4>().0 else {
            unreachable!("four bytes are one chunk of four");
        };
        if bytes[4] != VERSION {
            return Err(FrameError::Version(bytes[4]));
        }
        let kind = Kind::from_byte(bytes[5]).ok_or(FrameError::Kind(bytes[5]))?;
        Ok(Header {
            kind,
            flags: word(6),
            call: u64::from_le_bytes(call),
            left_us: Some(u32::from_le_bytes(left)).filter(|left| *left != FOREVER),
            actor: word(20),
            method: word(22),
        })
    }
}

/// A frame that has arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it begins with.
    pub header: Header,
    /// The rest, without the checksum.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// All of its bytes on the connection.
    #[must_use]
    #[inline]
    pub fn len(&self, integrity: Integrity) -> u32 {
        // A frame's length is no longer than four bytes say.
        (HEADER_LEN + self.body.len() + integrity.len()) as u32
    }
}

/// What keeps frames whole on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// A checksum in each, beginning from the session's salt.
    Checksum {
        /// The salt; zero until both ends know it.
        salt: u32,
    },
    /// The connection itself, by TLS.
    Connection,
}

impl Integrity {
    fn len(self) -> usize {
        match self {
            Integrity::Checksum { .. } => CHECKSUM_LEN,
            Integrity::Connection => 0,
        }
    }
}

/// Why bytes are no frame. The connection can't go on: nobody knows where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The peer speaks another version, or another protocol altogether.
    #[error(
        "a frame of version {0} where this side speaks {VERSION}: is the peer a Quark node, and of \
         a release that goes with this one?"
    )]
    Version(u8),
    /// A kind that this version does not have.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// Longer than is allowed, or shorter than a header.
    #[error(
        "a frame of {length} bytes, where {least} to {most} are allowed: raise max_frame on both \
         sides if messages are meant to be so large"
    )]
    Length {
        /// What it says.
        length: u32,
        /// The shortest.
        least: u32,
        /// The longest.
        most: u32,
    },
    /// Not what was sent, or sent in another session.
    #[error("a frame of kind {kind:?} came damaged: its checksum is another")]
    Damaged {
        /// What it seems to be.
        kind: Kind,
    },
}

#[cfg(test)]
mod tests;
