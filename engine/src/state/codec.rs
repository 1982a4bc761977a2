//! How a value stands in its record: a byte for the form, the version of the type, and then
//! MessagePack with named fields.

use std::fmt;

use bytes::Bytes;
use quark_storage::provider::{RecordKey, VALUE_BYTES_MOST};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StateError;
use super::versioned::{Old, UpgradeError, Versioned};
use crate::runtime::try_with_runtime;

/// The only form there is yet.
const FORM: u8 = 1;
/// Bytes before the value itself.
const HEADER: usize = 5;

/// How values of a type are read.
pub(crate) struct Format<T> {
    version: u32,
    upgrade: Option<Upgrade<T>>,
}

type Upgrade<T> = fn(u32, Old<'_>) -> Result<T, UpgradeError>;

impl<T> Format<T> {
    /// That of a type without versions.
    pub(crate) const fn plain() -> Self {
        Format {
            version: 0,
            upgrade: None,
        }
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }
}

impl<T: Versioned> Format<T> {
    pub(super) const fn versioned() -> Self {
        Format {
            version: T::VERSION,
            upgrade: Some(T::upgrade),
        }
    }
}

impl<T: DeserializeOwned> Format<T> {
    /// The value that stands in `bytes`.
    pub(crate) fn decode(&self, bytes: &[u8], key: &RecordKey) -> Result<T, StateError> {
        let unreadable = |version, why: &dyn fmt::Display| StateError::Undecodable {
            key: key.to_string(),
            version,
            why: why.to_string(),
        };
        let Some(([form, version @ ..], value)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(unreadable(0, &"it is too short"));
        };
        let version = u32::from_le_bytes(*version);
        if *form != FORM {
            return Err(unreadable(version, &format_args!("its form is {form}")));
        }
        if version > self.version {
            return Err(StateError::Newer {
                key: key.to_string(),
                version,
                known: self.version,
            });
        }
        match self.upgrade {
            Some(upgrade) if version < self.version => {
                upgrade(version, Old::new(value)).map_err(|error| unreadable(version, &error))
            }
            _ => read(value).map_err(|error| unreadable(version, &error)),
        }
    }
}

/// A value as MessagePack.
pub(super) fn read<T: DeserializeOwned>(value: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    rmp_serde::from_slice(value)
}

/// What stands in the record of `value`. Written into memory that the shard keeps for it.
pub(crate) fn encode<T: Serialize>(
    value: &T,
    version: u32,
    key: &RecordKey,
) -> Result<Bytes, StateError> {
    // Taken out meanwhile: writing a value runs code of its type.
    let kept = try_with_runtime(|here| here.map(|(_, runtime)| runtime.stores.take_buffer()));
    let mut buffer = kept.unwrap_or_default();
    buffer.clear();
    buffer.push(FORM);
    buffer.extend_from_slice(&version.to_le_bytes());
    let written = rmp_serde::encode::write_named(&mut buffer, value);
    let bytes = buffer.len();
    let encoded = match written {
        Err(error) => Err(StateError::Unencodable {
            key: key.to_string(),
            why: error.to_string(),
        }),
        Ok(()) if bytes > VALUE_BYTES_MOST => Err(StateError::TooLarge {
            key: key.to_string(),
            bytes,
            most: VALUE_BYTES_MOST,
        }),
        Ok(()) => Ok(Bytes::copy_from_slice(&buffer)),
    };
    try_with_runtime(|here| {
        if let Some((_, runtime)) = here {
            runtime.stores.give_buffer(buffer);
        }
    });
    encoded
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct First {
        cents: i64,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Second {
        euros: i64,
        #[serde(default)]
        owner: String,
    }

    impl Versioned for Second {
        const VERSION: u32 = 2;

        fn upgrade(from: u32, old: Old<'_>) -> Result<Self, UpgradeError> {
            match from {
                0 => Ok(Second {
                    euros: old.read::<First>()?.cents / 100,
                    owner: String::new(),
                }),
                _ => Err(UpgradeError::new("there never was such a version")),
            }
        }
    }

    fn key() -> RecordKey {
        RecordKey::new("Account", "s:alice", "balance", 7)
    }

    #[test]
    fn a_value_comes_back() {
        let bytes = encode(&First { cents: -5 }, 0, &key()).unwrap();
        assert_eq!(bytes[..HEADER], [1, 0, 0, 0, 0]);
        let read = Format::<First>::plain().decode(&bytes, &key());
        assert_eq!(read, Ok(First { cents: -5 }));
    }

    #[test]
    fn fields_are_known_by_their_names() {
        #[derive(Default, Serialize)]
        struct More {
            color: &'static str,
            cents: i64,
        }
        let more = More {
            color: "red",
            cents: 7,
        };
        let bytes = encode(&more, 0, &key()).unwrap();
        let read = Format::<First>::plain().decode(&bytes, &key());
        assert_eq!(read, Ok(First { cents: 7 }));
    }

    #[test]
    fn an_old_version_is_upgraded() {
        let bytes = encode(&First { cents: 700 }, 0, &key()).unwrap();
        let upgraded = Format::<Second>::versioned().decode(&bytes, &key());
        assert_eq!(upgraded.map(|second| second.euros), Ok(7));
        let bytes = encode(&First { cents: 700 }, 1, &key()).unwrap();
        let refused = Format::<Second>::versioned().decode(&bytes, &key());
        assert!(
            matches!(&refused, Err(StateError::Undecodable { version: 1, why, .. }) if why == "there never was such a version"),
            "{refused:?}"
        );
    }

    #[test]
    fn a_newer_version_is_refused() {
        let bytes = encode(&Second::default(), 3, &key()).unwrap();
        let refused = Format::<Second>::versioned().decode(&bytes, &key());
        assert!(
            matches!(
                refused,
                Err(StateError::Newer {
                    version: 3,
                    known: 2,
                    ..
                })
            ),
            "{refused:?}"
        );
        let refused = Format::<First>::plain().decode(&bytes, &key());
        assert!(matches!(refused, Err(StateError::Newer { known: 0, .. })));
    }

    #[test]
    fn whatever_is_on_disk_is_no_panic() {
        let whole = encode(&First { cents: 1 << 40 }, 0, &key()).unwrap();
        for end in 0..whole.len() {
            let refused = Format::<First>::plain().decode(&whole[..end], &key());
            assert!(
                matches!(refused, Err(StateError::Undecodable { .. })),
                "{end}"
            );
        }
        for form in [0, 2, 255] {
            let mut bytes = whole.to_vec();
            bytes[0] = form;
            assert!(Format::<First>::plain().decode(&bytes, &key()).is_err());
        }
        // A string that is said to have four gigabytes, and lists in lists in lists.
        let mut long = whole[..HEADER].to_vec();
        long.extend([0xdb, 0xff, 0xff, 0xff, 0xff, b'x']);
        assert!(Format::<String>::plain().decode(&long, &key()).is_err());
        let mut deep = whole[..HEADER].to_vec();
        deep.extend([0x91; 100_000]);
        #[derive(Debug, Default, Deserialize)]
        struct Nested(#[allow(dead_code)] Vec<Nested>);
        assert!(Format::<Nested>::plain().decode(&deep, &key()).is_err());
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let refused = encode(&"x".repeat(VALUE_BYTES_MOST), 0, &key());
        assert!(matches!(refused, Err(StateError::TooLarge { .. })));
    }
}
