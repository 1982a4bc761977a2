//! What a store takes.

use bytes::Bytes;

use super::{RecordKey, StoreError};

/// The most bytes of a state, or of the events appended at once.
pub const VALUE_BYTES_MOST: usize = 1 << 20;
/// The most bytes that a record's three names have together.
pub const KEY_BYTES_MOST: usize = 4096;
/// The most events appended at once.
pub const EVENTS_MOST: usize = 4096;

/// Refuses what is too large to be a state.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub fn check_value(key: &RecordKey, value: &Bytes) -> Result<(), StoreError> {
    check_key(key)?;
    within("value", value.len(), VALUE_BYTES_MOST, key)
}

/// Refuses what is too much to append at once.
///
/// # Errors
/// [`StoreError::TooLarge`].
pub fn check_events(key: &RecordKey, events: &[Bytes]) -> Result<(), StoreError> {
    check_key(key)?;
    if events.len() > EVENTS_MOST {
        return Err(StoreError::TooMany {
            key: key.to_string(),
            events: events.len(),
        });
    }
    let bytes = events.iter().map(Bytes::len).sum();
    within("events", bytes, VALUE_BYTES_MOST, key)
}

fn check_key(key: &RecordKey) -> Result<(), StoreError> {
    within("names", key.text_len(), KEY_BYTES_MOST, key)
}

fn within(
    what: &'static str,
    bytes: usize,
    most: usize,
    key: &RecordKey,
) -> Result<(), StoreError> {
    if bytes <= most {
        return Ok(());
    }
    let key: String = key.to_string().chars().take(200).collect();
    Err(StoreError::TooLarge {
        what,
        key,
        bytes,
        most,
    })
}
