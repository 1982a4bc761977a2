//! The kin of actors that are not in memory: what their signals mean meanwhile, and where their
//! next activation finds it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;

use super::escalation::Escalation;
use super::kin::{Failure, Parent, Verdict};
use super::signal::{Order, Signal};
use super::watch::{Down, DownReason};
use crate::activation::Head;
use crate::actor::TypeToken;
use crate::extra::Extra;
use crate::key::Key;
use crate::options::Supervision;
use crate::reference::RefCore;
use crate::runtime::Runtime;

/// What is kept of actors that sleep and have kin, by the hash of their type's name and by key.
#[derive(Default)]
pub(crate) struct Parked(RefCell<BTreeMap<(u64, Key), Sleeper>>);

struct Sleeper {
    token: &'static TypeToken,
    extra: Box<Extra>,
}

impl Parked {
    fn name(to: &RefCore) -> (u64, Key) {
        (to.token.hash(), to.key.clone())
    }

    fn with<R>(&self, to: &RefCore, look: impl FnOnce(&mut Extra) -> R) -> Option<R> {
        let mut parked = self.0.borrow_mut();
        let sleeper = parked.get_mut(&Self::name(to))?;
        Some(look(&mut sleeper.extra))
    }

    pub(crate) fn put(&self, token: &'static TypeToken, key: Key, extra: Box<Extra>) {
        let sleeper = Sleeper { token, extra };
        self.0.borrow_mut().insert((token.hash(), key), sleeper);
    }

    pub(crate) fn take(&self, token: &TypeToken, key: &Key) -> Option<Box<Extra>> {
        let mut parked = self.0.borrow_mut();
        if parked.is_empty() {
            return None;
        }
        Some(parked.remove(&(token.hash(), key.clone()))?.extra)
    }

    /// Those who sleep, for the tree.
    pub(super) fn each(&self, mut look: impl FnMut(&'static TypeToken, &Key, &mut Extra)) {
        for ((_, key), sleeper) in &mut *self.0.borrow_mut() {
            look(sleeper.token, key, &mut sleeper.extra);
        }
    }
}

impl Runtime {
    /// An actor has come to memory: it finds the kin that it had, or was given, in its sleep.
    pub(crate) fn unpark(&self, shard: &Shard, head: &Head) {
        let Some(extra) = self.parked.take(head.token(), &head.key()) else {
            return;
        };
        let parent = extra.kin.parent.as_ref();
        let parent = parent.map(|parent| (parent.core.clone(), Signal::Awake(parent.bond)));
        head.set_extra(extra);
        self.send_orders(shard, parent);
    }

    /// An actor has left memory, and may come back: its kin stay what they are.
    pub(super) fn park(&self, shard: &Shard, head: &Head) {
        let Some(extra) = head.take_extra() else {
            return;
        };
        if extra.kin.is_empty() || planted(Bug::ForgottenKin) {
            return;
        }
        let parent = extra.kin.parent.as_ref();
        let parent = parent.map(|parent| (parent.core.clone(), Signal::Asleep(parent.bond)));
        self.parked.put(head.token(), head.key(), extra);
        self.send_orders(shard, parent);
    }

    /// Acts on a signal to an actor that is not in memory; `rules` are its type's.
    pub(crate) fn signal_absent(
        &self,
        shard: &Shard,
        rules: Option<&Supervision>,
        to: &RefCore,
        signal: Signal,
    ) {
        match signal {
            Signal::Adopted(parent) => self.adopted_asleep(shard, to, parent),
            Signal::Ordered {
                bond,
                number,
                order,
            } => {
                if self.parked.with(to, |extra| extra.kin.hear(bond, number)) == Some(true) {
                    self.obey_asleep(shard, to, order);
                }
            }
            Signal::Failed(failure) => self.child_failed_asleep(shard, rules, to, failure),
            Signal::Awake(bond) => {
                self.parked
                    .with(to, |extra| extra.kin.set_awake(bond, true));
            }
            Signal::Asleep(bond) => {
                self.parked
                    .with(to, |extra| extra.kin.set_awake(bond, false));
            }
            Signal::Left(bond) => {
                self.parked.with(to, |extra| extra.kin.forget(bond));
                self.forget_lonely(to);
            }
            Signal::Watched(watcher) => {
                let down = Down {
                    actor: to.id(),
                    reason: DownReason::Asleep,
                };
                self.signal(shard, &watcher.core, Signal::Down(watcher.id, down));
            }
            Signal::Unwatched(_) | Signal::Down(..) => {}
        }
    }

