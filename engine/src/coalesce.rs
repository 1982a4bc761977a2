//! Coalescing: identical calls of one actor that meet a turn under way share its answer.
//!
//! A call joins only where it could begin a turn of its own: the actor admits it, and nothing
//! that its sender has sent before still waits. So it sees what a turn of its own would see.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use quark_shards::calls::Deadline;
use quark_shards::chain::TurnId;
use quark_shards::shard::Shard;

use crate::activation::{Phase, Resident};
use crate::actor::{Coalesce, Method, Receiver};
use crate::context::Cx;
use crate::error::{CallError, Refusal};
use crate::lifecycle::drop_quietly;
use crate::message::{Incoming, ReplyOf, ReplyTo};
use crate::runtime::{Runtime, try_with_runtime};
use crate::types::TypeShard;

/// Whether identical calls of `M` become one: it must say so, and only turns that share their
/// actor and can be suspended can be met under way.
pub(crate) const fn coalesces<M: Method>() -> bool {
    M::COALESCE.is_some() && !M::SYNC && !<M::Receiver as Receiver>::EXCLUSIVE
}

/// The turns under way that others may join, of one type on one shard: by cell and method.
#[derive(Default)]
pub(crate) struct Flights {
    boards: RefCell<BTreeMap<(u32, TypeId), Box<dyn Any>>>,
    next: Cell<u64>,
}

/// Those of one actor and method.
type Board<M> = Vec<Flight<M>>;

struct Flight<M> {
    number: u64,
    turn: TurnId,
    message: M,
    joined: Vec<ReplyTo>,
}

impl Flights {
    /// Works on a board. It is taken out meanwhile, since users' comparisons and copies run, and
    /// may panic: then it is as if there were none.
    fn with<M: Method, R>(&self, cell: u32, f: impl FnOnce(&mut Board<M>) -> R) -> Option<R> {
        let place = (cell, TypeId::of::<M>());
        let taken = self.boards.borrow_mut().remove(&place);
        let mut board = taken
            .and_then(|board| board.downcast::<Board<M>>().ok())
            .unwrap_or_default();
        let result = catch_unwind(AssertUnwindSafe(|| f(&mut board)));
        if !board.is_empty() {
            self.boards.borrow_mut().insert(place, board);
        }
        match result {
            Ok(result) => Some(result),
            Err(panic) => {
                let method = M::NAME;
                tracing::error!(
                    method,
                    "comparing or copying a call panicked: it is not shared"
                );
                std::mem::forget(panic);
                None
            }
        }
    }

    fn flight<M: Method, R>(
        &self,
        leader: &Leader<M>,
        f: impl FnOnce(&mut Flight<M>) -> R,
    ) -> Option<R> {
        self.with::<M, _>(leader.cell, |board| {
            let flight = board
                .iter_mut()
                .find(|flight| flight.number == leader.number);
            flight.map(f)
        })?
    }

    /// Those who wait for this turn, which is not to be joined any more.
    fn end<M: Method>(&self, leader: &Leader<M>) -> Vec<ReplyTo> {
        let ended = self.with::<M, _>(leader.cell, |board| {
            let place = board
                .iter()
                .position(|flight| flight.number == leader.number);
            place.map(|place| board.swap_remove(place))
        });
        let Some(Flight {
            message, joined, ..
        }) = ended.flatten()
        else {
            return Vec::new();
        };
        drop_quietly(message);
        joined
    }
}

/// A message whose turn answers others, too.
pub(crate) struct Leading<M: Method> {
    args: M,
    /// None where the message could not be copied: then it leads nobody.
    leader: Option<Leader<M>>,
}

/// The duty to answer those who have joined, whatever ends the turn.
pub(crate) struct Leader<M: Method> {
    cell: u32,
    number: u64,
    _method: PhantomData<fn() -> M>,
}

/// Whom a turn answers beside its caller.
pub(crate) trait Lead<M: Method>: 'static {
    /// The turn begins.
    fn takes_off(&self, turn: TurnId);

    /// Answers all who have joined. A copy that panics ends the turn, and so do the rest hear.
    fn lands(self, result: &Result<M::Ok, M::Err>);
}

/// Nobody: the method does not coalesce. A type of its own, so that nothing is compiled for that.
pub(crate) struct Alone;

impl<M: Method> Lead<M> for Alone {
    fn takes_off(&self, _: TurnId) {}

    fn lands(self, _: &Result<M::Ok, M::Err>) {}
}

impl<M: Method> Lead<M> for Option<Leader<M>> {
    fn takes_off(&self, turn: TurnId) {
        if let Some(leader) = self {
            leader.takes_off(turn);
        }
    }

