//! Sleeping on a shard: the timer wheel, seen as futures.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::current::with_current;
use crate::planted::{Bug, planted};
use crate::shard::Shard;
use crate::time::Time;
use crate::timer::{TimerKey, TimerWheel};

/// One shard's timers.
#[derive(Default)]
pub struct Timers {
    wheel: RefCell<TimerWheel<Waker>>,
}

/// Timers fired in one pass at most, so that a burst does not hold up messages.
const FIRE_LIMIT: usize = 1024;

impl Timers {
    /// Wakes `waker` once at `due`, or a tick (16 µs) later.
    #[inline]
    pub fn arm(&self, due: Time, waker: Waker) -> TimerKey {
        self.wheel.borrow_mut().insert(due, waker)
    }

    /// Takes a timer back; false if it has fired.
    #[inline]
    pub fn cancel(&self, key: TimerKey) -> bool {
        self.wheel.borrow_mut().cancel(key).is_some()
    }

    /// Timers armed.
    #[must_use]
    pub fn armed(&self) -> usize {
        self.wheel.borrow().len()
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.wheel.borrow().next_due()
    }

    pub(crate) fn fire(&self, now: Time) -> usize {
        let mut fired = 0;
        // Wakers only push to queues: none of them comes back to the wheel.
        self.wheel
            .borrow_mut()
            .advance_bounded(now, FIRE_LIMIT, |waker| {
                fired += 1;
                if !planted(Bug::LostTimer) {
                    waker.wake();
                }
            });
        fired
    }
}

impl Shard {
    /// Sleeps for `duration`, on this shard's clock.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.read_clock() + duration)
    }

    /// Sleeps until `due`, on this shard's clock.
    pub fn sleep_until(&self, due: Time) -> Sleep {
        Sleep { due, armed: None }
    }
}

/// Ends at its time; see [`Shard::sleep`]. Polled on its shard only.
#[derive(Debug)]
#[must_use = "a sleep does nothing until it is awaited"]
pub struct Sleep {
    due: Time,
    armed: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        with_current(|shard| {
            let shard = shard.expect("a sleep is awaited on a shard");
            if let Some(key) = self.armed.take() {
                shard.timers().cancel(key);
            }
            if shard.now() >= self.due {
                return Poll::Ready(());
            }
            self.armed = Some(shard.timers().arm(self.due, cx.waker().clone()));
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.armed.take() {
            with_current(|shard| shard.map(|shard| shard.timers().cancel(key)));
        }
    }
}
