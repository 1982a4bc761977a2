//! What happens to an actor that fails: who decides, and what follows.

use quark_shards::chain::TurnId;
use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;

use super::escalation::Escalation;
use super::kin::Failure;
use super::signal::{Order, Signal};
use super::watch::DownReason;
use super::window::Wait;
use crate::activation::{Head, Phase, Resident};
use crate::actor::{Actor, MethodInfo};
use crate::options::Directive;
use crate::runtime::Runtime;
use crate::types::TypeShard;

impl Runtime {
    /// A turn has panicked: its actor has failed.
    pub(crate) fn panicked<A: Actor>(
        &self,
        shard: &Shard,
        resident: Resident<A>,
        info: &'static MethodInfo,
    ) {
        let method = info.label.method;
        tracing::error!(actor = %resident.id(), method, "a turn panicked; its actor has failed");
        if resident.phase() == Phase::Active {
            declare_failed(&resident, format!("{method} panicked"));
            self.report_failure(shard, resident);
        }
    }

    /// Has the supervisor decide about an actor that has failed, once.
    pub(crate) fn report_failure<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        let told = resident.with_extra(|extra| std::mem::replace(&mut extra.is_told, true));
        if told {
            return;
        }
        let child = self.core_here(shard, &resident);
        let to_parent = resident.with_extra(|extra| {
            let parent = extra.kin.parent.as_ref()?;
            let failure = Failure {
                child,
                bond: parent.bond,
                heard: parent.heard,
                cause: extra.cause.clone().unwrap_or_default(),
            };
            Some((parent.core.clone(), Signal::Failed(failure)))
        });
        match to_parent {
            Some((parent, signal)) => self.signal(shard, &parent, signal),
            None => {
                if let Ok(types) = self.types.get::<A>(self) {
                    self.decide(shard, types, resident);
                }
            }
        }
    }

    /// The parent that was to decide, about a failure of the actor's own or one that it had
    /// passed on, is none: the engine does.
    pub(super) fn decide_again<A: Actor>(
        &self,
        shard: &Shard,
        types: &TypeShard<A>,
        resident: Resident<A>,
        passed_on: Option<String>,
    ) {
        match (resident.phase(), passed_on) {
            (Phase::Active, Some(cause)) => {
                declare_failed(&resident, cause);
                self.report_failure(shard, resident);
            }
            (Phase::Failed, _) => self.decide(shard, types, resident),
            (_, Some(cause)) => self.give_up(shard, types, resident, cause),
            (_, None) => {}
        }
    }

    /// Decides about an actor without a parent that has failed, by its type's options.
    fn decide<A: Actor>(&self, shard: &Shard, types: &TypeShard<A>, resident: Resident<A>) {
        let rules = &types.supervision;
        let cause = resident.with_extra(|extra| extra.cause.clone().unwrap_or_default());
        let now = shard.now();
        match rules.on_failure {
            Directive::Resume => self.go_on(shard, resident),
            Directive::Stop => self.end(shard, resident, DownReason::Failed { cause }, None),
            Directive::Escalate => self.give_up(shard, types, resident, cause),
            Directive::Restart => {
                let admitted = resident
                    .with_extra(|extra| extra.restarts.admit(now, rules.restarts, rules.within));
                match admitted {
                    Some(nth) => {
                        let wait = rules.backoff.wait(nth, shard.random());
                        self.restart_now(shard, resident, wait);
                    }
                    None => self.give_up(shard, types, resident, cause),
                }
            }
        }
    }

    /// Escalates to the engine: the actor ends.
    fn give_up<A: Actor>(
        &self,
        shard: &Shard,
        types: &TypeShard<A>,
        resident: Resident<A>,
        cause: String,
    ) {
        let within = types.supervision.within;
        let restarts = resident.with_extra(|extra| extra.restarts.count(shard.now(), within));
        self.escalated(&Escalation {
            actor: resident.id(),
            shard: shard.id(),
            cause: cause.clone(),
            restarts,
        });
        self.end(shard, resident, DownReason::Failed { cause }, None);
    }

    /// Restarts an actor that its parent says to, unless it is fresh or on its way there.
    pub(super) fn restart<A: Actor>(
        &self,
        shard: &Shard,
        types: &TypeShard<A>,
        resident: Resident<A>,
        wait: Wait,
    ) {
        if matches!(resident.phase(), Phase::Active | Phase::Failed) {
            let within = types.supervision.within;
            resident.with_extra(|extra| extra.restarts.note(shard.now(), within));
            self.restart_now(shard, resident, wait);
        }
    }

    /// Gives the actor a fresh instance, after its suspended turns were dropped and answered;
    /// its children too.
    fn restart_now<A: Actor>(&self, shard: &Shard, resident: Resident<A>, wait: Wait) {
        self.begin_restart(shard, &resident, wait);
        if !planted(Bug::SurvivingTurn) {
            self.drop_turns(shard, &resident, None);
        }
        if resident.phase() == Phase::Restarting && resident.is_empty() {
            self.rebuild(shard, resident);
        }
    }

    /// Nobody enters from here on; when the last turn has left, there is a fresh instance.
    pub(crate) fn begin_restart(&self, shard: &Shard, head: &Head, wait: Wait) {
        head.set_phase(Phase::Restarting);
        let orders = head.with_extra(|extra| {
            extra.wait = wait;
            extra.cause = None;
            extra.is_told = false;
            extra.kin.failures.clear();
            extra.kin.order_all(&Order::Restart(wait))
        });
        self.send_orders(shard, orders);
    }

    /// Lets an actor that has failed go on as it is; its children that have failed, too.
    pub(super) fn go_on<A: Actor>(&self, shard: &Shard, resident: Resident<A>) {
        if resident.phase() != Phase::Failed {
            return;
        }
        let orders = resident.with_extra(|extra| {
            extra.cause = None;
            extra.is_told = false;
            extra.kin.order_all(&Order::Resume)
        });
        self.send_orders(shard, orders);
        resident.set_phase(Phase::Active);
        if resident.has_mail() {
            self.resume_soon(shard, resident);
        }
    }

    /// Drops the suspended turns of an actor, but for one, and their callers are answered.
    pub(super) fn drop_turns(&self, shard: &Shard, head: &Head, but: Option<TurnId>) {
        let suspended: Vec<_> = head
            .turns()
            .filter(|turn| Some(turn.id) != but)
            .filter_map(|turn| turn.task.get())
            .collect();
        for task in suspended {
            shard.tasks().cancel(task);
        }
    }
}

/// Nobody enters an actor that has failed; its supervisor hears of it when a turn leaves.
pub(super) fn declare_failed(head: &Head, cause: String) {
    head.set_phase(Phase::Failed);
    head.with_extra(|extra| {
        extra.cause = Some(cause);
        extra.is_told = false;
    });
}
