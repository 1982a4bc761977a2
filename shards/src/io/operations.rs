//! The table of operations in flight: who waits for each, and what came of it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::flow::Flow;
use crate::driver::{Completion, Driver, Handle, Op, Outcome, Token};

/// One shard's operations. Its slots are used again, so the steady state allocates nothing.
///
/// The shard's loop gives every completion of its driver to [`complete`](Self::complete), and
/// calls [`sweep`](Self::sweep) in every pass before it looks at the driver, so that what was
/// dropped is closed and stopped.
#[derive(Default)]
pub struct Operations {
    slab: RefCell<Slab>,
    /// Those under way that wait for no peer.
    soon: Cell<usize>,
    left: Rc<Leftovers>,
}

/// Names one operation in an [`Operations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpId(Token);

impl Operations {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Operations::default()
    }

    /// Hands `op` to the driver: one that completes once.
    pub fn submit(&self, driver: &mut dyn Driver, op: Op) -> OpId {
        self.sweep(driver);
        self.submit_as(driver, op, State::Waiting(None))
    }

    /// Hands `op` to the driver: one that may complete many times, into `flow`.
    pub(super) fn submit_many(&self, driver: &mut dyn Driver, op: Op, flow: &Rc<Flow>) -> Token {
        self.sweep(driver);
        self.submit_as(driver, op, State::Many(flow.clone())).0
    }

    /// Takes in what became of an operation and wakes who waits for it.
    pub fn complete(&self, completion: Completion) {
        let Completion {
            token,
            result,
            more,
        } = completion;
        let flow = self.slab.borrow_mut().flow(token, more);
        if let Some(flow) = flow {
            return flow.take_in(result, more);
        }
        if more {
            // Nobody listens to it twice.
            return self.discard(result);
        }
        let (before, was_soon) = self.slab.borrow_mut().finish(token, result);
        self.soon.set(self.soon.get() - usize::from(was_soon));
        match before {
            Finished::Awaited(Some(waker)) => waker.wake(),
            Finished::Awaited(None) => {}
            Finished::Unwanted(result) => self.discard(result),
        }
    }

    fn discard(&self, result: io::Result<Outcome>) {
        if let Ok(Outcome::Opened(handle)) = result {
            self.left.close(handle);
        }
    }

    /// What became of `id`, once; until then, wakes `cx`'s task when it is known.
    ///
    /// # Errors
    /// What the system said; also if the operation was answered or abandoned before.
    pub fn poll_op(&self, id: OpId, cx: &mut Context<'_>) -> Poll<io::Result<Outcome>> {
        self.slab.borrow_mut().poll(id.0, cx.waker())
    }

    /// Nobody waits for `id` any more: its result is discarded when it comes, and what it may
    /// have opened is closed. What waits for a peer is stopped at the next sweep.
    pub fn abandon(&self, id: OpId) {
        match self.slab.borrow_mut().abandon(id.0) {
            Abandoned::Stop => self.left.stop(id.0),
            Abandoned::Done(result) => self.discard(result),
            Abandoned::Wait => {}
        }
    }

    /// Closes and stops what has been dropped since the last sweep. One look at a flag when
    /// nothing has.
    pub fn sweep(&self, driver: &mut dyn Driver) {
        while let Some(left) = self.left.take() {
            match left {
                Left::Stop(token) => driver.cancel(token),
                Left::Close(handle) => {
                    self.submit_as(driver, Op::Close { handle }, State::Abandoned);
                }
            }
        }
    }

    /// Whether one is under way that will end by itself, and soon: a file's, not one that waits
    /// for a peer.
    #[must_use]
    #[inline]
    pub fn end_soon(&self) -> bool {
        self.soon.get() > 0
    }

    /// Operations not yet answered for the last time, or answered and not yet looked at.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slab.borrow().len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn leftovers(&self) -> Rc<Leftovers> {
        self.left.clone()
    }

    fn submit_as(&self, driver: &mut dyn Driver, op: Op, state: State) -> OpId {
        // The rest ends by itself, and soon; and a close must never be stopped.
        let stoppable = matches!(
            op,
            Op::Accept { .. }
                | Op::AcceptMany { .. }
                | Op::Connect { .. }
                | Op::Recv { .. }
                | Op::RecvMany { .. }
                | Op::Send { .. }
                | Op::SendMany { .. }
        );
        let token = self.slab.borrow_mut().insert(state, stoppable);
        self.soon.set(self.soon.get() + usize::from(!stoppable));
        driver.submit(token, op);
        OpId(token)
    }
}

