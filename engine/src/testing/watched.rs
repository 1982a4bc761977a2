//! The turns of watched actors: those that a test looks at, and those that have a double.

use std::cell::Cell;

use quark_shards::chain::TurnId;
use quark_shards::shard::Shard;

use super::double::StubCall;
use super::log::{Entry, EntryId, Outcome};
use crate::activation::Resident;
use crate::actor::{Method, Receiver};
use crate::coalesce::Leading;
use crate::context::Turn;
use crate::error::{CallError, Refusal};
use crate::message::Incoming;
use crate::runtime::Runtime;
use crate::state::{not_saved, saves};
use crate::turn::{Ending, MessageEnding};

/// Ends a watched turn: as the message's own ending does, and tells the log.
pub(crate) struct WatchedEnding<M: Method> {
    own: MessageEnding<M>,
    entry: Option<EntryId>,
    is_lost: Cell<bool>,
}

impl<M: Method> WatchedEnding<M> {
    /// The ending of a turn that is about to begin, and the stub if it is a double's.
    pub(crate) fn begin(
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<M::Actor>,
        turn: TurnId,
        incoming: &Incoming<M>,
    ) -> (Self, Option<StubCall<M>>) {
        let entry = runtime.hooks.log().map(|log| {
            let mut entry = Entry::new(shard, log, resident.id(), incoming);
            entry.turn = turn;
            log.begin(entry)
        });
        let types = runtime.types.get::<M::Actor>(runtime).ok();
        let double = types.and_then(|types| types.double.as_ref());
        let stub = double.map(|stand_in| stand_in.double.take(resident.key(), &incoming.args));
        let ending = WatchedEnding {
            own: MessageEnding::new(incoming.reply),
            entry,
            is_lost: Cell::new(false),
        };
        (ending, stub)
    }

    fn ended(&self, shard: &Shard, runtime: &Runtime, outcome: Outcome) {
        if let (Some(log), Some(entry)) = (runtime.hooks.log(), self.entry) {
            log.end(entry, outcome, shard.now());
        }
    }
}

impl<M: Method> Ending<M::Actor> for WatchedEnding<M> {
    type Output = Result<M::Ok, M::Err>;
    const EXCLUSIVE: bool = <M::Receiver as Receiver>::EXCLUSIVE;

    fn returned(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<M::Actor>,
        reply: Result<M::Ok, M::Err>,
    ) {
        let mut reply = reply.map_err(CallError::Failed);
        if const { saves::<M>() }
            && let Some(error) = not_saved(resident)
        {
            reply = Err(CallError::NotSaved(error));
        }
        let outcome = if reply.is_ok() {
            Outcome::Replied
        } else {
            Outcome::Failed
        };
        self.ended(shard, runtime, outcome);
        self.own.answer(shard, resident, reply);
    }

    fn lost(&self, shard: &Shard, turn: &Turn) {
        self.is_lost.set(true);
        self.own.lost(shard, turn);
    }

    fn left(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<M::Actor>,
        lost: Option<Refusal>,
    ) {
        if let Some(refusal) = &lost {
            let outcome = if self.is_lost.get() {
                Outcome::Lost
            } else {
                Outcome::of(refusal)
            };
            self.ended(shard, runtime, outcome);
        }
        self.own.left(shard, runtime, resident, lost);
    }
}

impl Runtime {
    /// Has a watched message lead a turn that identical ones may join, unless it joins one itself.
    pub(crate) fn board_watched<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) -> Option<Incoming<Leading<M>>> {
        let permit = incoming.permit;
        let log = self.hooks.log();
        let entry = log.map(|log| (log, Entry::new(shard, log, resident.id(), &incoming)));
        let leading = self.board(shard, resident, incoming);
        if leading.is_none() {
            self.give_back::<M::Actor>(shard, permit);
            if let Some((log, entry)) = entry {
                log.end(log.begin(entry), Outcome::Joined, shard.now());
            }
        }
        leading
    }
}
