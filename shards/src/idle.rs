//! What a shard does when there is nothing to do.

mod budget;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use budget::SpinBudget;

/// How a shard waits for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdlePolicy {
    /// Never sleeps: the fastest answer, a whole core at 100 %.
    Spin,
    /// Looks for work for a while, then sleeps until it is woken.
    Adaptive {
        /// How long it looks at most. Where work mostly comes sooner or later than that, it looks
        /// just as long as pays: not at all while there is none. While a disk works for it, whose
        /// answer will come, four times as long at most.
        spin: Duration,
    },
    /// Sleeps at once: for more shards than free cores, containers and test machines.
    Park,
}

impl IdlePolicy {
    /// [`Adaptive`](IdlePolicy::Adaptive) with the usual budget.
    pub const ADAPTIVE: IdlePolicy = IdlePolicy::Adaptive {
        spin: Duration::from_micros(100),
    };

    /// Whether a shard of this policy can be asleep.
    #[must_use]
    pub const fn sleeps(self) -> bool {
        !matches!(self, IdlePolicy::Spin)
    }
}

impl Default for IdlePolicy {
    fn default() -> Self {
        Self::ADAPTIVE
    }
}

impl fmt::Display for IdlePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IdlePolicy::Spin => "spin",
            IdlePolicy::Adaptive { .. } => "adaptive",
            IdlePolicy::Park => "park",
        })
    }
}

/// The text named none of the policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown idle policy {0:?}: choose spin, adaptive or park")]
pub struct UnknownIdlePolicy(String);

impl FromStr for IdlePolicy {
    type Err = UnknownIdlePolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "spin" => Ok(IdlePolicy::Spin),
            "adaptive" => Ok(IdlePolicy::ADAPTIVE),
            "park" => Ok(IdlePolicy::Park),
            other => Err(UnknownIdlePolicy(other.to_owned())),
        }
    }
}
