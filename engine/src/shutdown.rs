//! A shard's part in a shutdown.

use quark_shards::shard::Shard;

use crate::runtime::{Closing, Runtime};

/// What a shard says of what is under way on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    busy: bool,
    /// Turns so far: two quiet surveys with the same number saw nothing happen between them.
    turns: u64,
}

impl Survey {
    pub(crate) fn and(self, other: Survey) -> Survey {
        Survey {
            busy: self.busy || other.busy,
            turns: self.turns + other.turns,
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        !self.busy
    }
}

impl Runtime {
    /// Whether anything is under way here.
    pub(crate) fn survey(&self, shard: &Shard) -> Survey {
        let busy = shard.calls().open_count() != 0
            || !self.posts.is_empty()
            || self.remote().is_some_and(|remote| !remote.is_quiet())
            || !self.types.iter().all(|types| types.is_quiet());
        Survey {
            busy,
            turns: self.turns(),
        }
    }

    /// Puts the actors here to sleep and makes no new ones; true once none is left.
    pub(crate) fn close_actors(&self, shard: &Shard) -> bool {
        self.set_closing(Closing::Actors);
        // All are begun, whatever the first ones say.
        self.types
            .iter()
            .map(|types| types.close(shard, self))
            .fold(true, |all, closed| all & closed)
    }
}
