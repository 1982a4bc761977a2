//! A circuit breaker: refuses calls for a while when too many have failed.

use std::collections::VecDeque;
use std::time::Duration;

use quark_shards::time::Time;

use super::Outcome;
use crate::options::Breaker;

/// The circuit breaker of a type on one shard, as [`Engine::breakers`](crate::Engine::breakers)
/// tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerInfo {
    /// The type.
    pub actor: &'static str,
    /// The shard.
    pub shard: u16,
    /// Whether it lets calls pass.
    pub state: BreakerState,
    /// Failures that count, while it is closed.
    pub failures: usize,
    /// Times that it has opened.
    pub opened: u64,
    /// Messages that it has refused.
    pub refused: u64,
}

/// Whether a circuit breaker lets calls pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// All.
    Closed,
    /// None. It stays so until its time is over and somebody calls.
    Open,
    /// One is under way to try; no other.
    HalfOpen,
}

pub(super) struct Circuit {
    breaker: Breaker,
    state: State,
    /// When the last failures were, the oldest first: never more than open it.
    failures: VecDeque<Time>,
    opened: u64,
    refused: u64,
}

#[derive(Clone, Copy)]
enum State {
    Closed,
    Open {
        since: Time,
    },
    /// `trying` since then; nobody if its try came to nothing.
    HalfOpen {
        trying: Option<Time>,
    },
}

/// What a message that may pass is to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Free,
    /// It decides what comes next.
    Probe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    HalfOpened,
    Closed,
}

impl Circuit {
    pub(super) fn new(breaker: Breaker) -> Self {
        Circuit {
            breaker,
            state: State::Closed,
            failures: VecDeque::new(),
            opened: 0,
            refused: 0,
        }
    }

    /// Whether a message may pass; else how long to wait. Where one tries, nobody knows how long
    /// that takes: as long as it would stay open again.
    pub(super) fn may_pass(&mut self, now: Time) -> Result<Pass, Duration> {
        let left = match self.state {
            State::Closed => return Ok(Pass::Free),
            State::HalfOpen { trying: None } => return Ok(Pass::Probe),
            State::Open { since } => self.left(since, now),
            // One that takes too long counts no more: it may never end.
            State::HalfOpen {
                trying: Some(since),
            } => self.left(since, now).map(|_| self.breaker.open),
        };
        let Some(left) = left else {
            return Ok(Pass::Probe);
        };
        self.refused += 1;
        Err(left)
    }

    /// What is left of a time that began at `since`.
    fn left(&self, since: Time, now: Time) -> Option<Duration> {
        let until = since + self.breaker.open;
        (now < until).then(|| until - now)
    }

    /// A message goes to try.
    pub(super) fn probe(&mut self, now: Time) -> Option<Change> {
        let before = self.state;
        self.state = State::HalfOpen { trying: Some(now) };
        matches!(before, State::Open { .. }).then_some(Change::HalfOpened)
    }

    /// A message that had passed has ended; `probe`: it was to try.
    pub(super) fn ended(&mut self, now: Time, probe: bool, outcome: Outcome) -> Option<Change> {
        match (self.state, outcome) {
            (State::Closed, Outcome::Failed) => self.count(now),
            (State::HalfOpen { .. }, Outcome::Failed) if probe => Some(self.open(now)),
            (State::HalfOpen { .. }, Outcome::Succeeded) if probe => {
                self.state = State::Closed;
                self.failures.clear();
                Some(Change::Closed)
            }
            (State::HalfOpen { .. }, Outcome::Unknown) if probe => {
                self.state = State::HalfOpen { trying: None };
                None
            }
            // Those that had passed before it opened say nothing new.
            _ => None,
        }
    }

    fn count(&mut self, now: Time) -> Option<Change> {
        self.failures.push_back(now);
        while let Some(oldest) = self.failures.front()
            && *oldest + self.breaker.within < now
        {
            self.failures.pop_front();
        }
        let enough = usize::from(self.breaker.failures.max(1));
        (self.failures.len() >= enough).then(|| self.open(now))
    }

    fn open(&mut self, now: Time) -> Change {
        self.state = State::Open { since: now };
        self.failures.clear();
        self.opened += 1;
        Change::Opened
    }

    pub(super) fn info(&self, actor: &'static str, shard: u16) -> BreakerInfo {
        BreakerInfo {
            actor,
            shard,
            state: match self.state {
                State::Closed => BreakerState::Closed,
                State::Open { .. } => BreakerState::Open,
                State::HalfOpen { .. } => BreakerState::HalfOpen,
            },
            failures: self.failures.len(),
            opened: self.opened,
            refused: self.refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuit() -> Circuit {
        Circuit::new(Breaker {
            failures: 3,
            within: Duration::from_secs(10),
            open: Duration::from_secs(5),
        })
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn fail(circuit: &mut Circuit, seconds: u64) -> Option<Change> {
        circuit.ended(at(seconds), false, Outcome::Failed)
    }

    #[test]
    fn old_failures_do_not_count() {
        let mut circuit = circuit();
        for seconds in [0, 6, 12, 18, 24] {
            assert_eq!(fail(&mut circuit, seconds), None);
        }
        assert_eq!(fail(&mut circuit, 25), Some(Change::Opened));
        assert_eq!(circuit.may_pass(at(26)), Err(Duration::from_secs(4)));
        assert_eq!(circuit.may_pass(at(30)), Ok(Pass::Probe));
    }

    #[test]
    fn one_call_decides() {
        let mut circuit = circuit();
        (0..3).for_each(|_| _ = fail(&mut circuit, 0));
        assert_eq!(circuit.probe(at(5)), Some(Change::HalfOpened));
        assert_eq!(circuit.may_pass(at(6)), Err(Duration::from_secs(5)));
        // A latecomer from before says nothing.
        assert_eq!(circuit.ended(at(6), false, Outcome::Succeeded), None);
        let failed = circuit.ended(at(6), true, Outcome::Failed);
        assert_eq!(failed, Some(Change::Opened));
        assert_eq!(circuit.may_pass(at(11)), Ok(Pass::Probe));
        circuit.probe(at(11));
        assert_eq!(circuit.ended(at(12), true, Outcome::Unknown), None);
        assert_eq!(circuit.may_pass(at(12)), Ok(Pass::Probe));
        circuit.probe(at(12));
        let closed = circuit.ended(at(13), true, Outcome::Succeeded);
        assert_eq!(closed, Some(Change::Closed));
        assert_eq!(circuit.may_pass(at(13)), Ok(Pass::Free));
    }

    #[test]
    fn a_try_without_end_makes_way_for_another() {
        let mut circuit = circuit();
        (0..3).for_each(|_| _ = fail(&mut circuit, 0));
        circuit.probe(at(5));
        assert!(circuit.may_pass(at(9)).is_err());
        assert_eq!(circuit.may_pass(at(10)), Ok(Pass::Probe));
    }
}
