//! The life of an activation: its hooks, its restarts, its sleep.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;
use quark_shards::stall::TurnLabel;

use crate::activation::{Phase, Resident, used_tick};
use crate::actor::{ActivateError, Actor, MethodInfo};
use crate::context::{Cx, Turn};
use crate::error::Refusal;
use crate::key::Key;
use crate::runtime::{Runtime, with_runtime};
use crate::state::{StateError, load_all, save_changes};
use crate::supervision::DownReason;
use crate::turn::Ending;
use crate::types::TypeShard;

impl Runtime {
    /// Puts a fresh instance into its cell and loads its states and runs `on_activate`, as far
    /// as there are any. A double has
    /// neither.
    pub(crate) fn settle<A: Actor>(
        &self,
        shard: &Shard,
        resident: Resident<A>,
        instance: Option<A>,
    ) {
        if resident.wishes_to_depart() {
            self.forget_departure(resident);
        }
        resident.stay();
        let stands_in = instance.is_none();
        if let Some(instance) = instance {
            resident.install(instance);
        }
        if !(A::HAS_ACTIVATE || A::HAS_STATES) || stands_in {
            return self.activated(shard, resident);
        }
        resident.set_phase(Phase::Activating);
        // In a block of its own: a hook that never suspends must not run, and panic, before the
        // turn's first poll.
        self.start_hook(
            shard,
            resident,
            Activate::default(),
            |actor, cx| async move {
                if A::HAS_STATES {
                    let loaded = load_all(actor, &cx.turn).await;
                    loaded.map_err(|error| Refusal::State(Box::new(error)))?;
                }
                let activated = A::activate(&mut *actor, cx).await;
                activated.map_err(Refusal::Activation)?;
                if A::SAVES_EACH_TURN {
                    let saved = save_changes(actor).await;
                    saved.map_err(|error| Refusal::Activation(not_saved("on_activate", &error)))?;
                }
                Ok(())
            },
        );
    }

    /// It was to leave when it failed: its new life knows nothing of that.
    #[cold]
    fn forget_departure<A: Actor>(&self, resident: Resident<A>) {
        if let Ok(types) = self.types.get::<A>(self) {
            types.departures.forget(resident);
        }
        resident.set_mail(resident.mailbox.len() != 0);
    }

