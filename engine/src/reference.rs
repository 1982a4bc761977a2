//! References: names of actors that may be kept, cloned and sent anywhere.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::activation::Head;
use crate::actor::{Actor, TypeToken};
use crate::engine::EngineId;
use crate::key::{ActorId, Key};
use crate::runtime::Runtime;

/// The untyped part of a reference: who is meant, where it lives, and where it was last found.
///
/// Making one makes no actor. It stays good whatever happens to the actor; once its engine has
/// stopped, calls answer [`Stopped`](crate::CallError::Stopped).
pub struct RefCore {
    pub(crate) token: &'static TypeToken,
    pub(crate) key: Key,
    /// The key's place on the ring; computed once.
    pub(crate) hash: u64,
    pub(crate) engine: EngineId,
    pub(crate) shard: u16,
    hint: AtomicU64,
}

/// Where an activation was: its cell's address on its shard, and which use of that cell.
///
/// Means something on the shard that gave it out only, and is checked against the key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint(pub(crate) u64);

impl Hint {
    pub(crate) const NONE: Hint = Hint(0);

    /// # Panics
    /// If the address has more than 48 bits, which user space has not.
    #[inline]
    pub(crate) fn new(address: usize, generation: u16) -> Self {
        debug_assert!(address >> 48 == 0, "a cell beyond 48 bits of address");
        Hint(((address as u64) << 16) | u64::from(generation))
    }

    #[inline]
    pub(crate) fn address(self) -> usize {
        (self.0 >> 16) as usize
    }

    #[inline]
    pub(crate) fn generation(self) -> u16 {
        self.0 as u16
    }
}

impl RefCore {
    pub(crate) fn new(
        token: &'static TypeToken,
        key: Key,
        hash: u64,
        engine: EngineId,
        shard: u16,
    ) -> Self {
        RefCore {
            token,
            key,
            hash,
            engine,
            shard,
            hint: AtomicU64::new(0),
        }
    }

    pub(crate) fn of_activation<A: Actor>(runtime: &Runtime, shard: u16, head: &Head) -> Self {
        let core = runtime.engine().core_of::<A>(head.key());
        // Away from home its address means nothing to those who look for it there.
        if core.shard == shard {
            core.remember(head.hint());
        }
        core
    }

    #[inline]
    pub(crate) fn hint(&self) -> Hint {
        Hint(self.hint.load(Ordering::Relaxed))
    }

    /// A hint is ignored where it is wrong, so a relaxed store will do. What is found by a contract
    /// is an actor of another type, whose cells a message of the contract must not meet.
    #[inline]
    pub(crate) fn remember(&self, hint: Hint) {
        if self.hint.load(Ordering::Relaxed) != hint.0 && self.token.has_actors() {
            self.hint.store(hint.0, Ordering::Relaxed);
        }
    }

    /// Who is meant.
    #[must_use]
    pub fn id(&self) -> ActorId {
        ActorId {
            actor: self.token.name(),
            key: self.key.clone(),
        }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The shard where the actor lives, whenever it lives.
    #[must_use]
    pub fn shard(&self) -> u16 {
        self.shard
    }
}

impl Clone for RefCore {
    fn clone(&self) -> Self {
        RefCore {
            token: self.token,
            key: self.key.clone(),
            hash: self.hash,
            engine: self.engine,
            shard: self.shard,
            hint: AtomicU64::new(self.hint().0),
        }
    }
}

impl fmt::Debug for RefCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{} on shard {}",
            self.token.name(),
            self.key,
            self.shard
        )
    }
}

impl PartialEq for RefCore {
    fn eq(&self, other: &Self) -> bool {
        self.engine == other.engine
            && self.token.hash() == other.token.hash()
            && self.key == other.key
    }
}

impl Eq for RefCore {}

/// By the hash that places the key: equal references have the same.
impl std::hash::Hash for RefCore {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}