/// A submitted operation, as a future. Dropped early, it abandons the operation.
pub(super) struct Submitted<'a> {
    operations: &'a Operations,
    id: Option<OpId>,
}

impl<'a> Submitted<'a> {
    pub(super) fn new(operations: &'a Operations, id: OpId) -> Self {
        Submitted {
            operations,
            id: Some(id),
        }
    }
}

impl Future for Submitted<'_> {
    type Output = io::Result<Outcome>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.id.expect("not polled after it was ready");
        let result = self.operations.poll_op(id, cx);
        if result.is_ready() {
            self.id = None;
        }
        result
    }
}

impl Drop for Submitted<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.operations.abandon(id);
        }
    }
}

/// What dropped futures, files and sockets leave for the next sweep. They cannot see to it
/// themselves: where they are dropped, the driver may be in use.
#[derive(Default)]
pub(super) struct Leftovers {
    any: Cell<bool>,
    stops: RefCell<Vec<Token>>,
    closes: RefCell<Vec<Handle>>,
}

enum Left {
    Stop(Token),
    Close(Handle),
}

impl Leftovers {
    pub(super) fn close(&self, handle: Handle) {
        self.closes.borrow_mut().push(handle);
        self.any.set(true);
    }

    pub(super) fn stop(&self, token: Token) {
        self.stops.borrow_mut().push(token);
        self.any.set(true);
    }

    fn take(&self) -> Option<Left> {
        if !self.any.get() {
            return None;
        }
        if let Some(token) = self.stops.borrow_mut().pop() {
            return Some(Left::Stop(token));
        }
        if let Some(handle) = self.closes.borrow_mut().pop() {
            return Some(Left::Close(handle));
        }
        self.any.set(false);
        None
    }
}

#[derive(Default)]
struct Slab {
    slots: Vec<Slot>,
    free: Option<u32>,
    len: usize,
}

struct Slot {
    generation: u32,
    stoppable: bool,
    state: State,
}

enum State {
    Free(Option<u32>),
    Waiting(Option<Waker>),
    Abandoned,
    Done(io::Result<Outcome>),
    /// Goes on until its last completion.
    Many(Rc<Flow>),
}

enum Finished {
    Awaited(Option<Waker>),
    Unwanted(io::Result<Outcome>),
}

enum Abandoned {
    Stop,
    Wait,
    Done(io::Result<Outcome>),
}

