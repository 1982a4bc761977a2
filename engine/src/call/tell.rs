//! Telling: one-way messages.

use quark_shards::calls::Deadline;
use quark_shards::shard::Shard;

use super::ask::slots;
use super::{Call, outside};
use crate::activation::Resident;
use crate::actor::Method;
use crate::error::{Refusal, TellError};
use crate::limits::Permit;
use crate::message::{
    BoxedRequest, BoxedTold, Incoming, NO_CALL, ReplyTo, Request, Told, Toll, fits,
};
use crate::options::Priority;
use crate::port::with_port;
use crate::routing::Local;
use crate::runtime::{Runtime, try_with_runtime};
use crate::types::TypeShard;

/// What a sender does if there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It takes the message back.
    None,
    /// It waits.
    Waits,
    /// It has waited, and is the first of those who do.
    First,
}

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
        match self.try_tell(Patience::None) {
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

    /// Tells, or leaves the message where it is.
    #[inline(always)]
    pub(crate) fn try_tell(&mut self, patience: Patience) -> Result<(), Refusal> {
        try_with_runtime(|here| match here {
            Some((shard, runtime)) if runtime.engine_id() == self.core.engine => {
                if self.core.shard == shard.id() {
                    self.tell_local(shard, runtime, patience)
                } else {
                    self.tell_remote(shard, runtime, patience)
                }
            }
            _ => self.tell_outside(),
        })
    }

    #[inline(always)]
    fn tell_local(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        patience: Patience,
    ) -> Result<(), Refusal> {
        let resident = match runtime.resident(shard, self.core) {
            Ok(resident) => resident,
            Err(refusal) => return self.tell_elsewhere(shard, runtime, refusal, patience),
        };
        self.tell_here(shard, runtime, resident)
    }

    #[inline(always)]
    fn tell_here(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<M::Actor>,
    ) -> Result<(), Refusal> {
        if !resident.has_room() || !matches!(M::PRIORITY, Priority::Normal) {
            return self.tell_closely(shard, runtime, resident);
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

    /// There seems to be no room, or the message is not one to be simply queued.
    #[cold]
    #[inline(never)]
    fn tell_closely(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<M::Actor>,
    ) -> Result<(), Refusal> {
        if resident.is_landing() {
            let types = runtime.types.get::<M::Actor>(runtime)?;
            return self.tell_behind(shard, runtime, types);
        }
        let mut message = self.message.take();
        let told = runtime.tell_closely(shard, resident, &mut message, || self.inherited(runtime));
        self.message = message;
        told
    }

    /// The actor is not to be found where the reference looks, or can't be made.
    #[cold]
    #[inline(never)]
    fn tell_elsewhere(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        refusal: Refusal,
        patience: Patience,
    ) -> Result<(), Refusal> {
        if refusal != Refusal::Elsewhere {
            return Err(refusal);
        }
        let types = runtime.types.get::<M::Actor>(runtime)?;
        let ways = runtime.ways(shard, types);
        match ways.find(&self.core.key, self.core.hash)? {
            Local::Here(resident) => self.tell_here(shard, runtime, resident),
            Local::Lane(lane) => match self.tell_apart(shard, runtime, lane, patience) {
                // Whoever waits on its own account would be passed when the way changes.
                Err(Refusal::Overloaded) if patience != Patience::None => {
                    self.tell_behind(shard, runtime, types)
                }
                told => told,
            },
            Local::Behind => self.tell_behind(shard, runtime, types),
        }
    }

    /// The message waits, or is handed on behind others.
    fn tell_behind(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        types: &TypeShard<M::Actor>,
    ) -> Result<(), Refusal> {
        let ways = runtime.ways(shard, types);
        let (key, hash) = (self.core.key.clone(), self.core.hash);
        if !ways.has_room(&key, hash) {
            return Err(Refusal::MailboxFull);
        }
        let incoming = Incoming {
            context: self.inherited(runtime),
            args: self.take_message(),
            reply: ReplyTo::Nobody,
            deadline: Deadline::NEVER,
            depth: 0,
            toll: Toll::default(),
            permit: Permit::Unasked,
            is_relayed: false,
        };
        ways.dispatch(key, hash, incoming);
        Ok(())
    }

    #[inline(never)]
    fn tell_remote(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        patience: Patience,
    ) -> Result<(), Refusal> {
        if runtime.has_routes() {
            return self.tell_by_route(shard, runtime, patience);
        }
        self.tell_on(shard, runtime, self.core.shard, patience)
    }

    /// Actors of some types don't live at home, perhaps of this one.
    #[inline(never)]
    fn tell_by_route(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        patience: Patience,
    ) -> Result<(), Refusal> {
        // A type that can't be used is told of at the other end.
        match runtime.types.get::<M::Actor>(runtime) {
            Ok(types) if types.routes.are_used() => {
                self.tell_elsewhere(shard, runtime, Refusal::Elsewhere, patience)
            }
            _ => self.tell_apart(shard, runtime, self.core.shard, patience),
        }
    }

    /// As `tell_on`, in one place for all who seldom tell.
    #[inline(never)]
    fn tell_apart(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        lane: u16,
        patience: Patience,
    ) -> Result<(), Refusal> {
        self.tell_on(shard, runtime, lane, patience)
    }

    #[inline(always)]
    fn tell_on(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        lane: u16,
        patience: Patience,
    ) -> Result<(), Refusal> {
        let out = shard.outbound(lane).expect("another shard's number");
        let context = self.inherited(runtime);
        let whole = const { fits::<Request<M>>() } && context.is_none();
        let slots = if whole {
            slots::<Request<M>>()
        } else {
            slots::<BoxedRequest<M>>()
        };
        if patience != Patience::First
            && shard.calls().has_waiters(lane)
            && !shard.calls().goes_on(lane, runtime.sender())
            || !out.tells().try_take(slots)
        {
            self.context = context;
            return Err(Refusal::Overloaded);
        }
        if whole {
            out.send_with(|| self.request(NO_CALL, Deadline::NEVER, 0, lane));
        } else {
            let request = self.request(NO_CALL, Deadline::NEVER, 0, lane);
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
