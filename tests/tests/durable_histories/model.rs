//! What must be there, whatever has happened.

use std::collections::BTreeSet;

use super::actors::{Heard, Schedule, mix};

/// Who may still be called for a reminder that was taken back: what was under way, in milliseconds.
const UNDER_WAY: u64 = 3_000;

/// What a state may be: its E-tag, if that was told, and its number.
type MayBe<T> = Vec<Option<T>>;

/// A state, as far as it is known.
#[derive(Default)]
pub(super) struct Purse {
    pub(super) may_be: MayBe<(Option<u64>, u64)>,
}

impl Purse {
    pub(super) fn found(&mut self, who: u64, found: Option<(u64, u64)>, settles: bool) {
        let fits = |may: &Option<(Option<u64>, u64)>| match (may, found) {
            (None, None) => true,
            (Some((etag, number)), Some(found)) => {
                *number == found.1 && etag.is_none_or(|etag| etag == found.0)
            }
            _ => false,
        };
        assert!(
            self.may_be.iter().any(fits),
            "purse {who} has {found:?}, and must have one of {:?}",
            self.may_be
        );
        if settles {
            self.may_be = vec![found.map(|(etag, number)| (Some(etag), number))];
        }
    }
}

/// A journal, as far as it is known.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) events: Vec<u64>,
    /// What may have been appended since, the one or the other.
    pub(super) maybe: Vec<Vec<u64>>,
}

impl Ledger {
    pub(super) fn sum(&self) -> (u64, u64) {
        let sum = self.events.iter().fold(0, |sum, event| mix(sum, *event));
        (self.events.len() as u64, sum)
    }

    /// Events were appended and acknowledged: there are `len` now.
    pub(super) fn appended(&mut self, who: u64, events: &[u64], len: u64) {
        let before = len - events.len() as u64;
        let more = before.checked_sub(self.events.len() as u64);
        let more = more.unwrap_or_else(|| panic!("ledger {who} has lost events: {len} now"));
        if more > 0 {
            let fits = self.maybe.iter().find(|maybe| maybe.len() as u64 == more);
            let fits = fits.unwrap_or_else(|| panic!("ledger {who} has {more} events too many"));
            self.events.extend(fits.clone());
        }
        self.maybe.clear();
        self.events.extend(events);
    }

    /// This is all there is.
    pub(super) fn found(&mut self, who: u64, found: &[u64]) {
        let sure = self.events.len();
        assert!(
            found.get(..sure) == Some(&self.events[..]),
            "ledger {who} has {} events that are not those {sure} that it must have",
            found.len()
        );
        let more = &found[sure..];
        assert!(
            more.is_empty() || self.maybe.iter().any(|maybe| maybe == more),
            "ledger {who} has {more:?} too many, and might have one of {:?}",
            self.maybe
        );
        self.events = found.to_vec();
        self.maybe.clear();
    }
}

/// A reminder, as far as it is known.
#[derive(Default)]
pub(super) struct Bell {
    pub(super) may_be: MayBe<Ring>,
    /// Those before, and when they ended, within this life.
    past: Vec<(Schedule, u64)>,
    /// What was heard in this life, by the time it was due.
    now: BTreeSet<(u64, u64)>,
    numbers: u64,
}

/// A reminder, and what was heard of it: the first time that was not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    pub(super) schedule: Schedule,
    number: u64,
    /// Times up to this were heard of.
    heard_until: Option<u64>,
}

impl Ring {
    /// Whether the reminder was due at `at`.
    fn rings(&self, at: u64) -> bool {
        let Schedule { due, period, .. } = self.schedule;
        match period {
            Some(period) => at >= due && (at - due).is_multiple_of(period),
            None => at == due,
        }
    }

    /// The first time that nobody has heard of.
    fn next(&self) -> Option<u64> {
        let Some(until) = self.heard_until else {
            return Some(self.schedule.due);
        };
        self.schedule.period.map(|period| until + period)
    }
}

impl Bell {
    /// It may be set from now on.
    pub(super) fn may_be_set(&mut self, schedule: Schedule) {
        self.numbers += 1;
        self.may_be.push(Some(Ring {
            schedule,
            number: self.numbers,
            heard_until: None,
        }));
    }

