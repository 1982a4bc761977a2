//! The context of a call, as frames carry it.

use std::sync::Arc;

use crate::context::Context;

/// Appends `context`: the request's id, how many entries there are, and of each entry its name and its
/// value, with their lengths before them. A length that has no place in 32 bits fits no frame either.
pub(super) fn write(context: &Context, out: &mut Vec<u8>) {
    let text = |out: &mut Vec<u8>, text: &str| {
        let long = u32::try_from(text.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&long.to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    };
    let entries = context.entries();
    out.extend_from_slice(&context.request_id().to_le_bytes());
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    for (name, value) in entries {
        text(out, name);
        text(out, value);
    }
}

/// What [`write`] has written; nothing if it is something else.
pub(super) fn read(bytes: &[u8]) -> Option<Context> {
    let (request_id, rest) = bytes.split_first_chunk()?;
    let (count, mut rest) = rest.split_first_chunk()?;
    let mut text = || -> Option<Arc<str>> {
        let (long, behind) = rest.split_first_chunk()?;
        let long = usize::try_from(u32::from_le_bytes(*long)).ok()?;
        let (text, behind) = behind.split_at_checked(long)?;
        rest = behind;
        Some(std::str::from_utf8(text).ok()?.into())
    };
    let mut entries = Vec::new();
    // As many as there are bytes for, whatever the count says.
    for _ in 0..u32::from_le_bytes(*count) {
        entries.push((text()?, text()?));
    }
    rest.is_empty()
        .then(|| Context::of(u64::from_le_bytes(*request_id), entries))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(context: &Context) -> Vec<u8> {
        let mut out = Vec::new();
        write(context, &mut out);
        out
    }

    proptest! {
        #[test]
        fn contexts_come_back_as_they_were(
            id in any::<u64>(),
            entries in proptest::collection::btree_map(".{0,9}", ".{0,30}", 0..5),
        ) {
            let mut context = Context::new(id);
            for (name, value) in &entries {
                context = context.with(name, value);
            }
            let bytes = written(&context);
            prop_assert_eq!(read(&bytes), Some(context));
            for cut in 0..bytes.len() {
                prop_assert_eq!(read(&bytes[..cut]), None);
            }
        }

        #[test]
        fn anything_else_is_no_context_or_a_whole_one(bytes in proptest::collection::vec(0..4_u8, 0..64)) {
            if let Some(context) = read(&bytes) {
                prop_assert_eq!(written(&context), bytes);
            }
        }
    }
}
