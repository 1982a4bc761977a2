//! The gateway: events come in here as if from a socket, get their numbers, and are timed until
//! the book acknowledges them.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use quark::prelude::*;
use quark_shards::sleep::yield_now;

use super::account::{ACCOUNTS, Account, AccountRef, RETRY, passes};
use super::acks::Acks;
use super::order_book::WINDOW;
use super::windows::Windows;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::interrupt::Interrupt;
use crate::latency::{Latency, Schedule};

/// Shorter waits are spent looking, longer ones asleep: a timer may be late by a tick of 16 µs.
const WAKE_EARLY: Duration = Duration::from_micros(50);
/// The longest sleep, so that Ctrl-C is seen.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// What is to be replayed.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) feed: Arc<Feed>,
    pub(super) end: End,
    /// Open loop: events per second.
    pub(super) rate: Option<f64>,
    /// How long each part is that is reported by itself.
    pub(super) window: Option<Duration>,
    pub(super) clock: Clock,
    pub(super) interrupt: Interrupt,
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After so many events.
    Count(u64),
    /// After so long.
    Time(Duration),
    /// With the first whole lap that ends no earlier.
    Laps(Duration),
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) begun: bool,
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) done: bool,
}

/// What the gateway has measured.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) events: u64,
    pub(super) elapsed: Duration,
    pub(super) latency: Latency,
    /// The p999 of each window, where there are any.
    pub(super) windows_p999_ns: Vec<u64>,
}

/// The gateway.
pub(super) struct Gateway {
    plan: Arc<Plan>,
    accounts: Vec<AccountRef>,
    state: RefCell<State>,
}

struct State {
    begun: Option<u64>,
    schedule: Option<Schedule>,
    sent: u64,
    acknowledged: u64,
    /// Where in the feed the next event is.
    place: usize,
    /// How many events there will be, once that is known.
    limit: u64,
    /// When the last acknowledgement came.
    ended: u64,
    /// When each event under way was sent, by its number.
    sent_at: Box<[u64; WINDOW]>,
    latency: Windows,
    /// The sequence of event number 0, and who is told of each one acknowledged.
    acks: Option<(u64, Sender<Acks>)>,
}

impl Gateway {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        let limit = match plan.end {
            End::Count(count) => count,
            End::Time(_) | End::Laps(_) => u64::MAX,
        };
        let state = State {
            begun: None,
            schedule: None,
            sent: 0,
            acknowledged: 0,
            place: 0,
            limit,
            ended: 0,
            sent_at: Box::new([0; WINDOW]),
            latency: Windows::new(None, 0),
            acks: None,
        };
        Gateway {
            plan,
            accounts: Vec::new(),
            state: RefCell::new(state),
        }
    }

    /// Sends what may be sent. Each event's clock starts before the first of the batch goes out,
    /// so none looks faster than it was.
    fn fill(&self, now: u64) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.decide_end(&self.plan, now);
        let due = state
            .schedule
            .map_or(u64::MAX, |schedule| schedule.due_by(now));
        let room = state.acknowledged + WINDOW as u64;
        let mut until = state.limit.min(room).min(due);
        let events = &self.plan.feed.events[..];
        while state.sent < until {
            let event = events[state.place];
            let account = &self.accounts[(event.order % ACCOUNTS) as usize];
            if account.check(state.sent, event).tell().is_err() {
                return;
            }
            state.sent_at[state.sent as usize % WINDOW] = now;
            state.sent += 1;
            state.place += 1;
            if state.place == events.len() {
                state.place = 0;
                state.decide_end(&self.plan, now);
                until = until.min(state.limit);
            }
        }
    }
}

impl State {
    fn decide_end(&mut self, plan: &Plan, now: u64) {
        let elapsed = Duration::from_nanos(now - self.begun.unwrap_or(now));
        let over = match plan.end {
            End::Count(_) => false,
            End::Time(time) => elapsed >= time,
            End::Laps(time) => self.place == 0 && self.sent > 0 && elapsed >= time,
        };
        if over || plan.interrupt.is_set() {
            self.limit = self.limit.min(self.sent);
        }
    }

    fn status(&self) -> Status {
        Status {
            begun: self.begun.is_some(),
            sent: self.sent,
            acknowledged: self.acknowledged,
            done: self.begun.is_some() && self.acknowledged == self.limit,
        }
    }
}

#[actor(name = "bench.gateway")]
impl Gateway {
    /// Wakes every account, and through them the book, before anything is measured.
    async fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), CallError> {
        for number in 0..ACCOUNTS {
            let account = cx.actor::<Account>(number);
            account.open().await?;
            self.accounts.push(account);
        }
        Ok(())
    }

    /// Activates the gateway.
    pub fn open(&self) {}

    /// Has each event that is accepted told to `acks` when it is acknowledged; the first has the
    /// sequence `first`.
    pub fn tell_acks(&self, first: u64, acks: Sender<Acks>) {
        self.state.borrow_mut().acks = Some((first, acks));
    }

    /// Replays. At full speed, acknowledgements bring the next events, and this only looks after
    /// what they can't: the first events, a shard that had no room, Ctrl-C. With a rate, it sends
    /// by the schedule.
    pub async fn run(&self) {
        {
            let mut state = self.state.borrow_mut();
            let now = self.plan.clock.now();
            state.begun = Some(now);
            state.ended = now;
            state.latency = Windows::new(self.plan.window, now);
            state.schedule = self.plan.rate.map(|rate| Schedule::new(now, rate));
        }
        loop {
            let now = self.plan.clock.now();
            self.fill(now);
            let (Status { sent, .. }, limit, schedule) = {
                let state = self.state.borrow();
                (state.status(), state.limit, state.schedule)
            };
            if sent == limit {
                return;
            }
            let wait = match schedule {
                None => RETRY,
                Some(schedule) => Duration::from_nanos(schedule.due(sent).saturating_sub(now)),
            };
            match wait.checked_sub(WAKE_EARLY) {
                Some(wait) if !wait.is_zero() => quark::sleep(wait.min(LONGEST_SLEEP)).await,
                _ => yield_now().await,
            }
        }
    }

    /// The book has taken all events numbered below `until`.
    pub fn acknowledged(&self, until: u64) {
        let now = self.plan.clock.now();
        {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            if let Some((first, acks)) = &state.acks {
                let events = &self.plan.feed.events;
                let accepted = (state.acknowledged..until).filter_map(|number| {
                    let event = &events[(number % events.len() as u64) as usize];
                    passes(event).then_some((first + number, event.order))
                });
                // Who reads them says why it can't.
                let _ = acks.send(accepted.collect());
            }
            let latency = state.latency.at(now);
            for number in state.acknowledged..until {
                let since = match &state.schedule {
                    Some(schedule) => schedule.due(number),
                    None => state.sent_at[number as usize % WINDOW],
                };
                latency.record(now.saturating_sub(since));
            }
            state.acknowledged = until;
            state.ended = now;
        }
        self.fill(now);
    }

    /// How far it is.
    pub fn status(&self) -> Status {
        self.state.borrow().status()
    }

    /// What was measured.
    pub fn close(&self) -> Measured {
        let mut state = self.state.borrow_mut();
        state.acks = None;
        Measured {
            events: state.acknowledged,
            elapsed: Duration::from_nanos(state.ended - state.begun.unwrap_or(state.ended)),
            latency: state.latency.whole(),
            windows_p999_ns: state.latency.clone().p999_ns(state.ended),
        }
    }
}