    /// It is what was tried last, by `now`.
    pub(super) fn is_done(&mut self, now: u64) {
        let last = self.may_be.pop().expect("it was tried");
        let past = self.may_be.drain(..).flatten();
        self.past.extend(past.map(|ring| (ring.schedule, now)));
        self.may_be.push(last);
    }

    /// It was not done, for sure.
    pub(super) fn is_not_done(&mut self) {
        self.may_be.pop();
    }

    pub(super) fn heard(&mut self, heard: Heard) {
        let Heard {
            key,
            at,
            times,
            now,
        } = heard;
        let fits = |ring: &&mut Ring| ring.rings(at) && ring.next().is_none_or(|next| at <= next);
        let (mut rang, mut is_new) = (false, false);
        for ring in self.may_be.iter_mut().flatten().filter(fits) {
            let period = ring.schedule.period.unwrap_or(0);
            let until = at + (times - 1) * period;
            ring.heard_until = Some(until.max(ring.heard_until.unwrap_or(0)));
            rang = true;
            is_new |= self.now.insert((ring.number, at));
        }
        if rang {
            assert!(is_new, "sleeper {key} hears of {at} twice");
            return;
        }
        let is_late = |(schedule, end): &(Schedule, u64)| {
            let ring = Ring {
                schedule: *schedule,
                number: 0,
                heard_until: None,
            };
            ring.rings(at) && now <= end + UNDER_WAY
        };
        assert!(
            self.past.iter().any(is_late),
            "sleeper {key} hears of {at} at {now}, and may have {:?}",
            self.may_be
        );
    }

    /// Another life begins.
    pub(super) fn begins(&mut self) {
        self.past.clear();
        self.now.clear();
    }

    /// The store says when it is due next: `None` if it is over, or never was.
    pub(super) fn found(&mut self, key: u64, due: Option<u64>) {
        let fits = |may: &Option<Ring>| match (may, due) {
            (None, None) => true,
            // It is moved on only when it was heard.
            (Some(ring), Some(due)) => {
                ring.rings(due) && ring.next().is_none_or(|next| due <= next)
            }
            (Some(ring), None) => ring.schedule.period.is_none() && ring.next().is_none(),
            (None, Some(_)) => false,
        };
        let is = self.may_be.iter().rev().find(|may| fits(may)).copied();
        let is = is.unwrap_or_else(|| {
            panic!(
                "the reminder of sleeper {key} is due {due:?}, and may be {:?}",
                self.may_be
            )
        });
        self.may_be = vec![is.filter(|_| due.is_some())];
    }

    /// By `now` everybody has had the time to hear: of all that was due before `since`.
    pub(super) fn is_heard(&self, key: u64, since: u64) -> u64 {
        let mut calls = 0;
        if let [Some(ring)] = &self.may_be[..] {
            assert!(
                ring.next().is_none_or(|next| next > since),
                "sleeper {key} did not hear of {:?} by {since}: {ring:?}",
                ring.next()
            );
            calls += u64::from(ring.heard_until.is_some());
        }
        calls
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Model {
    pub(super) purses: Vec<Purse>,
    pub(super) ledgers: Vec<Ledger>,
    pub(super) bells: Vec<Bell>,
    etags: BTreeSet<u64>,
    dues: BTreeSet<u64>,
    numbers: u64,
}

impl Model {
    pub(super) fn new(keys: u64) -> Self {
        let mut model = Model::default();
        for _ in 0..keys {
            model.purses.push(Purse { may_be: vec![None] });
            model.ledgers.push(Ledger::default());
            model.bells.push(Bell {
                may_be: vec![None],
                ..Bell::default()
            });
        }
        model
    }

    /// A number that was never given before.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// `due`, or a little later: no two reminders are due first at the same time.
    pub(super) fn due(&mut self, mut due: u64) -> u64 {
        while !self.dues.insert(due) {
            due += 1;
        }
        due
    }

    pub(super) fn given(&mut self, etag: u64) {
        assert!(self.etags.insert(etag), "the E-tag {etag} is given twice");
    }

    pub(super) fn heard(&mut self, all: Vec<Heard>) {
        for heard in all {
            self.bells[heard.key as usize].heard(heard);
        }
    }
}
