//! The exact codec: rkyv, always checked before it is read.
//!
//! Its `unaligned` form may lie anywhere in a buffer. Values stand at the end of their bytes,
//! after what they point to.

use std::num::NonZeroUsize;

use bytes::BytesMut;
use rkyv::api::low::{LowDeserializer, LowSerializer};
use rkyv::api::{access_with_context, deserialize_using, serialize_using};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::{Failure, Strategy};
use rkyv::ser::allocator::ArenaHandle;
use rkyv::ser::{Positional, Serializer, Writer};
use rkyv::util::with_arena;
use rkyv::validation::archive::ArchiveValidator;
use rkyv::{Archive, Archived, Deserialize, Serialize};

use super::{DEPTH_MOST, DecodeError, ENCODED_BYTES_MOST, EncodeError};

/// What the form depends on besides the types: our own number for it, and rkyv's version and
/// features. Part of every fingerprint.
pub const FORMAT: &str = "quark 1, rkyv 0.8, little_endian, pointer_width_64, unaligned";

// The features are turned on for the whole program, by whoever depends on rkyv: those that FORMAT
// names must be the ones in force.
const _: () = assert!(
    align_of::<Archived<u64>>() == 1 && size_of::<Archived<usize>>() == 8,
    "rkyv's features are not those of quark's wire format"
);

type Encoder<'a> = LowSerializer<Out<'a>, ArenaHandle<'a>, Failure>;
type Checker<'a> = Strategy<ArchiveValidator<'a>, Failure>;
type Decoder = LowDeserializer<Failure>;

/// What rkyv can write, check and read.
pub trait Exact:
    Archive<Archived: for<'a> CheckBytes<Checker<'a>> + Deserialize<Self, Decoder>>
    + for<'a> Serialize<Encoder<'a>>
    + Sized
{
}

impl<T> Exact for T
where
    T: Archive + for<'a> Serialize<Encoder<'a>>,
    T::Archived: for<'a> CheckBytes<Checker<'a>> + Deserialize<T, Decoder>,
{
}

/// Appends the form of `value` to `out`.
pub(super) fn encode<T: Exact>(value: &T, out: &mut BytesMut) -> Result<(), EncodeError> {
    let start = out.len();
    let written = with_arena(|arena| {
        let mut serializer = Serializer::new(Out { bytes: out, start }, arena.acquire(), ());
        serialize_using::<_, Failure>(value, &mut serializer)
    });
    // Nothing but the limit fails: whatever the types do, they only write.
    written.map(drop).map_err(|Failure| {
        out.truncate(start);
        EncodeError::TooLarge
    })
}

/// The value whose form is at the end of `bytes`.
pub(super) fn decode<T: Exact>(bytes: &[u8]) -> Result<T, DecodeError> {
    // Deeper values could exhaust the stack.
    let depth = NonZeroUsize::new(DEPTH_MOST);
    let mut validator = ArchiveValidator::with_max_depth(bytes, depth);
    let archived = access_with_context::<T::Archived, _, Failure>(bytes, &mut validator);
    archived
        .and_then(|archived| deserialize_using(archived, &mut ()))
        .map_err(|Failure| DecodeError::Malformed)
}

/// A buffer's end, that positions are counted from the beginning of.
#[derive(Debug)]
pub struct Out<'a> {
    bytes: &'a mut BytesMut,
    start: usize,
}

impl Positional for Out<'_> {
    #[inline]
    fn pos(&self) -> usize {
        self.bytes.len() - self.start
    }
}

impl Writer<Failure> for Out<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.len() > ENCODED_BYTES_MOST - self.pos() {
            return Err(Failure);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}
