//! Types whose meaning changes from one version of the program to the next.

use std::fmt;

use serde::de::DeserializeOwned;

use super::codec;

/// A type of which older versions may be kept, and how they become this one.
///
/// Most changes need none of it: fields that come need `#[serde(default)]`, fields that go are
/// skipped, and fields that change their names have serde's `alias`. It is for those that mean
/// something else than before. A state whose type implements it is upgraded as it is loaded, and
/// stays in the store as it was until it is saved.
///
/// ```
/// use quark::{Old, UpgradeError, Versioned};
/// use serde::{Deserialize, Serialize};
///
/// /// What stood there before this type had versions, which counts as version 0.
/// #[derive(Deserialize)]
/// struct InEuros {
///     euros: i64,
/// }
///
/// #[derive(Default, Serialize, Deserialize)]
/// pub struct Balance {
///     cents: i64,
/// }
///
/// impl Versioned for Balance {
///     const VERSION: u32 = 1;
///
///     fn upgrade(from: u32, old: Old<'_>) -> Result<Self, UpgradeError> {
///         match from {
///             0 => Ok(Balance { cents: old.read::<InEuros>()?.euros * 100 }),
///             other => Err(UpgradeError::new(format!("version {other} never was"))),
///         }
///     }
/// }
/// ```
///
/// What a newer program has kept is refused ([`StateError::Newer`](crate::StateError::Newer)), and
/// left as it is.
pub trait Versioned: Sized {
    /// The version of this very type. States kept before their type had versions are of version 0.
    const VERSION: u32;

    /// Makes of what was kept by version `from`, which is lower than [`VERSION`](Self::VERSION),
    /// one of this.
    ///
    /// # Errors
    /// Your own. The state counts as [undecodable](crate::StateError::Undecodable) then.
    fn upgrade(from: u32, old: Old<'_>) -> Result<Self, UpgradeError>;
}

/// What an older version has kept.
#[derive(Clone, Copy)]
pub struct Old<'a>(&'a [u8]);

impl<'a> Old<'a> {
    pub(super) fn new(value: &'a [u8]) -> Self {
        Old(value)
    }

    /// Reads it as what it was then.
    ///
    /// # Errors
    /// If it is something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, UpgradeError> {
        codec::read(self.0).map_err(|error| UpgradeError(error.to_string()))
    }
}

impl fmt::Debug for Old<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Old({} bytes)", self.0.len())
    }
}

/// Why an older version did not become this one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UpgradeError(String);

impl UpgradeError {
    /// An error that reads `message`.
    pub fn new(message: impl Into<String>) -> Self {
        UpgradeError(message.into())
    }
}