    fn activated<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        resident.set_phase(Phase::Active);
        if resident.has_mail() {
            self.resume_soon(shard, resident);
        }
        if let Ok(types) = self.types.get::<A>(self) {
            self.watch_idle(shard, types);
        }
    }

    /// The last turn has left an actor that is not active.
    #[cold]
    pub(crate) fn turn_left_inactive<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        match resident.phase() {
            Phase::Failed => self.report_failure(shard, resident),
            Phase::Restarting if resident.is_empty() => self.rebuild(shard, resident),
            Phase::Ending if resident.is_empty() => self.all_left(shard, resident),
            _ => {}
        }
    }

    /// Takes the instance out and has another made in a while.
    pub(crate) fn rebuild<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        match resident.remove() {
            Some(instance) => drop_quietly(instance),
            None if self.takes_down_double(resident) => {}
            None => return,
        }
        self.cancel_timers(shard, resident);
        self.stop_watching(shard, &resident);
        let wait = resident.with_extra(|extra| extra.wait);
        // The cell must stay until then, even if the actor is stopped meanwhile.
        resident.count_queued();
        let sleep = shard.sleep(wait);
        shard.spawn(async move {
            sleep.await;
            with_runtime(|shard, runtime| {
                resident.uncount_queued();
                runtime.revive(shard, resident);
            });
        });
    }

    /// A double is taken down for a restart; false if it is down already, or is none.
    #[cold]
    fn takes_down_double<A: Actor>(&self, resident: Resident<A>) -> bool {
        let types = self.types.get::<A>(self).ok();
        let double = types.and_then(|types| types.double.as_ref());
        double.is_some_and(|double| double.goes_down(resident))
    }

    fn revive<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        let Ok(types) = self.types.get::<A>(self) else {
            return;
        };
        if let Some(double) = &types.double {
            double.comes_up(resident);
        }
        if resident.phase() == Phase::Gone {
            return types.leave_gone(resident);
        }
        match types.make(self, &resident.key()) {
            Ok(instance) => {
                self.hooks.restarted::<A>(&resident);
                self.say_restarted(shard, &resident);
                self.settle(shard, resident, instance);
            }
            Err(refusal) => self.fail(shard, resident, refusal),
        }
    }

    /// Nobody could be activated: everyone who waits is told, and the cell is freed. The next
    /// call tries again.
    fn fail<A: Actor>(&self, shard: &Shard, resident: Resident<A>, refusal: Refusal) {
        if let Some(instance) = resident.remove() {
            drop_quietly(instance);
        }
        self.cancel_timers(shard, resident);
        self.refuse_mail(shard, resident, &refusal);
        let cause = refusal.to_string();
        self.fell_asleep(shard, resident, DownReason::NotActivated { cause });
        if let Ok(types) = self.types.get::<A>(self) {
            self.trace_end(types, resident);
            let (key, hash) = (resident.key(), resident.hash());
            types.remove_failed(resident, refusal);
            if types.routes.are_used() {
                self.ways(shard, types).give_back(&key, hash);
            }
        }
    }

    pub(crate) fn refuse_mail<A: Actor>(
        &self,
        shard: &Shard,
        resident: Resident<A>,
        refusal: &Refusal,
    ) {
        if resident.is_wanted()
            && let Ok(types) = self.types.get::<A>(self)
        {
            types.wake_waiting(resident);
        }
        while let Some(letter) = resident.mailbox.pop(&self.outliers) {
            letter.refuse(shard, self, refusal.clone());
        }
        resident.set_mail(false);
    }

    /// Whether this node may have its actors run: it has a lease, if it needs one. Looked at wherever a
    /// message meets its actor: a shard that has stood still finds its actors as they were, and
    /// somebody else may have had them meanwhile.
    #[inline(always)]
    pub(crate) fn has_lease(&self, shard: &Shard) -> bool {
        match &self.lease {
            None => true,
            Some(lease) => lease.holds(shard.clock_of_pass()),
        }
    }

    /// Whether actors of this hash may begin a life in this process now.
    pub(crate) fn serves(&self, shard: &Shard, hash: u64) -> bool {
        let remote = self.remote();
        remote.is_none_or(|remote| remote.serves(hash, shard.now()))
    }

    /// Sends what waits in the mailbox to wherever the actor lives now.
    pub(crate) fn hand_over_mail<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        while let Some(letter) = resident.mailbox.pop(&self.outliers) {
            letter.forward(shard, self, shard.id());
        }
        resident.set_mail(false);
        if resident.is_wanted()
            && let Ok(types) = self.types.get::<A>(self)
        {
            types.wake_waiting(resident);
        }
    }

    /// Puts an idle actor to sleep.
    pub(crate) fn collect_now<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        if resident.phase() != Phase::Active || !resident.is_idle() {
            return;
        }
        // Nobody enters from here on, not even what is dropped with the actor.
        resident.set_phase(Phase::Deactivating);
        if A::HAS_DEACTIVATE && resident.has_instance() {
            self.start_hook(shard, resident, Deactivate, say_farewell);
        } else {
            self.deactivated(shard, resident);
        }
    }

    fn deactivated<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        if self.is_ending(resident) {
            return self.ended(shard, resident);
        }
        self.cancel_timers(shard, resident);
        if let Some(instance) = resident.remove() {
            drop_quietly(instance);
        }
        let Ok(types) = self.types.get::<A>(self) else {
            return;
        };
        self.trace_end(types, resident);
        // Those that are on their way count: whoever they came from may send more, and that must
        // not overtake them in another cell.
        let forgets = resident.queued() == 0 && planted(Bug::MailLostAsleep);
        if forgets || !resident.has_mail() && resident.queued() == 0 {
            return self.send_home(shard, types, resident);
        }
        if self.is_closing() {
            self.refuse_mail(shard, resident, &Refusal::Stopped);
            return self.send_home(shard, types, resident);
        }
        if !self.serves(shard, resident.hash()) && !types.pools.are_used() {
            // Its next life is on another node.
            self.hand_over_mail(shard, resident);
            return self.send_home(shard, types, resident);
        }
        self.say_down(shard, &resident, DownReason::Asleep);
        // Somebody has called meanwhile: straight into the next life.
        resident.stay();
        match types.make(self, &resident.key()) {
            Ok(instance) => {
                if !types.pools.are_used() {
                    self.trace_activation::<A>(shard, &resident.key());
                }
                self.settle(shard, resident, instance);
            }
            Err(refusal) => self.fail(shard, resident, refusal),
        }
    }

    /// The activation has ended; if it lived away from home, who is next is said there.
    fn send_home<A: Actor>(&self, shard: &Shard, types: &TypeShard<A>, resident: Resident<A>) {
        self.fell_asleep(shard, resident, DownReason::Asleep);
        if !types.routes.are_used() || types.pools.are_used() {
            return types.remove(resident);
        }
        let (key, hash) = (resident.key(), resident.hash());
        types.remove(resident);
        self.ways(shard, types).give_back(&key, hash);
    }

    /// Workers have no identity to be traced.
    pub(crate) fn trace_end<A: Actor>(&self, types: &TypeShard<A>, resident: Resident<A>) {
        if !types.pools.are_used() {
            self.hooks.deactivated::<A>(&resident);
        }
    }

    pub(crate) fn trace_activation<A: Actor>(&self, _: &Shard, key: &Key) {
        self.hooks.activated(A::NAME, key);
    }

    /// Starts the task that looks for idle actors of this type, if none runs.
    pub(crate) fn watch_idle<A: Actor>(&self, shard: &Shard, types: &TypeShard<A>) {
        if types.idle_after == Duration::MAX || types.is_kept() || types.sweeping.replace(true) {
            return;
        }
        let period = (types.idle_after / 4).max(Duration::from_millis(1));
        let first = shard.sleep(period);
        let task = shard.spawn(async move {
            first.await;
            loop {
                let sleep = with_runtime(|shard, runtime| {
                    let types = runtime.types.get::<A>(runtime).ok()?;
                    collect_idle(shard, runtime, types, SWEEP_CELLS);
                    runtime.ways(shard, types).forget_unused();
                    if types.cells.len() == 0 && types.routes.is_empty() {
                        types.sweeping.set(false);
                        return None;
                    }
                    // A large table is walked in steps that never hold up the loop.
                    let steps = types.cells.capacity().div_ceil(SWEEP_CELLS).max(1);
                    Some(shard.sleep(period / steps as u32))
                });
                match sleep {
                    Some(sleep) => sleep.await,
                    None => return,
                }
            }
        });
        let _ = task;
    }

    /// Ends the timers of an activation.
    pub(crate) fn cancel_timers<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        let Ok(types) = self.types.get::<A>(self) else {
            return;
        };
        if types.timers.borrow().is_empty() {
            return;
        }
        let timers = types.timers.borrow_mut().remove(&resident.index());
        for timer in timers.into_iter().flatten() {
            shard.tasks().cancel(timer.task);
        }
    }
}

