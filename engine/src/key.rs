//! Keys and identities: which actor is meant.

use std::fmt;
use std::sync::Arc;

use quark_shards::slots;

/// What tells the actors of one type apart: an integer or a string.
///
/// Two words large, so that it travels in a message's first cache line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An integer; signed ones are taken by their bits.
    Int(u64),
    /// A string.
    Str(Arc<str>),
}

const _: () = assert!(size_of::<Key>() == 16);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(key) => key.fmt(f),
            Key::Str(key) => key.fmt(f),
        }
    }
}

macro_rules! from_integers {
    ($($unsigned:ty)*; $($signed:ty)*) => {
        $(impl From<$unsigned> for Key {
            #[inline]
            fn from(key: $unsigned) -> Self { Key::Int(key as u64) }
        })*
        $(impl From<$signed> for Key {
            #[inline]
            fn from(key: $signed) -> Self { Key::Int(i64::from(key).cast_unsigned()) }
        })*
    };
}

from_integers!(u8 u16 u32 u64 usize; i8 i16 i32 i64);

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Key::Str(key.into())
    }
}

impl From<String> for Key {
    fn from(key: String) -> Self {
        Key::Str(key.into())
    }
}

impl From<&String> for Key {
    fn from(key: &String) -> Self {
        Key::Str(key.as_str().into())
    }
}

impl From<Arc<str>> for Key {
    fn from(key: Arc<str>) -> Self {
        Key::Str(key)
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Self {
        key.clone()
    }
}

/// As it is hashed, and as it leaves the process.
impl<'a> From<&'a Key> for slots::Key<'a> {
    fn from(key: &'a Key) -> Self {
        match key {
            Key::Int(number) => slots::Key::Int(*number),
            Key::Str(name) => slots::Key::Str(name),
        }
    }
}

/// An actor's identity, as people and logs name it: its type and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorId {
    /// The type's registered name.
    pub actor: &'static str,
    /// Which of them.
    pub key: Key,
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.actor, self.key)
    }
}
