//! Waiting until the loop has handed on the I/O that is queued.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, Waker};

use super::Shard;

/// Who waits for the loop to come to its driver.
#[derive(Default)]
pub(super) struct AfterIo(RefCell<Vec<Waker>>);

impl Shard {
    /// Waits until the loop has been at its driver again: what was to be sent when this was called
    /// is on its way, and what had come is known.
    ///
    /// For tasks with much to do of which others wait for the first part.
    pub fn after_io(&self) -> impl Future<Output = ()> {
        let mut is_waiting = false;
        poll_fn(move |cx| {
            if std::mem::replace(&mut is_waiting, true) {
                return Poll::Ready(());
            }
            self.after_io.0.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
    }

    /// The loop has been at its driver. How many were waiting for that.
    #[inline]
    pub(super) fn wake_after_io(&self) -> usize {
        if self.after_io.is_empty() {
            return 0;
        }
        self.wake_those_after_io()
    }

    #[cold]
    fn wake_those_after_io(&self) -> usize {
        // Outside the borrow: they may be any wakers, and come back, or panic.
        let mut waiting = self.after_io.0.take();
        let count = waiting.len();
        for waker in waiting.drain(..) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                tracing::error!(shard = self.id, "a waker panicked");
                std::mem::forget(panic);
            }
        }
        let mut kept = self.after_io.0.borrow_mut();
        if kept.is_empty() {
            // For its memory.
            *kept = waiting;
        }
        count
    }
}

impl AfterIo {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}
