//! Turns that are lost at a fault point: their callers wait in vain.

use std::any::Any;
use std::marker::PhantomData;

use quark_shards::calls::Deadline;
use quark_shards::shard::Shard;

use crate::actor::Method;
use crate::error::Refusal;
use crate::message::{ReplyOf, ReplyTo};
use crate::reference::Hint;
use crate::runtime::with_runtime;

/// What unwinds a turn that is lost.
pub(super) struct LostTurn;

/// Whether a turn's panic is none, but the turn is lost.
#[cold]
pub(crate) fn is_lost(panic: &(dyn Any + Send)) -> bool {
    panic.is::<LostTurn>()
}

/// Answers a call at its deadline, as if nobody had: what it holds is given back by an answer
/// only.
pub(crate) fn answer_in_vain<M: Method>(shard: &Shard, reply: ReplyTo, deadline: Deadline) {
    let owed = Owed::<M>(reply, PhantomData);
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
struct Owed<M: Method>(ReplyTo, PhantomData<M>);

impl<M: Method> Drop for Owed<M> {
    fn drop(&mut self) {
        with_runtime(|shard, runtime| {
            let refusal = match runtime.why_dropped() {
                Refusal::Stopped => Refusal::Stopped,
                _ => Refusal::Timeout,
            };
            self.0
                .send::<ReplyOf<M>>(shard, Hint::NONE, Err(refusal.into()));
        });
    }
}
