//! Actors that keep something of every kind, and what they have heard.

use std::cell::RefCell;
use std::time::Duration;

use quark::prelude::*;
use quark::{CatchUp, Due, Evolve, Journal, Key, Remind, StateError, WallTime};
use serde::{Deserialize, Serialize};

/// A number, and bytes that make it as large as they shall.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    number: u64,
    filling: Vec<u8>,
}

/// Keeps a state.
#[derive(Default, Stateful)]
pub struct Purse {
    #[state]
    worth: State<Worth>,
}

#[actor]
impl Purse {
    pub async fn put(&mut self, number: u64, bytes: usize) -> Result<u64, StateError> {
        let filling = vec![number as u8; bytes];
        *self.worth = Worth { number, filling };
        Ok(self.worth.save().await?.0)
    }

    pub async fn clear(&mut self) -> Result<(), StateError> {
        self.worth.clear().await
    }

    /// What is kept: its E-tag and its number.
    pub async fn look(&mut self) -> Result<Option<(u64, u64)>, StateError> {
        self.worth.reload().await?;
        let whole = self.worth.filling.iter();
        assert!(
            whole
                .into_iter()
                .all(|byte| *byte == self.worth.number as u8)
        );
        Ok(self.worth.etag().map(|etag| (etag.0, self.worth.number)))
    }

    pub fn leave(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }
}

/// What events come to, each in its place.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    mixed: u64,
}

/// What the sum is after one more event.
#[must_use]
pub fn mix(sum: u64, event: u64) -> u64 {
    (sum.rotate_left(7) ^ event).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Evolve for Sum {
    type Event = u64;
    const SNAPSHOT_EVERY: u64 = 5;

    fn evolve(&mut self, event: &u64) {
        self.mixed = mix(self.mixed, *event);
    }
}

/// Keeps a journal.
#[derive(Default, Stateful)]
pub struct Ledger {
    #[state]
    sum: Journal<Sum>,
}

#[actor]
impl Ledger {
    /// The journal's length and its sum.
    pub async fn append(&mut self, events: Vec<u64>) -> Result<(u64, u64), StateError> {
        let len = self.sum.append(events).await?;
        Ok((len, self.sum.mixed))
    }

    pub fn total(&self) -> (u64, u64) {
        (self.sum.len(), self.sum.mixed)
    }

    pub async fn read(&self, from: u64) -> Result<Vec<(u64, u64)>, StateError> {
        self.sum.read(from, 100).await
    }

    pub fn leave(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }
}

/// When a reminder is due, in milliseconds; once, or again after each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub due: u64,
    pub period: Option<u64>,
    pub is_each: bool,
}

/// A call of a reminder that has ended well.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub key: u64,
    pub at: u64,
    pub times: u64,
    /// When the call ended.
    pub now: u64,
}

thread_local! {
    static HEARD: RefCell<Vec<Heard>> = const { RefCell::new(Vec::new()) };
}

/// What was heard since this was asked last.
#[must_use]
pub fn heard() -> Vec<Heard> {
    HEARD.take()
}

/// Is reminded.
#[derive(Default)]
pub struct Sleeper;

#[actor(idle_after_ms = 300)]
impl Sleeper {
    pub fn now(&self, cx: &Cx<Self>) -> u64 {
        cx.wall_time().0
    }

    pub async fn set(&self, cx: &Cx<Self>, schedule: Schedule) -> Result<(), StateError> {
        let mut remind = Remind::at(WallTime(schedule.due));
        if let Some(period) = schedule.period {
            remind = remind.every(Duration::from_millis(period));
        }
        let catch_up = match schedule.is_each {
            true => CatchUp::Each,
            false => CatchUp::Once,
        };
        cx.remind("bell", remind.catch_up(catch_up)).await
    }

    pub async fn forget(&self, cx: &Cx<Self>) -> Result<(), StateError> {
        cx.forget_reminder("bell").await
    }

    pub async fn due(&self, cx: &Cx<Self>) -> Result<Option<u64>, StateError> {
        Ok(cx.reminder("bell").await?.map(|due| due.0))
    }

    async fn on_reminder(&mut self, cx: &Cx<Self>, due: Due) {
        // An engine that ends here has not told anybody.
        quark::sleep(Duration::from_micros(due.at.0 % 7 * 300)).await;
        let Key::Int(key) = cx.key() else {
            panic!("keys are numbers")
        };
        HEARD.with_borrow_mut(|all| {
            all.push(Heard {
                key,
                at: due.at.0,
                times: due.times,
                now: cx.wall_time().0,
            });
        });
    }
}