/// Cells looked at in one step for idle actors.
const SWEEP_CELLS: usize = 4096;

/// Puts actors to sleep that nobody has called for their type's idle time. Returns how many.
pub(crate) fn collect_idle<A: Actor>(
    shard: &Shard,
    runtime: &Runtime,
    types: &TypeShard<A>,
    limit: usize,
) -> usize {
    let now = used_tick(shard.now());
    let idle_ticks = u32::try_from(types.idle_after.as_nanos() >> 20).unwrap_or(u32::MAX / 2);
    let capacity = types.cells.capacity() as u32;
    let mut collected = 0;
    for _ in 0..limit.min(capacity as usize) {
        let index = types.sweep_from.get() % capacity;
        types.sweep_from.set(index + 1);
        let Some(resident) = types.cells.get(index) else {
            continue;
        };
        if may_sleep(resident) && now.wrapping_sub(resident.used()) > idle_ticks {
            runtime.collect_now(shard, resident);
            collected += 1;
        }
    }
    let counter = &runtime.density.collected.idle;
    counter.set(counter.get() + collected as u64);
    collected
}

/// Whether an actor may be put to sleep without having asked for it.
pub(crate) fn may_sleep<A: Actor>(resident: Resident<A>) -> bool {
    resident.phase() == Phase::Active
        && resident.is_idle()
        && !resident.is_kept()
        && resident.extra(|extra| extra.kin.has_awake_children()) != Some(true)
}

