//! Sending: telling with patience.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use quark_shards::calls::Calls;
use quark_shards::shard::Shard;

use super::Call;
use super::tell::Patience;
use crate::actor::Method;
use crate::error::{Refusal, TellError};
use crate::runtime::{Runtime, try_with_runtime};

impl<'r, M: Method> Call<'r, M> {
    /// Sends the message as soon as there is room for it; nobody waits for an answer.
    ///
    /// Senders that find none on the way to another shard queue there, and are served in order. An
    /// actor that is served may send a burst of 16 before it must queue again.
    ///
    /// The future's error is a [`TellError`] with the message, when waiting for room won't help:
    /// the engine stops, the actor can't be activated, or its type's limits refuse the message.
    pub fn send(self) -> Send<'r, M> {
        Send {
            call: self,
            place: None,
        }
    }
}

/// A one-way message on its way; see [`Call::send`].
#[must_use = "nothing is sent until this is awaited"]
pub struct Send<'r, M: Method> {
    pub(super) call: Call<'r, M>,
    place: Option<Place>,
}

/// Where it waits for room: in the queue towards another shard.
#[derive(Clone, Copy)]
struct Place {
    uid: u32,
    lane: u16,
    ticket: u64,
}

impl<M: Method> Future for Send<'_, M> {
    type Output = Result<(), TellError<M>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.place.is_some() {
            return this.poll_queued(cx.waker());
        }
        match this.call.try_tell(Patience::Waits) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(refusal) => this.refused(refusal, cx.waker()),
        }
    }
}

impl<M: Method> Send<'_, M> {
    pub(super) fn take_message(&mut self) -> M {
        self.call.take_message()
    }

    #[inline(never)]
    fn poll_queued(&mut self, waker: &Waker) -> Poll<<Self as Future>::Output> {
        if self.place.is_some_and(|place| !is_first(place, waker)) {
            return Poll::Pending;
        }
        match self.call.try_tell(Patience::First) {
            Ok(()) => {
                if let Some(place) = self.place.take() {
                    served(place);
                }
                Poll::Ready(Ok(()))
            }
            Err(refusal) => self.refused(refusal, waker),
        }
    }

    #[cold]
    #[inline(never)]
    fn refused(&mut self, refusal: Refusal, waker: &Waker) -> Poll<<Self as Future>::Output> {
        match refusal {
            Refusal::Overloaded | Refusal::MailboxFull => {
                if self.place.is_none() {
                    self.wait_for_room(waker);
                }
                Poll::Pending
            }
            refusal => Poll::Ready(Err(TellError {
                message: self.call.take_message(),
                reason: refusal.into(),
            })),
        }
    }

    fn wait_for_room(&mut self, waker: &Waker) {
        let waits = try_with_runtime(|here| {
            let (shard, runtime) = here?;
            if runtime.engine_id() != self.call.core.engine {
                return None;
            }
            if self.call.core.shard == shard.id() {
                return self.wait_here(shard, runtime, waker);
            }
            let lane = self.call.core.shard;
            let sender = runtime.sender();
            let ticket = shard.calls().wait_for_credit(lane, sender, waker.clone());
            self.place = Some(Place {
                uid: shard.uid(),
                lane,
                ticket,
            });
            Some(())
        });
        if waits.is_none() {
            // Outside, nobody tells of room in an inbox: looks again when its executor likes.
            waker.wake_by_ref();
        }
    }

    fn wait_here(&self, shard: &Shard, runtime: &Runtime, waker: &Waker) -> Option<()> {
        let resident = runtime.resident::<M::Actor>(shard, self.call.core).ok()?;
        let types = runtime.types.get::<M::Actor>(runtime).ok()?;
        types.wait_for_room(resident, waker.clone());
        Some(())
    }
}

fn is_first(place: Place, waker: &Waker) -> bool {
    try_with_runtime(|here| {
        here.filter(|(shard, _)| shard.uid() == place.uid)
            .is_none_or(|(shard, _)| shard.calls().is_first(place.lane, place.ticket, waker))
    })
}

fn served(place: Place) {
    with_calls(place, |calls| calls.served(place.lane, place.ticket));
}

fn leave(place: Place) {
    with_calls(place, |calls| calls.leave_queue(place.lane, place.ticket));
}

fn with_calls(place: Place, f: impl FnOnce(&Calls)) {
    try_with_runtime(|here| {
        if let Some((shard, _)) = here.filter(|(shard, _)| shard.uid() == place.uid) {
            f(shard.calls());
        }
    });
}

impl<M: Method> Drop for Send<'_, M> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            leave(place);
        }
    }
}
