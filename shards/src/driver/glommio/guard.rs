//! Timers that see to it that the executor does not sleep while a task waits to run.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::glommio::timer::Timer;

/// How many are armed at once, each twice as far away as the one before.
const TIMERS: u32 = 8;

/// A row of timers that all wake the same task.
///
/// glommio may fire a timer, schedule its task, find its preemption ring non-empty just then, and
/// go to sleep without having run the task (its issue 53; seen within seconds on a machine with
/// more threads than cores). The next timer of the row ends that sleep. All of them would have to
/// be lost in turn for a task to be.
#[derive(Default)]
pub(super) struct Guards {
    timers: Vec<Timer>,
}

impl Guards {
    /// Arms the row, the first of it after `first`.
    pub(super) fn arm(&mut self, first: Duration, cx: &mut Context<'_>) {
        self.timers.clear();
        self.timers
            .extend((0..TIMERS).map(|n| armed(first * 2u32.pow(n), cx)));
    }
}

/// A timer, polled the once: whenever it is polled it is put into the reactor anew.
pub(super) fn armed(after: Duration, cx: &mut Context<'_>) -> Timer {
    let mut timer = Timer::new(after);
    if Pin::new(&mut timer).poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
    timer
}

/// Sleeps, in the executor that polls this.
pub async fn nap(duration: Duration) {
    let until = Instant::now() + duration;
    let mut guards = Guards::default();
    poll_fn(|cx| {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Ready(());
        }
        guards.arm(left, cx);
        Poll::Pending
    })
    .await;
}
