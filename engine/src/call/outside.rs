//! Calls from outside all shards: through the inbox of the actor's shard.
//!
//! An ask becomes a task on that shard, which makes the call there; its reply comes back through
//! a cell that any executor can wait for. A thread that calls often should join by a
//! [`Port`](crate::Port) instead.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use quark_shards::shard::Errand;

use super::Call;
use crate::actor::Method;
use crate::context::Context;
use crate::engine::engine;
use crate::error::{CallError, Refusal};
use crate::message::ReplyOf;
use crate::reference::{Hint, RefCore};

/// Where the reply of a call from outside lands.
pub(crate) struct OutsideCell<R>(Mutex<Landing<R>>);

struct Landing<R> {
    reply: Option<(R, Hint)>,
    waker: Option<Waker>,
}

impl<R> OutsideCell<R> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Landing<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, reply: R, hint: Hint) {
        let mut landing = self.lock();
        landing.reply = Some((reply, hint));
        let waker = landing.waker.take();
        drop(landing);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn poll(&self, core: &RefCore, waker: &Waker) -> Poll<R> {
        let mut landing = self.lock();
        match landing.reply.take() {
            Some((reply, hint)) => {
                core.remember(hint);
                Poll::Ready(reply)
            }
            None => {
                landing.waker = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

/// The duty to answer a caller outside: whatever drops it unanswered (an errand that nobody ran,
/// a task that ended with its shard) answers [`Stopped`](CallError::Stopped).
struct Duty<M: Method>(Option<Arc<OutsideCell<ReplyOf<M>>>>);

impl<M: Method> Duty<M> {
    fn fulfil(mut self, reply: ReplyOf<M>, hint: Hint) {
        if let Some(cell) = self.0.take() {
            cell.complete(reply, hint);
        }
    }
}

impl<M: Method> Drop for Duty<M> {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.complete(Err(CallError::Stopped), Hint::NONE);
        }
    }
}

/// Where the reply of a call of `M` lands.
type Cell<M> = Arc<OutsideCell<ReplyOf<M>>>;

/// Asks; the cell will have the reply.
pub(super) fn ask<M: Method>(
    core: &RefCore,
    message: M,
    timeout: Option<Duration>,
    context: Option<Context>,
) -> Result<Cell<M>, (Option<M>, Refusal)> {
    let cell = Arc::new(OutsideCell(Mutex::new(Landing {
        reply: None,
        waker: None,
    })));
    let duty = Duty::<M>(Some(cell.clone()));
    let own = core.clone();
    let slot = Arc::new(Mutex::new(Some((message, duty))));
    let theirs = slot.clone();
    let errand: Errand = Box::new(move |shard| {
        let taken = theirs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((message, duty)) = taken else { return };
        // Polled at once, so that what the same thread sends next stays behind it.
        shard.tasks().spawn_now(async move {
            let mut call = Call::new(&own, message);
            call.timeout = timeout;
            call.context = context;
            let reply = call.await;
            duty.fulfil(reply, own.hint());
        });
    });
    match run_on(core, errand) {
        Ok(()) => Ok(cell),
        Err(refusal) => {
            let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err((
                taken.map(|(message, mut duty)| {
                    duty.0 = None;
                    message
                }),
                refusal,
            ))
        }
    }
}

/// Tells; a message that was not taken comes back.
pub(super) fn tell<M: Method>(
    core: &RefCore,
    message: M,
    context: Option<Context>,
) -> Result<(), (Option<M>, Option<Context>, Refusal)> {
    let slot = Arc::new(Mutex::new(Some((message, context))));
    let theirs = slot.clone();
    let own = core.clone();
    let errand: Errand = Box::new(move |_| {
        let taken = theirs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((message, context)) = taken else {
            return;
        };
        let mut call = Call::new(&own, message);
        call.context = context;
        crate::runtime::bury_refused(call);
    });
    run_on(core, errand).map_err(|refusal| {
        let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (message, context) = taken.unzip();
        (message, context.flatten(), refusal)
    })
}

fn run_on(core: &RefCore, errand: Errand) -> Result<(), Refusal> {
    let engine = engine(core.engine).ok_or(Refusal::Stopped)?;
    if !engine.takes_calls() {
        return Err(Refusal::Stopped);
    }
    let handle = engine.mesh().handle(core.shard).ok_or(Refusal::Stopped)?;
    let pushed = handle.inbox.push(errand).map_err(|_| Refusal::Overloaded);
    engine.clear_if_ended();
    pushed
}
