//! Waiting: a call from a plain thread, which blocks until it is answered.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use quark_shards::calls::{Deadline, Fate, Waiter};
use quark_shards::port::Port;

use super::ask::{cost, slots};
use super::{Call, State, outside};
use crate::actor::Method;
use crate::engine::is_simulated;
use crate::error::{CallError, Refusal, TellError};
use crate::message::{BoxedRequest, NO_CALL, ReplyOf, Request, fits};
use crate::port::with_port;
use crate::runtime::try_with_runtime;

impl<M: Method> Call<'_, M> {
    /// Makes the call and blocks this thread until it is answered.
    ///
    /// Through the thread's [`Port`](crate::Port) if it has one, which costs about what a call
    /// between shards does; else through the shard's inbox.
    ///
    /// # Errors
    /// As awaiting it; [`WouldBlock`](CallError::WouldBlock) on a shard, and where the engine
    /// is simulated.
    pub fn wait(mut self) -> ReplyOf<M> {
        if try_with_runtime(|here| here.is_some()) {
            return Err(CallError::WouldBlock);
        }
        if let Some(reply) = with_port(self.core.engine, |engine, port| {
            if !engine.takes_calls() {
                return Err(CallError::Stopped);
            }
            self.wait_by_port(port, engine.settings().timeout)
        }) {
            return reply;
        }
        if is_simulated(self.core.engine) {
            // This thread is to run the shards that would answer.
            return Err(CallError::WouldBlock);
        }
        let mut message = self.take_message();
        loop {
            match outside::ask(self.core, message, self.timeout, self.context.clone()) {
                Ok(cell) => {
                    self.state = State::Outside(cell);
                    return block_on(self);
                }
                Err((Some(back), Refusal::Overloaded)) => {
                    // A full inbox: this thread may wait, others' work goes first.
                    message = back;
                    thread::yield_now();
                }
                Err((_, refusal)) => return Err(refusal.into()),
            }
        }
    }

    fn wait_by_port(&mut self, port: &Port, default_timeout: Duration) -> ReplyOf<M> {
        let lane = self.core.shard;
        let Some(out) = port.outbound(lane) else {
            return Err(CallError::Stopped);
        };
        let calls = port.calls();
        // Calls that were given up may hold credit still, until their answers are taken in;
        // nothing else of this thread's does.
        if !calls.try_credit(lane, cost::<M>(), 0) {
            port.poll();
            if !calls.try_credit(lane, cost::<M>(), 0) {
                return Err(CallError::Overloaded);
            }
        }
        if out.is_closed() {
            calls.give_credit(lane, cost::<M>());
            return Err(CallError::Stopped);
        }
        let timeout = self.timeout.unwrap_or(default_timeout);
        let waker = Waker::noop().clone();
        let id =
            calls.open::<ReplyOf<M>>(lane, cost::<M>(), Deadline::NEVER, waker, Waiter::NO_TURN);
        // This thread's clock is not the shard's: the callee gets no deadline from it.
        let context = self.context.take();
        if const { fits::<Request<M>>() } && context.is_none() {
            port.send_with(lane, || self.request(id, Deadline::NEVER, 0, lane));
        } else {
            let request = self.request(id, Deadline::NEVER, 0, lane);
            port.send(lane, BoxedRequest(Box::new((request, context))));
        }
        let fate = port.run_until(timeout, || {
            match calls.poll::<ReplyOf<M>>(id, Waker::noop()) {
                Poll::Ready(fate) => Some(fate),
                Poll::Pending if out.is_closed() && !port.poll() => {
                    calls.abandon(id);
                    Some(Fate::Replied(Err(CallError::Stopped), 0))
                }
                Poll::Pending => None,
            }
        });
        let fate = fate.unwrap_or_else(|| {
            calls.abandon(id);
            Fate::TimedOut
        });
        self.settle(fate, true)
    }

    /// Tells through the thread's port, which it must have; see [`tell`](Self::tell).
    pub(super) fn tell_by_port(&mut self, port: &Port) -> Result<(), Refusal> {
        let lane = self.core.shard;
        let out = port.outbound(lane).ok_or(Refusal::Stopped)?;
        let whole = const { fits::<Request<M>>() } && self.context.is_none();
        let slots = if whole {
            slots::<Request<M>>()
        } else {
            slots::<BoxedRequest<M>>()
        };
        if out.is_closed() {
            return Err(Refusal::Stopped);
        }
        if !out.tells().try_take(slots) {
            return Err(Refusal::Overloaded);
        }
        let context = self.context.take();
        if whole {
            port.send_with(lane, || self.request(NO_CALL, Deadline::NEVER, 0, lane));
        } else {
            let request = self.request(NO_CALL, Deadline::NEVER, 0, lane);
            port.send(lane, BoxedRequest(Box::new((request, context))));
        }
        Ok(())
    }
}

impl<M: Method> super::Send<'_, M> {
    /// Sends the message, blocking this thread until there is room for it.
    ///
    /// # Errors
    /// As awaiting it; [`WouldBlock`](CallError::WouldBlock) on a shard, and where the engine
    /// is simulated.
    pub fn wait(mut self) -> Result<(), TellError<M>> {
        let engine = self.call.core.engine;
        if try_with_runtime(|here| here.is_some()) || is_simulated(engine) {
            return Err(TellError {
                message: self.take_message(),
                reason: CallError::WouldBlock,
            });
        }
        block_on(self)
    }
}

/// Runs a future on this thread, which sleeps while the future does.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = TaskContext::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
