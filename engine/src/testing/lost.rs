//! Turns that are lost at a fault point: their callers wait in vain.

use std::any::Any;
use std::marker::PhantomData;
use std::task::Waker;

use quark_shards::calls::{CallId, Deadline};
use quark_shards::shard::Shard;

use crate::actor::Method;
use crate::error::{CallError, Refusal};
use crate::message::{ReplyOf, ReplyTo};
use crate::reference::Hint;
use crate::runtime::{Runtime, with_runtime};
use crate::turn::TurnRef;

/// What unwinds a turn that is lost.
pub(super) struct LostTurn;

/// Whether a turn's panic is none, but the turn is lost.
#[cold]
pub(crate) fn is_lost(panic: &(dyn Any + Send)) -> bool {
    panic.is::<LostTurn>()
}

/// Answers a call at its deadline, as if nobody had: what it holds is given back by an answer
/// only.
pub(crate) fn answer_in_vain<R: Refused>(shard: &Shard, reply: ReplyTo, deadline: Deadline) {
    let owed = Owed::<R>(reply, PhantomData);
    let Some(left) = deadline.remaining(shard.now()) else {
        return;
    };
    let sleep = shard.sleep(left);
    shard.spawn(async move {
        let _owed = owed;
        sleep.await;
    });
}

/// An answer that is given when this is dropped, also with the shard.
struct Owed<R: Refused>(ReplyTo, PhantomData<fn() -> R>);

impl<R: Refused> Drop for Owed<R> {
    fn drop(&mut self) {
        with_runtime(|shard, runtime| {
            let refusal = match runtime.why_dropped() {
                Refusal::Stopped => Refusal::Stopped,
                _ => Refusal::Timeout,
            };
            self.0.send_apart(shard, Hint::NONE, R::refused(refusal));
        });
    }
}

/// An answer that can say that there is none. Named by what it is, not by its method, so that what
/// many methods share is compiled once.
pub(crate) trait Refused: Send + 'static {
    fn refused(refusal: Refusal) -> Self;
}

impl<T: Send + 'static, E: Send + 'static> Refused for Result<T, CallError<E>> {
    fn refused(refusal: Refusal) -> Self {
        Err(refusal.into())
    }
}

impl Runtime {
    /// The local callee's turn was lost: its caller waits for an answer that will not come.
    #[cold]
    pub(crate) fn wait_in_vain<M: Method>(
        &self,
        shard: &Shard,
        caller: Option<TurnRef>,
        deadline: Deadline,
        waker: &Waker,
    ) -> CallId {
        let waiter = caller.map(|caller| caller.waiter(shard));
        let id = self.open_call::<M>(shard, deadline, waiter);
        let registered = shard.calls().poll::<ReplyOf<M>>(id, waker);
        debug_assert!(
            registered.is_pending(),
            "nobody answers before the deadline"
        );
        let peer = shard.id();
        answer_in_vain::<ReplyOf<M>>(shard, ReplyTo::Call { peer, id }, deadline);
        id
    }
}
