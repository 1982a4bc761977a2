//! States that are saved by themselves: what a turn has changed is durable before its reply leaves.
//!
//! Only `&mut self` turns can change them. Such a turn holds its actor until the save is through, so
//! nobody sees what is not yet saved. Where a save fails, the actor begins anew with what is kept:
//! memory never runs ahead of the store.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::error::StateError;
use crate::activation::{Phase, Resident};
use crate::actor::sealed::Borrow;
use crate::actor::{Actor, Method, Receiver};
use crate::context::Cx;
use crate::runtime::with_runtime;

/// What can be saved at the end of each turn.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be saved at the end of each turn",
    label = "`save = \"each_turn\"` is for fields of the type `State<…>`"
)]
pub trait SavedEachTurn {
    /// Whether it has been borrowed to be changed since it was saved.
    fn is_changed(&self) -> bool;

    /// Writes it to its store.
    fn save_changed(&mut self) -> Saving<'_>;
}

/// A field that is being saved.
pub type Saving<'a> = Pin<Box<dyn Future<Output = Result<(), StateError>> + 'a>>;

/// Whether turns of a message end with a save.
pub(crate) const fn saves<M: Method>() -> bool {
    <M::Actor as Actor>::SAVES_EACH_TURN && <M::Receiver as Receiver>::EXCLUSIVE
}

/// Whether turns of a message are over with their first poll.
pub(crate) const fn never_suspends<M: Method>() -> bool {
    M::SYNC && !saves::<M>()
}

/// A turn that [saves](saves): the method, and then what it has changed.
pub(crate) async fn saving<M: Method>(
    args: M,
    actor: &mut M::Actor,
    cx: &Cx<M::Actor>,
) -> M::Output {
    let alone = <M::Receiver as Receiver>::narrow(Borrow::Exclusive(&mut *actor));
    let output = M::call(args, alone, cx).await;
    if let Err(error) = save_changes(actor).await {
        forget(cx, error);
    }
    output
}

/// Saves what has changed, all at once, and waits for all of it; the first error, if any.
pub(crate) async fn save_changes<A: Actor>(actor: &mut A) -> Result<(), StateError> {
    let mut saves = actor.unsaved();
    let mut failed = Ok(());
    poll_fn(|cx| {
        saves.retain_mut(|save| match save.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(saved) => {
                if failed.is_ok() {
                    failed = saved;
                }
                false
            }
        });
        match saves.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    failed
}

/// What a turn has changed is not saved: its caller is to be told, and the actor begins anew.
#[cold]
fn forget<A: Actor>(cx: &Cx<A>, error: StateError) {
    let (head, method) = (cx.turn.head(), cx.turn.info.label.method);
    let actor = head.id();
    tracing::error!(%actor, method, %error, "what a turn changed was not saved; its actor begins anew");
    head.with_extra(|extra| extra.unsaved = Some(Box::new(error)));
    // Whoever ends or restarts it already does that in any case.
    if head.phase() == Phase::Active {
        with_runtime(|shard, runtime| runtime.begin_restart(shard, head, Duration::ZERO));
    }
}

/// Why what the turn that has just returned changed was not saved, if it was not.
pub(crate) fn not_saved<A: Actor>(resident: Resident<A>) -> Option<Box<StateError>> {
    resident.extra(|extra| extra.unsaved.take()).flatten()
}
