//! Dead letters: one-way messages that could not be delivered, counted and, the last of them,
//! kept.

use std::collections::VecDeque;

use quark_shards::time::Time;

use crate::key::ActorId;

/// A message that nobody got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Whom it was for.
    pub actor: ActorId,
    /// The method it would have called.
    pub method: &'static str,
    /// Why it was not delivered.
    pub reason: String,
    /// When that was, on its shard's clock.
    pub at: Time,
}

/// One shard's dead letters.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters {
    count: u64,
    last: VecDeque<DeadLetter>,
}

/// Dead letters kept on each shard.
const KEPT: usize = 256;

impl DeadLetters {
    pub(crate) fn bury(&mut self, letter: DeadLetter) {
        tracing::debug!(actor = %letter.actor, method = letter.method, reason = letter.reason, "dead letter");
        self.count += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(letter);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn last(&self) -> impl Iterator<Item = &DeadLetter> {
        self.last.iter()
    }
}