/// A lifecycle hook as the turn it is.
pub(crate) trait Hook<A: Actor>: Ending<A> {
    fn info() -> &'static MethodInfo;
}

#[derive(Default)]
pub(crate) struct Activate {
    refused: RefCell<Option<Refusal>>,
}

pub(crate) struct Deactivate;

/// `on_deactivate`, and what it has changed is saved.
pub(crate) async fn say_farewell<A: Actor>(actor: &mut A, cx: &Cx<A>) {
    A::deactivate(&mut *actor, cx).await;
    if A::SAVES_EACH_TURN
        && let Err(error) = save_changes(actor).await
    {
        let error = not_saved("on_deactivate", &error);
        tracing::error!(actor = %cx.turn.head().id(), %error, "a state was not saved");
    }
}

fn not_saved(hook: &str, error: &StateError) -> ActivateError {
    ActivateError::new(format!("what {hook} changed could not be saved: {error}"))
}

impl<A: Actor> Hook<A> for Activate {
    fn info() -> &'static MethodInfo {
        const {
            &MethodInfo {
                label: TurnLabel {
                    actor: A::NAME,
                    method: "on_activate",
                },
                reply: std::any::TypeId::of::<()>,
            }
        }
    }
}

impl<A: Actor> Hook<A> for Deactivate {
    fn info() -> &'static MethodInfo {
        const {
            &MethodInfo {
                label: TurnLabel {
                    actor: A::NAME,
                    method: "on_deactivate",
                },
                reply: std::any::TypeId::of::<()>,
            }
        }
    }
}

impl<A: Actor> Ending<A> for Activate {
    type Output = Result<(), Refusal>;
    const EXCLUSIVE: bool = true;

    fn returned(&self, _: &Shard, _: &Runtime, _: Resident<A>, output: Self::Output) {
        *self.refused.borrow_mut() = output.err();
    }

    fn lost(&self, _: &Shard, _: &Turn) {
        *self.refused.borrow_mut() = Some(Refusal::Activation(ActivateError::new(
            "lost at a fault point",
        )));
    }

    fn left(&self, shard: &Shard, runtime: &Runtime, resident: Resident<A>, lost: Option<Refusal>) {
        if runtime.is_ending(resident) {
            return runtime.ended(shard, resident);
        }
        let failed = resident.extra(|extra| extra.cause.take()).flatten();
        let failed = failed.map(|cause| Refusal::Activation(ActivateError::new(cause)));
        let refused = self.refused.take().or(failed);
        let lost = lost.map(|refusal| match refusal {
            Refusal::Panicked => Refusal::Activation(ActivateError::new("on_activate panicked")),
            other => other,
        });
        match refused.or(lost) {
            Some(refusal) => runtime.fail(shard, resident, refusal),
            None => runtime.activated(shard, resident),
        }
    }
}

impl<A: Actor> Ending<A> for Deactivate {
    type Output = ();
    const EXCLUSIVE: bool = true;

    fn returned(&self, _: &Shard, _: &Runtime, _: Resident<A>, (): ()) {}

    fn lost(&self, _: &Shard, _: &Turn) {}

    fn left(&self, shard: &Shard, runtime: &Runtime, resident: Resident<A>, lost: Option<Refusal>) {
        if lost == Some(Refusal::Panicked) {
            tracing::error!(actor = %resident.id(), "on_deactivate panicked");
        }
        runtime.deactivated(shard, resident);
    }
}

/// Drops a user's value, whose destructor may panic, where no turn is there to panic.
#[inline]
pub(crate) fn drop_quietly<T>(value: T) {
    if const { !std::mem::needs_drop::<T>() } {
        return;
    }
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        tracing::error!(value = std::any::type_name::<T>(), "a destructor panicked");
        // A payload may panic on its way out, too.
        std::mem::forget(panic);
    }
}
