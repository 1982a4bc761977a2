//! The hash of an actor's key: the same on every machine and in every version of the program.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// An actor's key, as it is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    /// A number.
    Int(u64),
    /// A name.
    Str(&'a str),
}

/// Hashes the keys of one actor type: what depends on the type alone is done once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHasher {
    ints: u64,
    strings: u64,
}

impl KeyHasher {
    /// For a cluster with the secret `seed` and a type whose registered name hashes to
    /// `type_hash`.
    #[must_use]
    pub fn new(seed: u64, type_hash: u64) -> Self {
        KeyHasher {
            ints: seed_of(seed, type_hash, INTS),
            strings: seed_of(seed, type_hash, STRINGS),
        }
    }

    /// The hash of `key`.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: Key<'_>) -> u64 {
        match key {
            Key::Int(number) => hash_int(number, self.ints),
            Key::Str(name) => hash_str(name, self.strings),
        }
    }
}

/// The hash of `key` of a type, once. For many keys of a type see [`KeyHasher`].
#[must_use]
pub fn hash_key(seed: u64, type_hash: u64, key: Key<'_>) -> u64 {
    match key {
        Key::Int(number) => hash_int(number, seed_of(seed, type_hash, INTS)),
        Key::Str(name) => hash_str(name, seed_of(seed, type_hash, STRINGS)),
    }
}

const INTS: u8 = 1;
const STRINGS: u8 = 2;

/// What keys of one kind are hashed with.
fn seed_of(seed: u64, type_hash: u64, kind: u8) -> u64 {
    let mut bytes = [kind; 9];
    bytes[..8].copy_from_slice(&type_hash.to_le_bytes());
    xxh3_64_with_seed(&bytes, seed)
}

#[inline]
fn hash_int(number: u64, seed: u64) -> u64 {
    xxh3_64_with_seed(&number.to_le_bytes(), seed)
}

#[inline]
fn hash_str(name: &str, seed: u64) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), seed)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::slots::{shard_of, slot_of};

    /// Nodes of all versions must agree: these values may never change.
    #[test]
    fn is_what_it_always_was() {
        let seed = 0x5EED;
        let hashes = [
            hash_key(seed, 1, Key::Int(0)),
            hash_key(seed, 1, Key::Int(42)),
            hash_key(seed, 1, Key::Str("")),
            hash_key(seed, 1, Key::Str("alice")),
            hash_key(0, 2, Key::Str("alice")),
        ];
        let golden = [
            0xBC1A_9C19_6D9E_2C7A,
            0x94CF_9260_B3B6_836A,
            0xAB5B_FDB6_C2AD_FF91,
            0x2528_9348_4169_6983,
            0xA016_C6E0_7CA7_44BD,
        ];
        assert_eq!(hashes, golden);
    }

    #[test]
    fn tells_types_kinds_and_seeds_apart() {
        let hashes = HashSet::from([
            hash_key(1, 1, Key::Int(u64::from_le_bytes(*b"12345678"))),
            hash_key(1, 1, Key::Str("12345678")),
            hash_key(1, 2, Key::Str("12345678")),
            hash_key(2, 1, Key::Str("12345678")),
        ]);
        assert_eq!(hashes.len(), 4);
    }

    #[test]
    fn spreads_numbers_in_a_row_over_slots_and_shards() {
        let hasher = KeyHasher::new(7, 9);
        let (mut slots, mut shards) = (vec![0u32; 64], vec![0u32; 12]);
        for number in 0..64_000 {
            let hash = hasher.hash(Key::Int(number));
            slots[usize::from(slot_of(hash)) % 64] += 1;
            shards[usize::from(shard_of(hash, 12))] += 1;
        }
        assert!(slots.iter().all(|n| (800..1200).contains(n)), "{slots:?}");
        assert!(
            shards.iter().all(|n| (5_000..5_700).contains(n)),
            "{shards:?}"
        );
    }
}