    fn lands(self, result: &Result<M::Ok, M::Err>) {
        if let Some(leader) = self {
            leader.lands(result);
        }
    }
}

impl<M: Method> Leading<M> {
    /// For a turn that sees to both itself.
    pub(crate) fn into_parts(self) -> (M, Option<Leader<M>>) {
        (self.args, self.leader)
    }
}

impl<M: Method> Method for Leading<M> {
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
        let Leading { args, leader } = self;
        leader.takes_off(cx.turn.id);
        async move {
            let result = M::reply(M::call(args, actor, cx).await);
            leader.lands(&result);
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

impl<M: Method> Leader<M> {
    fn here<R>(
        &self,
        f: impl FnOnce(&Shard, &Runtime, &TypeShard<M::Actor>, Resident<M::Actor>) -> R,
    ) -> Option<R> {
        try_with_runtime(|here| {
            let (shard, runtime) = here?;
            let types = runtime.types.get::<M::Actor>(runtime).ok()?;
            Some(f(shard, runtime, types, types.cells.get(self.cell)?))
        })
    }

    fn takes_off(&self, turn: TurnId) {
        self.here(|_, _, types, _| types.flights.flight(self, |flight| flight.turn = turn));
    }

    fn lands(self, result: &Result<M::Ok, M::Err>) {
        let Some(Coalesce { copy_reply, .. }) = M::COALESCE else {
            return;
        };
        self.here(|shard, _, types, resident| {
            let joined = |flight: &mut Flight<M>| !flight.joined.is_empty();
            while types.flights.flight(&self, joined) == Some(true) {
                let copy = copy_reply(result).map_err(CallError::Failed);
                let next = types
                    .flights
                    .flight(&self, |flight| flight.joined.remove(0));
                if let Some(to) = next {
                    to.send_apart::<ReplyOf<M>>(shard, resident.hint(), copy);
                }
            }
        });
    }
}

impl<M: Method> Drop for Leader<M> {
    fn drop(&mut self) {
        self.here(|shard, runtime, types, resident| {
            for to in types.flights.end(self) {
                // Who restarts an actor, or ends its shard, closes it before its turns are dropped.
                let refusal = match resident.phase() {
                    Phase::Active => Refusal::Panicked,
                    _ => runtime.why_dropped(),
                };
                to.send_apart::<ReplyOf<M>>(shard, resident.hint(), Err(refusal.into()));
            }
        });
    }
}

impl Runtime {
    /// Starts the turn of a message that may join another's.
    #[inline(never)]
    pub(crate) fn begin_or_join<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        if let Some(leading) = self.board(shard, resident, incoming) {
            self.begin_turn(shard, resident, leading);
        }
    }

    /// Has a message join the turn of an identical one; else it leads a turn that others may join.
    pub(crate) fn board<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        mut incoming: Incoming<M>,
    ) -> Option<Incoming<Leading<M>>> {
        let (Ok(types), Some(coalesce)) = (self.types.get::<M::Actor>(self), M::COALESCE) else {
            unreachable!("a message in its actor's cell, of a method that coalesces")
        };
        let (reply, is_chained) = (incoming.reply, incoming.depth > 0);
        let joins = |flight: &mut Flight<M>| {
            // One that waits, by whatever way, for the caller itself would never end.
            (coalesce.same)(&flight.message, &incoming.args)
                && !(is_chained
                    && self.is_chained(shard, reply.origin(), |turn| turn == flight.turn))
        };
        let joined = reply.is_ask()
            && types.flights.with::<M, _>(resident.index(), |board| {
                let flight = board
                    .iter_mut()
                    .find_map(|flight| joins(flight).then_some(flight));
                flight.map(|flight| flight.joined.push(reply)).is_some()
            }) == Some(true);
        if joined {
            incoming.toll.pay(shard);
            drop_quietly(incoming.args);
            return None;
        }
        let number = types.flights.next.get();
        types.flights.next.set(number + 1);
        let leads = types.flights.with::<M, _>(resident.index(), |board| {
            board.push(Flight {
                number,
                turn: 0,
                message: (coalesce.copy)(&incoming.args),
                joined: Vec::new(),
            });
        });
        let leader = leads.map(|()| Leader {
            cell: resident.index(),
            number,
            _method: PhantomData,
        });
        // Its turn may outlive the patience of the one who began it: others wait for it, too.
        incoming.deadline = Deadline::NEVER;
        Some(incoming.map(|args| Leading { args, leader }))
    }
}
