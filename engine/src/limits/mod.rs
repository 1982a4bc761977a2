//! What a type may ask to be limited by: a [rate](rate), a circuit [breaker](breaker), its
//! actors' own [pace](pace). Each holds for one type on one shard.
//!
//! Types that ask for none of it pay nothing. The cells of those that do carry a bit in their
//! gate that no check of the short ways knows, and no room for quick tells, so that each message
//! to them fails a test that is made anyway and takes the long way, where this is looked at.

pub(crate) mod breaker;
pub(crate) mod guarded;
mod pace;
mod rate;

use std::cell::RefCell;
use std::time::Duration;

use quark_shards::time::Time;

use crate::error::{Refusal, RetryAfter};
use crate::options::ActorOptions;
use breaker::{BreakerInfo, Change, Circuit, Pass};
use pace::Pace;
use rate::Bucket;

/// The limits of one type on one shard; it has at least one.
pub(crate) struct Limits {
    rate: Option<RefCell<Bucket>>,
    circuit: Option<RefCell<Circuit>>,
    pace: Option<Pace>,
}

/// Whether a message was let through to a type that has limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Nobody has asked.
    #[default]
    Unasked,
    Given,
    /// It is the one that a half open breaker has let through.
    Probe,
}

/// How a turn ended, to its type's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    /// It panicked, or its method returned an error.
    Failed,
    /// It never ran, or was dropped for what others did.
    Unknown,
}

impl Limits {
    /// What `options` ask for, if anything; `mailbox` is the bound that they set.
    pub(crate) fn new(options: &ActorOptions, mailbox: usize) -> Option<Box<Self>> {
        let limits = Limits {
            rate: options.rate_limit.map(Bucket::new).map(RefCell::new),
            circuit: options.breaker.map(Circuit::new).map(RefCell::new),
            pace: options.adaptive.map(|work| Pace::new(work, mailbox)),
        };
        let any = limits.rate.is_some() || limits.circuit.is_some() || limits.pace.is_some();
        any.then(|| Box::new(limits))
    }

    /// Lets a message through, or says when the next may come.
    pub(crate) fn admit(&self, now: Time, name: &'static str) -> Result<Permit, Refusal> {
        let refuse = |after: Duration| RetryAfter::new(after);
        // Whom the breaker refuses shall cost no token, and whom the bucket refuses tries nothing.
        let pass = match &self.circuit {
            Some(circuit) => circuit
                .borrow_mut()
                .may_pass(now)
                .map_err(|after| Refusal::CircuitOpen(refuse(after)))?,
            None => Pass::Free,
        };
        if let Some(rate) = &self.rate {
            rate.borrow_mut()
                .take(now)
                .map_err(|after| Refusal::RateLimited(refuse(after)))?;
        }
        match (pass, &self.circuit) {
            (Pass::Probe, Some(circuit)) => {
                let change = circuit.borrow_mut().probe(now);
                tell(name, change);
                Ok(Permit::Probe)
            }
            _ => Ok(Permit::Given),
        }
    }

    /// A message that was let through has ended, as far as the breaker is concerned.
    pub(crate) fn ended(&self, now: Time, permit: Permit, outcome: Outcome, name: &'static str) {
        if let Some(circuit) = &self.circuit {
            let change = circuit
                .borrow_mut()
                .ended(now, permit == Permit::Probe, outcome);
            tell(name, change);
        }
    }

    /// A message has occupied its actor for so long.
    pub(crate) fn took(&self, time: Duration) {
        if let Some(pace) = &self.pace {
            pace.took(time);
        }
    }

    /// How many messages may wait, if that follows the pace.
    pub(crate) fn bound(&self) -> Option<usize> {
        self.pace.as_ref().map(Pace::bound)
    }

    pub(crate) fn breaker(&self, actor: &'static str, shard: u16) -> Option<BreakerInfo> {
        let circuit = self.circuit.as_ref()?.borrow();
        Some(circuit.info(actor, shard))
    }
}

/// Nothing is borrowed here: who listens to traces may come back.
fn tell(actor: &'static str, change: Option<Change>) {
    match change {
        Some(Change::Opened) => {
            tracing::warn!(
                actor,
                "a circuit breaker opens: calls are refused for a while"
            );
        }
        Some(Change::HalfOpened) => {
            tracing::info!(actor, "a circuit breaker is half open: one call may try");
        }
        Some(Change::Closed) => tracing::info!(actor, "a circuit breaker closes"),
        None => {}
    }
}
