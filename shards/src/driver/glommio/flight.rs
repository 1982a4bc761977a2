//! The operations under way: each a task of the executor, which can be told to stop.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::driver::{Completion, Handle, Outcome, Token};

/// What the driver shares with its operations.
#[derive(Default)]
pub(super) struct Flight {
    under_way: RefCell<Vec<Option<UnderWay>>>,
    free: RefCell<Vec<usize>>,
    /// What the shard has not yet taken.
    done: RefCell<VecDeque<Completion>>,
    /// Submitted and not yet taken.
    open: Cell<usize>,
    /// The shard's task, while it is parked.
    parked: Cell<Option<Waker>>,
}

struct UnderWay {
    token: Token,
    /// The socket on which it waits for a peer. Operations without one cannot be stopped: they
    /// end by themselves.
    on: Waits,
    stop: Rc<Stop>,
}

/// On what an operation waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// A peer, by this socket.
    On(Handle),
    /// A peer that is not connected yet.
    ForPeer,
    /// The machine itself.
    No,
}

#[derive(Default)]
struct Stop {
    asked: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Flight {
    /// Runs `work` as a task. Its first steps are taken here and now.
    pub(super) fn start(
        self: &Rc<Self>,
        token: Token,
        on: Waits,
        work: impl Future<Output = io::Result<Outcome>> + 'static,
    ) {
        self.open.set(self.open.get() + 1);
        let (flight, stop) = (self.clone(), Rc::<Stop>::default());
        let place = self.note(UnderWay {
            token,
            on,
            stop: stop.clone(),
        });
        ::glommio::spawn_local(async move {
            // The work is dropped, with all that it holds, before its end is told.
            let result = stop.or(work).await;
            flight.forget(place);
            flight.finish(token, result);
        })
        .detach();
    }

    /// Answers an operation that was never begun.
    pub(super) fn refuse(&self, token: Token, error: io::Error) {
        self.open.set(self.open.get() + 1);
        self.finish(token, Err(error));
    }

    /// Stops the operation submitted as `token`, if it waits for a peer.
    pub(super) fn stop(&self, token: Token) {
        self.stop_those(|one| one.token == token && one.on != Waits::No);
    }

    /// Stops what waits on `socket`; later sockets may have its handle.
    pub(super) fn stop_on(&self, socket: Handle) {
        self.stop_those(|one| one.on == Waits::On(socket));
    }

    /// Stops all that can be.
    pub(super) fn stop_all(&self) {
        self.stop_those(|one| one.on != Waits::No);
    }

    /// Submitted and not yet taken.
    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    /// Whether something is done that the shard has not taken.
    pub(super) fn has_done(&self) -> bool {
        !self.done.borrow().is_empty()
    }

    /// Appends what is done.
    pub(super) fn take(&self, done: &mut Vec<Completion>) {
        let mut mine = self.done.borrow_mut();
        self.open.set(self.open.get() - mine.len());
        done.extend(mine.drain(..));
    }

    /// Has the next completion wake `waker`.
    pub(super) fn wake_when_done(&self, waker: &Waker) {
        self.parked.set(Some(waker.clone()));
    }

    /// Wakes nobody any more.
    pub(super) fn silence(&self) {
        self.parked.take();
    }

    fn note(&self, one: UnderWay) -> usize {
        let mut under_way = self.under_way.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| {
            under_way.push(None);
            under_way.len() - 1
        });
        under_way[place] = Some(one);
        place
    }

    fn forget(&self, place: usize) {
        self.under_way.borrow_mut()[place] = None;
        self.free.borrow_mut().push(place);
    }

    fn finish(&self, token: Token, result: io::Result<Outcome>) {
        self.done
            .borrow_mut()
            .push_back(Completion::last(token, result));
        if let Some(parked) = self.parked.take() {
            parked.wake();
        }
    }

    fn stop_those(&self, which: impl Fn(&UnderWay) -> bool) {
        for one in self.under_way.borrow_mut().iter_mut().flatten() {
            if which(one) {
                one.stop.ask();
                // It waits on that handle no more, whoever may have it next.
                one.on = Waits::No;
            }
        }
    }
}

impl Stop {
    fn ask(&self) {
        self.asked.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// What becomes of `work`, or that it was stopped.
    async fn or(&self, work: impl Future<Output = io::Result<Outcome>>) -> io::Result<Outcome> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending if self.asked.get() => {
                Poll::Ready(Err(io::Error::from_raw_os_error(libc::ECANCELED)))
            }
            Poll::Pending => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}
