//! Turns of types that have limits: each is watched to its end.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use quark_shards::shard::Shard;
use quark_shards::time::Time;

use super::{Outcome, Permit};
use crate::activation::{Phase, Resident};
use crate::actor::{Actor, Method, Receiver};
use crate::coalesce::coalesces;
use crate::context::Cx;
use crate::error::Refusal;
use crate::message::Incoming;
use crate::runtime::{Runtime, try_with_runtime};
use crate::types::TypeShard;

/// A message whose turn is watched: the method itself, with a watch around it.
struct Guarded<M: Method> {
    args: M,
    watch: Watch<M::Actor>,
}

impl<M: Method> Method for Guarded<M> {
    type Actor = M::Actor;
    type Receiver = M::Receiver;
    type Output = Result<M::Ok, M::Err>;
    type Ok = M::Ok;
    type Err = M::Err;
    type Args = M::Args;
    const NAME: &'static str = M::NAME;
    const SYNC: bool = M::SYNC;

    fn call<'a>(
        self,
        actor: <M::Receiver as Receiver>::Of<'a, M::Actor>,
        cx: &'a Cx<M::Actor>,
    ) -> impl Future<Output = Self::Output> + 'a {
        let Guarded { args, watch } = self;
        async move {
            let result = M::reply(M::call(args, actor, cx).await);
            watch.returned(result.is_err());
            result
        }
    }

    fn reply(output: Self::Output) -> Result<M::Ok, M::Err> {
        output
    }

    fn into_args(self) -> M::Args {
        self.args.into_args()
    }
}

/// Tells its type's limits how a turn has ended, whatever ends it.
pub(crate) struct Watch<A: Actor> {
    cell: u32,
    permit: Permit,
    began: Time,
    returned: bool,
    _actor: PhantomData<fn() -> A>,
}

impl<A: Actor> Watch<A> {
    /// Begins with the turn.
    pub(crate) fn new(shard: &Shard, resident: Resident<A>, permit: Permit) -> Self {
        Watch {
            cell: resident.index(),
            permit,
            began: shard.read_clock(),
            returned: false,
            _actor: PhantomData,
        }
    }

    pub(crate) fn returned(mut self, failed: bool) {
        self.returned = true;
        self.report(|_| match failed {
            true => Outcome::Failed,
            false => Outcome::Succeeded,
        });
    }

    fn report(&self, outcome: impl FnOnce(Resident<A>) -> Outcome) {
        try_with_runtime(|here| {
            let (shard, runtime) = here?;
            let types = runtime.types.get::<A>(runtime).ok()?;
            let limits = types.limits.as_deref()?;
            let resident = types.cells.get(self.cell)?;
            let now = shard.read_clock();
            // Turns that interleave share their actor.
            let took = Duration::from_nanos(now.as_nanos().saturating_sub(self.began.as_nanos()));
            limits.took(took / resident.inside().max(1));
            limits.ended(now, self.permit, outcome(resident), A::NAME);
            Some(())
        });
    }
}

impl<A: Actor> Drop for Watch<A> {
    fn drop(&mut self) {
        if !self.returned {
            // Who restarts an actor, or ends its shard, closes it before its turns are dropped.
            self.report(|resident| match resident.phase() {
                Phase::Active => Outcome::Failed,
                _ => Outcome::Unknown,
            });
        }
    }
}

impl Runtime {
    /// Asks the type's limits for a message that has come, if nobody has yet.
    pub(crate) fn admit<M: Method>(
        &self,
        shard: &Shard,
        types: &TypeShard<M::Actor>,
        incoming: &mut Incoming<M>,
    ) -> Result<(), Refusal> {
        if let (Permit::Unasked, Some(limits)) = (incoming.permit, &types.limits) {
            incoming.permit = limits.admit(shard.now(), <M::Actor as Actor>::NAME)?;
        }
        Ok(())
    }

    /// A message that was let through gets no turn of its own.
    pub(crate) fn give_back<A: Actor>(&self, shard: &Shard, permit: Permit) {
        if permit == Permit::Probe
            && let Ok(types) = self.types.get::<A>(self)
            && let Some(limits) = &types.limits
        {
            limits.ended(shard.now(), permit, Outcome::Unknown, A::NAME);
        }
    }

    /// Starts the turn of a message that was let through.
    #[inline(never)]
    pub(crate) fn begin_guarded<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        let permit = incoming.permit;
        let watch = || Watch::new(shard, resident, permit);
        if const { coalesces::<M>() } {
            let Some(leading) = self.board(shard, resident, incoming) else {
                return self.give_back::<M::Actor>(shard, permit);
            };
            let guarded = leading.map(|args| Guarded {
                args,
                watch: watch(),
            });
            self.begin_turn(shard, resident, guarded);
        } else {
            let guarded = incoming.map(|args| Guarded {
                args,
                watch: watch(),
            });
            self.begin_turn(shard, resident, guarded);
        }
    }
}
