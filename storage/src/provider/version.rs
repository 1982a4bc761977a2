//! Which version of a record, and who may write it.

use std::fmt;

/// Names one save of one record: no two saves of a store have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ETag(pub u64);

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the changes of a slot's owner. Who owns a slot under a higher one has shut out all
/// others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a writer believes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is not there.
    Absent,
    /// It is as this save left it.
    Tag(ETag),
    /// Whatever it is.
    Any,
}

impl Expected {
    /// What one believes who has loaded `etag`.
    #[must_use]
    pub fn loaded(etag: Option<ETag>) -> Self {
        etag.map_or(Expected::Absent, Expected::Tag)
    }

    /// Whether a record whose E-tag is `current` is as expected.
    #[must_use]
    pub fn holds(self, current: Option<ETag>) -> bool {
        match self {
            Expected::Absent => current.is_none(),
            Expected::Tag(etag) => current == Some(etag),
            Expected::Any => true,
        }
    }
}