impl Slab {
    fn insert(&mut self, state: State, stoppable: bool) -> Token {
        self.len += 1;
        let index = match self.free {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len());
                self.slots.push(Slot {
                    generation: 0,
                    stoppable,
                    state: State::Free(None),
                });
                index.expect("fewer than 2^32 operations in flight")
            }
        };
        let slot = &mut self.slots[index as usize];
        if let State::Free(next) = slot.state {
            self.free = next;
        }
        slot.state = state;
        slot.stoppable = stoppable;
        Token(u64::from(slot.generation) << 32 | u64::from(index))
    }

    /// Also says whether it was one that waited for no peer.
    fn finish(&mut self, token: Token, result: io::Result<Outcome>) -> (Finished, bool) {
        let Some(slot) = self.slot(token) else {
            return (Finished::Unwanted(result), false);
        };
        let soon = !slot.stoppable;
        match &mut slot.state {
            State::Waiting(waker) => {
                let waker = waker.take();
                slot.state = State::Done(result);
                (Finished::Awaited(waker), soon)
            }
            State::Abandoned => {
                self.release(token);
                (Finished::Unwanted(result), soon)
            }
            State::Free(_) | State::Done(_) | State::Many(_) => (Finished::Unwanted(result), false),
        }
    }

    /// Where an operation that completes many times leads to; unless there will be `more` of it,
    /// its slot is free.
    fn flow(&mut self, token: Token, more: bool) -> Option<Rc<Flow>> {
        match &self.slot(token)?.state {
            State::Many(flow) if more => Some(flow.clone()),
            State::Many(_) => match self.release(token) {
                State::Many(flow) => Some(flow),
                _ => unreachable!("it was one a moment ago"),
            },
            _ => None,
        }
    }

    fn poll(&mut self, token: Token, waker: &Waker) -> Poll<io::Result<Outcome>> {
        match self.slot(token).map(|slot| &mut slot.state) {
            Some(State::Waiting(Some(known))) if known.will_wake(waker) => Poll::Pending,
            Some(State::Waiting(known)) => {
                *known = Some(waker.clone());
                Poll::Pending
            }
            Some(State::Done(_)) => match self.release(token) {
                State::Done(result) => Poll::Ready(result),
                _ => unreachable!("it was done a moment ago"),
            },
            _ => Poll::Ready(Err(io::Error::other("this operation was answered before"))),
        }
    }

    fn abandon(&mut self, token: Token) -> Abandoned {
        let Some(slot) = self.slot(token) else {
            return Abandoned::Wait;
        };
        match slot.state {
            State::Waiting(_) => {
                slot.state = State::Abandoned;
                if slot.stoppable {
                    Abandoned::Stop
                } else {
                    Abandoned::Wait
                }
            }
            State::Done(_) => match self.release(token) {
                State::Done(result) => Abandoned::Done(result),
                _ => unreachable!("it was done a moment ago"),
            },
            State::Free(_) | State::Abandoned | State::Many(_) => Abandoned::Wait,
        }
    }

    fn slot(&mut self, token: Token) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(token.0 as u32 as usize)?;
        (u64::from(slot.generation) == token.0 >> 32).then_some(slot)
    }

    /// Frees a slot in use; gives what was in it.
    fn release(&mut self, token: Token) -> State {
        let index = token.0 as u32;
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let state = std::mem::replace(&mut slot.state, State::Free(self.free));
        self.free = Some(index);
        self.len -= 1;
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::OpenOptions;
    use crate::driver::sim::{SimConfig, SimWorld};

    #[test]
    fn slots_are_used_again() {
        let world = SimWorld::new(1, SimConfig::default());
        let mut driver = world.driver(0);
        let operations = Operations::new();
        let mut cx = Context::from_waker(Waker::noop());
        let mut done = Vec::new();
        let mut first = None;
        for _ in 0..1_000 {
            let path = "/a".into();
            let options = OpenOptions::default();
            let id = operations.submit(&mut driver, Op::Open { path, options });
            assert!(operations.poll_op(id, &mut cx).is_pending());
            assert!(operations.end_soon());
            driver.poll(&mut done);
            for completion in done.drain(..) {
                operations.complete(completion);
            }
            assert!(!operations.end_soon());
            // Refused at once: it opens for nothing.
            let Poll::Ready(Err(_)) = operations.poll_op(id, &mut cx) else {
                panic!("not answered");
            };
            // An id of an earlier life of the slot is not taken for the next.
            let earlier = *first.get_or_insert(id);
            assert!(operations.poll_op(earlier, &mut cx).is_ready());
            assert!(operations.is_empty());
        }
        assert_eq!(operations.slab.borrow().slots.len(), 1);
    }
}
