use std::sync::Arc;

use quark_shards::slots::NodeId;

use super::table::{Newcomer, Table};

/// What the nodes of a cluster say to each other about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A member's sign of life, and its request for a lease.
    Ask(Ask),
    /// The lease is confirmed.
    Confirm {
        /// The version that both sides have.
        version: u64,
        /// Which round of questions this answers.
        round: u64,
    },
    /// The lease is not confirmed, since this side has a newer version.
    Refuse {
        /// Which.
        version: u64,
    },
    /// A node wants to be a member.
    Join(Newcomer),
    /// What the nodes have agreed on, for clients.
    Table(Arc<Table>),
}

/// See [`Message::Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The version that the asker has.
    pub version: u64,
    /// Rises with each round of questions.
    pub round: u64,
    /// Whether it holds a lease.
    pub has_lease: bool,
    /// Whether it holds alone whatever this version gives it.
    pub is_settled: bool,
    /// It has let go of every slot that one of these versions took from it, and nobody else had held
    /// those when they did.
    pub let_go: Versions,
    /// Members that it has not heard of for long.
    pub silent: Vec<NodeId>,
}

/// Versions from the one to the other, both included; none if the first is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Versions {
    /// None at all.
    pub const NONE: Versions = Versions { first: 1, last: 0 };

    /// Whether this is one of them.
    #[inline]
    #[must_use]
    pub fn contains(self, version: u64) -> bool {
        self.first <= version && version <= self.last
    }
}