    fn adopted_asleep(&self, shard: &Shard, to: &RefCore, parent: Parent) {
        let mut extra = self.parked.take(to.token, &to.key).unwrap_or_default();
        let before = extra.kin.parent.replace(parent);
        let passed_on = extra.kin.passed_on(to);
        self.parked.put(to.token, to.key.clone(), extra);
        self.leave_parent(shard, before);
        self.send_orders(shard, passed_on);
    }

    /// Who sleeps has nothing to restart or to stop, but its children may be awake.
    fn obey_asleep(&self, shard: &Shard, to: &RefCore, order: Order) {
        match order {
            Order::Stop(_) => {
                let Some(mut extra) = self.parked.take(to.token, &to.key) else {
                    return;
                };
                self.leave_parent(shard, extra.kin.parent.take());
                self.send_orders(shard, extra.kin.order_all(&order));
            }
            Order::Part => {
                let passed_on = self.parked.with(to, |extra| {
                    extra.kin.parent = None;
                    extra.kin.passed_on.take()
                });
                match passed_on.flatten() {
                    Some(cause) => self.give_up_asleep(shard, to, cause),
                    None => self.forget_lonely(to),
                }
            }
            Order::Restart(_) | Order::Resume => {
                let orders = self.parked.with(to, |extra| {
                    extra.kin.passed_on = None;
                    extra.kin.order_all(&order)
                });
                self.send_orders(shard, orders.into_iter().flatten());
            }
        }
    }

    fn child_failed_asleep(
        &self,
        shard: &Shard,
        rules: Option<&Supervision>,
        to: &RefCore,
        failure: Failure,
    ) {
        let Some(rules) = rules else {
            return self.part(shard, failure);
        };
        let (now, chance) = (shard.now(), shard.random());
        let judge = |extra: &mut Extra| extra.kin.judge(rules, &failure, now, chance);
        match self.parked.with(to, judge).unwrap_or(Verdict::Stranger) {
            Verdict::Stranger => self.part(shard, failure),
            Verdict::Covered => {}
            Verdict::Order(children, order) => {
                let order = |extra: &mut Extra| extra.kin.order_some(&children, &order);
                let orders = self.parked.with(to, order);
                self.send_orders(shard, orders.into_iter().flatten());
            }
            Verdict::Escalate => self.escalate_asleep(shard, to, failure),
        }
    }

    /// A parent that sleeps can't fail: its own parent decides at once, or the engine gives up.
    fn escalate_asleep(&self, shard: &Shard, to: &RefCore, failure: Failure) {
        let cause = failure.cause;
        let above = self.parked.with(to, |extra| {
            extra.kin.passed_on = Some(cause.clone());
            extra.kin.passed_on(to)
        });
        match above.flatten() {
            Some((parent, signal)) => self.signal(shard, &parent, signal),
            None => self.give_up_asleep(shard, to, cause),
        }
    }

    fn give_up_asleep(&self, shard: &Shard, to: &RefCore, cause: String) {
        self.escalated(&Escalation {
            actor: to.id(),
            shard: shard.id(),
            cause: cause.clone(),
            restarts: 0,
        });
        self.obey_asleep(shard, to, Order::Stop(Some(cause)));
    }

    fn forget_lonely(&self, to: &RefCore) {
        if self.parked.with(to, |extra| extra.kin.is_empty()) == Some(true) {
            drop(self.parked.take(to.token, &to.key));
        }
    }
}
