//! What a record is found by.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Names one state, journal or reminder of one actor. Cheap to clone, and may be sent.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordKey(Arc<Parts>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Parts {
    fingerprint: u128,
    slot: u16,
    actor: Box<str>,
    key: Box<str>,
    name: Box<str>,
}

/// Tells these fingerprints from hashes of the same text elsewhere.
const SEED: u64 = 0x7175_6172_6b2e_7265;

impl RecordKey {
    /// The record called `name` of the actor `key` (in text) of the type registered as `actor`.
    ///
    /// `slot` is the key's place on the cluster's hash ring; the same key always has the same.
    #[must_use]
    pub fn new(actor: &str, key: &str, name: &str, slot: u16) -> Self {
        RecordKey(Arc::new(Parts {
            fingerprint: fingerprint(actor, key, name),
            slot,
            actor: actor.into(),
            key: key.into(),
            name: name.into(),
        }))
    }

    /// The registered name of the actor's type.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The actor's key, in text.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// What the record is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The key's place on the hash ring: the unit that epochs are kept for.
    #[must_use]
    pub fn slot(&self) -> u16 {
        self.0.slot
    }

    /// A hash of the three names: the same on every machine and in every version.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.0.fingerprint
    }

    /// Bytes of the three names together.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.0.actor.len() + self.0.key.len() + self.0.name.len()
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.actor(), self.key(), self.name())
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Lengths go in too, so that no two triples run into the same text.
fn fingerprint(actor: &str, key: &str, name: &str) -> u128 {
    let mut text = Vec::with_capacity(actor.len() + key.len() + name.len() + 16);
    text.extend_from_slice(&(actor.len() as u64).to_le_bytes());
    text.extend_from_slice(&(key.len() as u64).to_le_bytes());
    for part in [actor, key, name] {
        text.extend_from_slice(part.as_bytes());
    }
    xxh3_128_with_seed(&text, SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_has_another_fingerprint() {
        let keys = [
            RecordKey::new("a", "bc", "d", 0),
            RecordKey::new("ab", "c", "d", 0),
            RecordKey::new("a", "b", "cd", 0),
            RecordKey::new("", "abc", "d", 0),
        ];
        for (at, one) in keys.iter().enumerate() {
            for other in &keys[at + 1..] {
                assert_ne!(one.fingerprint(), other.fingerprint(), "{one} and {other}");
            }
        }
    }

    #[test]
    fn the_fingerprint_is_the_same_in_every_version() {
        let key = RecordKey::new("Account", "alice", "balance", 7);
        assert_eq!(
            key.fingerprint(),
            RecordKey::new("Account", "alice", "balance", 9).fingerprint()
        );
        assert_eq!(key.fingerprint(), 0xbf27_8f9f_7d6c_2116_e025_e21c_a983_d51c);
    }
}
