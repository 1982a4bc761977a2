//! Failures that nobody below the engine bears.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::key::ActorId;
use crate::runtime::Runtime;

/// An actor that the engine has given up: it had no parent, and failed more often than its
/// type's [`Supervision`](crate::Supervision) bears, or that says to escalate.
///
/// Its life has ended; the next call to its key begins a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Who.
    pub actor: ActorId,
    /// Where it lived.
    pub shard: u16,
    /// What failed last.
    pub cause: String,
    /// Its restarts within its window before that.
    pub restarts: u16,
}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Escalation {
            actor,
            shard,
            cause,
            restarts,
        } = self;
        write!(
            f,
            "{actor} on shard {shard} was given up after {restarts} restarts: {cause}"
        )
    }
}

/// Hears of escalations, on the shard where they happen.
#[derive(Clone)]
pub(crate) struct OnEscalation(pub(crate) Arc<dyn Fn(&Escalation) + Send + Sync>);

impl fmt::Debug for OnEscalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnEscalation")
    }
}

impl Runtime {
    /// Counts, logs and tells an escalation to the engine.
    pub(super) fn escalated(&self, escalation: &Escalation) {
        self.escalations.set(self.escalations.get() + 1);
        tracing::error!(
            actor = %escalation.actor,
            shard = escalation.shard,
            cause = escalation.cause,
            restarts = escalation.restarts,
            "an actor was given up; its next call begins a new life"
        );
        let Some(OnEscalation(hear)) = &self.engine().settings().on_escalation else {
            return;
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| hear(escalation))) {
            tracing::error!("what on_escalation was given has panicked");
            // A payload may panic on its way out, too.
            std::mem::forget(panic);
        }
    }
}
