//! What a message's frame holds before its arguments: what goes along with it, and which actor it
//! is for.

use bytes::BytesMut;
use quark_shards::slots::Key;

use crate::cursor::{Cursor, MalformedError};

/// The longest key, in bytes.
pub const KEY_MOST: usize = 4096;

/// The longest context, in bytes.
pub const CONTEXT_MOST: usize = 64 << 10;

const INT: u8 = 0;
const STR: u8 = 1;

/// A message but for its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageParts<'a> {
    /// Empty: none.
    pub(crate) context: &'a [u8],
    pub(crate) key: Key<'a>,
}

/// Whether these may travel.
#[inline]
pub(crate) fn fits(key: Key<'_>, context: &[u8]) -> bool {
    context.len() <= CONTEXT_MOST && !matches!(key, Key::Str(key) if key.len() > KEY_MOST)
}

/// Appends `parts`, which [fit](fits).
#[inline]
pub(crate) fn write_message(out: &mut BytesMut, parts: MessageParts<'_>) {
    if !parts.context.is_empty() {
        out.extend_from_slice(&(parts.context.len() as u32).to_le_bytes());
        out.extend_from_slice(parts.context);
    }
    match parts.key {
        Key::Int(key) => {
            out.extend_from_slice(&[INT]);
            out.extend_from_slice(&key.to_le_bytes());
        }
        Key::Str(key) => {
            out.extend_from_slice(&[STR]);
            out.extend_from_slice(&(key.len() as u16).to_le_bytes());
            out.extend_from_slice(key.as_bytes());
        }
    }
}

/// The parts, and the arguments behind them.
#[inline]
pub(crate) fn read_message(
    body: &[u8],
    has_context: bool,
) -> Result<(MessageParts<'_>, &[u8]), MalformedError> {
    let mut body = Cursor::new(body);
    let context = if has_context {
        let is = body.u32("the context")? as usize;
        if is > CONTEXT_MOST {
            return Err(MalformedError::TooMuch {
                what: "the context",
                is,
                most: CONTEXT_MOST,
            });
        }
        body.bytes(is, "the context")?
    } else {
        &[]
    };
    let key = match body.u8("the key")? {
        INT => Key::Int(body.u64("the key")?),
        STR => Key::Str(body.text(KEY_MOST, "the key")?),
        other => {
            return Err(MalformedError::Unknown {
                what: "the kind of key",
                is: other.into(),
            });
        }
    };
    Ok((MessageParts { context, key }, body.rest()))
}
