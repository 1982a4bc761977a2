//! Telling: one-way messages.

use quark_shards::calls::Deadline;
use quark_shards::shard::Shard;

use super::ask::slots;
use super::{Call, outside};
use crate::actor::Method;
use crate::error::{Refusal, TellError};
use crate::message::{BoxedRequest, BoxedTold, NO_CALL, Request, Told, fits};
use crate::options::Priority;
use crate::port::with_port;
use crate::runtime::{Runtime, try_with_runtime};

impl<M: Method> Call<'_, M> {
    /// Sends the message at once; nobody waits for an answer, and none is made.
    ///
    /// # Errors
    /// [`TellError`] with the message, when it can't be taken right now: the actor's mailbox is
    /// full, its type's limits refuse it, or too many messages are on their way to its shard. A
    /// message that is taken can still fail to be delivered (its actor can't be activated, or its
    /// mailbox is on another shard and full): it then becomes a
    /// [dead letter](crate::Engine::dead_letters).
    #[inline(always)]
    pub fn tell(mut self) -> Result<(), TellError<M>> {
        match self.try_tell(false) {
            Ok(()) => {
                // Nothing is left in it to be dropped.
                std::mem::forget(self);
                Ok(())
            }
            Err(refusal) => Err(TellError {
                message: self.take_message(),
                reason: refusal.into(),
            }),
        }
    }

    /// Tells, or leaves the message where it is. `first` passes those that queue for credit: the
    /// caller is at their head.
    #[inline(always)]
    pub(crate) fn try_tell(&mut self, first: bool) -> Result<(), Refusal> {
        try_with_runtime(|here| match here {
            Some((shard, runtime)) if runtime.engine().id() == self.core.engine => {
                if self.core.shard == shard.id() {
                    self.tell_local(shard, runtime)
                } else {
                    self.tell_remote(shard, runtime, first)
                }
            }
            _ => self.tell_outside(),
        })
    }

    #[inline(always)]
    fn tell_local(&mut self, shard: &Shard, runtime: &Runtime) -> Result<(), Refusal> {
        let resident = runtime.resident(shard, self.core)?;
        if !resident.has_room() || !matches!(M::PRIORITY, Priority::Normal) {
            let mut message = self.message.take();
            let told =
                runtime.tell_closely(shard, resident, &mut message, || self.inherited(runtime));
            self.message = message;
            return told;
        }
        let told = Told {
            resident,
            context: self.inherited(runtime),
            args: self.take_message(),
        };
        resident.count_queued();
        if const { fits::<Told<M>>() } {
            shard.defer(told);
        } else {
            shard.defer(BoxedTold(Box::new(told)));
        }
        Ok(())
    }

    #[inline(never)]
    fn tell_remote(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        first: bool,
    ) -> Result<(), Refusal> {
        let lane = self.core.shard;
        let out = shard.outbound(lane).expect("another shard's number");
        let context = self.inherited(runtime);
        let whole = const { fits::<Request<M>>() } && context.is_none();
        let slots = if whole {
            slots::<Request<M>>()
        } else {
            slots::<BoxedRequest<M>>()
        };
        if !first && shard.calls().has_waiters(lane) || !out.tells().try_take(slots) {
            self.context = context;
            return Err(Refusal::Overloaded);
        }
        let request = self.request(NO_CALL, Deadline::NEVER, 0);
        if whole {
            out.send(request);
        } else {
            out.send(BoxedRequest(Box::new((request, context))));
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn tell_outside(&mut self) -> Result<(), Refusal> {
        if let Some(told) = with_port(self.core.engine, |engine, port| {
            if !engine.takes_calls() {
                return Err(Refusal::Stopped);
            }
            self.tell_by_port(port)
        }) {
            return told;
        }
        let message = self.take_message();
        let context = self.context.take();
        outside::tell(self.core, message, context).map_err(|(message, context, refusal)| {
            self.message = message;
            self.context = context;
            refusal
        })
    }

    #[inline]
    fn inherited(&mut self, runtime: &Runtime) -> Option<crate::context::Context> {
        self.context
            .take()
            .or_else(|| runtime.current().and_then(|turn| turn.context.clone()))
    }
}
