//! The end of a life by decision, not by idleness: an actor is stopped, or given up.

use quark_shards::chain::TurnId;
use quark_shards::shard::Shard;

use super::signal::Order;
use super::watch::DownReason;
use crate::activation::{Phase, Resident};
use crate::actor::Actor;
use crate::error::Refusal;
use crate::lifecycle::{Deactivate, drop_quietly, say_farewell};
use crate::runtime::Runtime;

impl Runtime {
    /// Ends an actor's life: who waits is refused, suspended turns are dropped and answered
    /// (but for `by`, which says so), its children are stopped. The next call to its key begins
    /// a new life.
    pub(crate) fn end<A: Actor>(
        &self,
        shard: &Shard,
        resident: Resident<A>,
        reason: DownReason,
        by: Option<TurnId>,
    ) {
        let phase = resident.phase();
        if matches!(phase, Phase::Free | Phase::Gone | Phase::Ending) {
            return;
        }
        let says_farewell =
            A::HAS_DEACTIVATE && phase == Phase::Active && reason == DownReason::Stopped;
        resident.with_extra(|extra| {
            extra.ending.get_or_insert(reason);
            extra.says_farewell |= says_farewell;
        });
        self.refuse_mail(shard, resident, &Refusal::ActorStopped);
        if phase == Phase::Deactivating {
            // Its hook is its farewell.
            return;
        }
        if phase != Phase::Activating {
            resident.set_phase(Phase::Ending);
        }
        self.stop_children(shard, resident);
        let life = resident.hint();
        self.drop_turns(shard, &resident, by);
        if resident.hint() == life && resident.phase() == Phase::Ending && resident.is_empty() {
            self.all_left(shard, resident);
        }
    }

    /// No turn is left in an actor that is being stopped.
    pub(crate) fn all_left<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        let farewell =
            resident.with_extra(|extra| std::mem::replace(&mut extra.says_farewell, false));
        if farewell && resident.has_instance() {
            resident.set_phase(Phase::Deactivating);
            self.start_hook(shard, resident, Deactivate, say_farewell);
        } else {
            self.ended(shard, resident);
        }
    }

    /// Whether an actor's life is to end, whatever else it was about.
    pub(crate) fn is_ending<A>(&self, resident: Resident<A>) -> bool {
        resident.extra(|extra| extra.ending.is_some()) == Some(true)
    }

    /// Takes a stopped actor out of memory, with all that was known of it.
    pub(crate) fn ended<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        self.cancel_timers(shard, resident);
        if let Some(instance) = resident.remove() {
            drop_quietly(instance);
        }
        self.refuse_mail(shard, resident, &Refusal::ActorStopped);
        let reason = resident.with_extra(|extra| extra.ending.clone());
        self.say_down(shard, &resident, reason.unwrap_or(DownReason::Stopped));
        self.stop_children(shard, resident);
        let parent = resident.with_extra(|extra| extra.kin.parent.take());
        self.leave_parent(shard, parent);
        if let Ok(types) = self.types.get::<A>(self) {
            self.trace_end(types, resident);
            let (key, hash) = (resident.key(), resident.hash());
            types.remove_failed(resident, Refusal::ActorStopped);
            if types.routes.are_used() {
                self.ways(shard, types).give_back(&key, hash);
            }
        }
    }

    fn stop_children<A>(&self, shard: &Shard, resident: Resident<A>) {
        let orders = resident.with_extra(|extra| {
            let orders = extra.kin.order_all(&Order::Stop(None));
            extra.kin.children.clear();
            orders
        });
        self.send_orders(shard, orders);
    }

    /// A life has ended in sleep, or could not begin: its kin stay what they are.
    pub(crate) fn fell_asleep<A: Actor>(
        &self,
        shard: &Shard,
        resident: Resident<A>,
        reason: DownReason,
    ) {
        self.say_down(shard, &resident, reason);
        self.park(shard, &resident);
    }

    /// Tells an actor's parent nothing, but those who watch it that its life has ended; and those
    /// whom it watches that it does not any more.
    pub(crate) fn say_down(
        &self,
        shard: &Shard,
        head: &crate::activation::Head,
        reason: DownReason,
    ) {
        self.stop_watching(shard, head);
        let watchers = head.extra(|extra| std::mem::take(&mut extra.watchers));
        for watcher in watchers.into_iter().flatten() {
            self.tell_watcher(shard, head, &watcher, reason.clone());
        }
    }
}
