//! Sleeping on a shard: the timer wheel, seen as futures.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// What has fired and is to be woken; kept for its memory.
    fired: RefCell<Vec<Waker>>,
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
        // Dropped outside the borrow: it may be any waker, and hold other timers.
        let waker = self.wheel.borrow_mut().cancel(key);
        waker.is_some()
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
        let mut fired = self.fired.take();
        self.wheel
            .borrow_mut()
            .advance_bounded(now, FIRE_LIMIT, |waker| fired.push(waker));
        let count = fired.len();
        // Outside the borrow: they may be any wakers, and come back to the wheel, or panic.
        for waker in fired.drain(..) {
            if planted(Bug::LostTimer) {
                continue;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                tracing::error!("a waker panicked");
                std::mem::forget(panic);
            }
        }
        self.fired.replace(fired);
        count
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

/// Ends at its time; see [`Shard::sleep`].
#[derive(Debug)]
#[must_use = "a sleep does nothing until it is awaited"]
pub struct Sleep {
    due: Time,
    /// On which shard, for a sleep may be sent to another.
    armed: Option<(u32, TimerKey)>,
}

impl Sleep {
    fn disarm(&mut self, shard: &Shard) {
        if let Some((uid, key)) = self.armed.take()
            && uid == shard.uid()
        {
            shard.timers().cancel(key);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        with_current(|shard| {
            let shard = shard.expect("a sleep is awaited on a shard");
            self.disarm(shard);
            if shard.now() >= self.due {
                return Poll::Ready(());
            }
            let key = shard.timers().arm(self.due, cx.waker().clone());
            self.armed = Some((shard.uid(), key));
            Poll::Pending
        })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if self.armed.is_some() {
            with_current(|shard| shard.map(|shard| self.disarm(shard)));
        }
    }
}

/// Lets all that is ready on the shard run once.
pub async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
