//! How values stand on the wire.
//!
//! Two codecs: the exact one between nodes whose schemas of an actor are the same, and the
//! tolerant one between versions, where fields come and go. [`Travel`] is what both can carry,
//! and [`Arguments`] what a method is called with.

mod arguments;
mod error;
mod exact;
mod reply;
mod skim;
#[cfg(test)]
mod tests;
mod tolerant;
mod travel;

pub use arguments::Arguments;
pub use error::{DecodeError, EncodeError};
pub use exact::FORMAT;
pub use reply::{decode_answer, decode_reply, encode_answer, encode_reply};
pub use travel::Travel;

/// How a value is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// rkyv: fast, for nodes whose schemas' fingerprints agree.
    Exact,
    /// MessagePack with named fields, arguments and variants.
    Tolerant,
}

/// Bytes of an encoded value at most: a limit of the codecs, above whatever frames allow.
pub const ENCODED_BYTES_MOST: usize = 1 << 28;

/// How deep a value that is decoded may be nested: lists in lists, boxes in boxes. Each level may
/// take up to three of a recursive enum's.
pub const DEPTH_MOST: usize = 128;
