//! What an operation that goes on has brought and nobody has taken yet.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::IoContext;
use super::operations::Leftovers;
use crate::driver::{self, Op, Outcome, Token};

/// The queue between a driver and the one who takes from it. Belongs to a socket, and lives on
/// after it until the operation has ended.
///
/// It is bounded by stopping the operation when `most` wait, and submitting another when all have
/// been taken: meanwhile the kernel keeps what comes, and tells the peer once it has enough. What
/// had come before the driver heard of it is added yet.
pub(super) struct Flow {
    waiting: RefCell<VecDeque<io::Result<Outcome>>>,
    waker: Cell<Option<Waker>>,
    source: Cell<Source>,
    /// Somebody takes from it.
    taken: Cell<bool>,
    /// The socket is.
    closed: Cell<bool>,
    most: usize,
    left: Rc<Leftovers>,
}

#[derive(Clone, Copy)]
enum Source {
    /// No operation is under way.
    Idle,
    Runs(Token),
    /// It runs and was asked to end.
    Stops,
}

impl Flow {
    pub(super) fn new(most: usize, left: Rc<Leftovers>) -> Rc<Self> {
        Rc::new(Flow {
            waiting: RefCell::default(),
            waker: Cell::default(),
            source: Cell::new(Source::Idle),
            taken: Cell::new(false),
            closed: Cell::new(false),
            most,
            left,
        })
    }

    /// Somebody begins to take from it; false if somebody does already.
    pub(super) fn begin(&self) -> bool {
        !self.taken.replace(true)
    }

    /// Nobody takes from it any more. What waits goes to the next who does.
    pub(super) fn end(&self) {
        self.taken.set(false);
        self.waker.take();
        self.stop();
        self.discard_unwanted();
    }

    /// Its socket is closed, and may soon be another's.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.discard_unwanted();
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Takes in a completion of its operation, the last one unless there are `more`.
    pub(super) fn take_in(&self, result: io::Result<Outcome>, more: bool) {
        let source = self.source.get();
        if !more {
            self.source.set(Source::Idle);
        }
        let asked = self.closed.get() || matches!(source, Source::Stops);
        if !(asked && result.as_ref().is_err_and(driver::was_stopped)) {
            self.waiting.borrow_mut().push_back(result);
            if self.waiting.borrow().len() >= self.most {
                self.stop();
            }
        }
        self.discard_unwanted();
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The next of what has come. Where nothing waits and no operation is under way, submits
    /// `op`.
    ///
    /// # Errors
    /// The operation's, in their turn; [`io::ErrorKind::NotConnected`] once the socket is closed.
    pub(super) fn poll_next(
        self: &Rc<Self>,
        cx: &dyn IoContext,
        op: Op,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<Outcome>> {
        if let Some(next) = self.waiting.borrow_mut().pop_front() {
            return Poll::Ready(next);
        }
        if let Source::Idle = self.source.get() {
            if self.closed.get() {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            }
            let mut op = Some(op);
            cx.with_driver(&mut |driver| {
                if let Some(op) = op.take() {
                    let token = cx.operations().submit_many(driver, op, self);
                    self.source.set(Source::Runs(token));
                }
            });
        }
        let known = self.waker.take();
        let known = known.filter(|known| known.will_wake(task.waker()));
        self.waker
            .set(Some(known.unwrap_or_else(|| task.waker().clone())));
        Poll::Pending
    }

    fn stop(&self) {
        if let Source::Runs(token) = self.source.get() {
            self.source.set(Source::Stops);
            self.left.stop(token);
        }
    }

    fn discard_unwanted(&self) {
        if self.closed.get() && !self.taken.get() {
            self.discard();
        }
    }

    fn discard(&self) {
        for unwanted in self.waiting.take() {
            if let Ok(Outcome::Opened(handle)) = unwanted {
                self.left.close(handle);
            }
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.discard();
    }
}
