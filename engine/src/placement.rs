//! Placement: which shard a key's home is.
//!
//! The home settles who is first and knows where its actors live; with most placements they live
//! there, too.

use quark_shards::slots::shard_of;

use crate::engine::Engine;
use crate::key::Key;
use crate::options::{ActorOptions, Placement};

/// What the keys of groups are hashed with, in place of a type: the groups of one name are one,
/// whatever their actors' types.
const GROUPS: u64 = 0x6772_6F75_7073_0001;

impl Engine {
    /// The home of `key`, whose hash is `hash`, for a type with these options.
    pub(crate) fn home(&self, options: &ActorOptions, key: &Key, hash: u64) -> u16 {
        if self.settings().remote.peer.is_some() {
            // Its types live elsewhere, and this shard is the way to all of them.
            return 0;
        }
        let near = match options.placement {
            Some(Placement::Pinned(shard)) => return shard,
            Some(Placement::Near(place)) => self.settings().neighbourhoods.near(place),
            _ => &[],
        };
        let hash = match options.affinity {
            Some(group_of) => self.hash_in(GROUPS, &group_of(key)),
            None => hash,
        };
        match u16::try_from(near.len()) {
            Ok(0) | Err(_) => shard_of(hash, self.shards()),
            Ok(count) => near[usize::from(shard_of(hash, count))],
        }
    }
}
