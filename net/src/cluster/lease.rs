use std::collections::{BTreeMap, VecDeque};

use quark_shards::planted::{Bug, planted};
use quark_shards::slots::NodeId;
use quark_shards::time::Time;

use super::settings::Timing;
use super::table::Table;

/// Rounds of questions whose answers still count.
const ROUNDS: usize = 16;

/// One member's lease at one version: what the others have confirmed of it.
pub(super) struct Lease {
    /// When each of the last rounds was asked.
    rounds: VecDeque<(u64, Time)>,
    /// When the last question was asked that each member has confirmed.
    confirmed: BTreeMap<NodeId, Time>,
    until: Time,
    /// Since when it has been held without a break.
    since: Option<Time>,
    /// Whether a majority has confirmed this very version.
    is_confirmed: bool,
}

impl Lease {
    pub(super) fn new() -> Self {
        Lease {
            rounds: VecDeque::new(),
            confirmed: BTreeMap::new(),
            until: Time::ZERO,
            since: None,
            is_confirmed: false,
        }
    }

    /// At the next version it holds as long as before: whoever takes slots over waits for it anyway.
    pub(super) fn carried(&self) -> Self {
        Lease {
            until: self.until,
            since: self.since,
            ..Lease::new()
        }
    }

    /// Whether it holds, and a majority has confirmed this very version.
    pub(super) fn is_confirmed(&self, now: Time) -> bool {
        self.is_confirmed && self.holds(now)
    }

    #[inline]
    pub(super) fn holds(&self, now: Time) -> bool {
        now < self.until
    }

    pub(super) fn until(&self) -> Time {
        self.until
    }

    /// Since when it has been held without a break, if it is held.
    pub(super) fn held_since(&self, now: Time) -> Option<Time> {
        self.since.filter(|_| self.holds(now))
    }

    /// A round is asked.
    pub(super) fn ask(&mut self, round: u64, now: Time) {
        if self.rounds.len() == ROUNDS {
            self.rounds.pop_front();
        }
        self.rounds.push_back((round, now));
    }

    /// When a round was asked, if it is one of the last.
    fn asked_at(&self, round: u64) -> Option<Time> {
        let found = self.rounds.iter().find(|(asked, _)| *asked == round);
        found.map(|(_, at)| *at)
    }

    /// When the last question was asked that `id` has confirmed.
    pub(super) fn confirmed_by(&self, id: NodeId) -> Option<Time> {
        self.confirmed.get(&id).copied()
    }

    /// `by` has confirmed a round.
    pub(super) fn confirm(&mut self, by: NodeId, round: u64, now: Time) {
        let Some(mut at) = self.asked_at(round) else {
            return;
        };
        if planted(Bug::LateLease) {
            at = now;
        }
        let last = self.confirmed.entry(by).or_insert(at);
        *last = at.max(*last);
    }

    /// Counts what was confirmed; whether a majority, with `me`, has confirmed anything.
    pub(super) fn renew(&mut self, table: &Table, me: NodeId, timing: &Timing, now: Time) -> bool {
        let others = table.majority() - 1;
        let asked = if others == 0 {
            Some(now)
        } else {
            let mut asked: Vec<Time> = table
                .members()
                .iter()
                .filter(|member| member.id != me)
                .filter_map(|member| self.confirmed_by(member.id))
                .collect();
            asked.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
            asked.get(others - 1).copied()
        };
        let Some(asked) = asked else { return false };
        self.is_confirmed = true;
        if !self.holds(now) {
            self.since = None;
        }
        // From when it was asked for: the others count from later.
        self.until = self.until.max(asked + timing.lease);
        if self.holds(now) {
            self.since.get_or_insert(now);
        }
        true
    }
}
