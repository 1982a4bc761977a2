//! Signals: what the engine has to tell an actor without a turn. They travel by
//! [post](Runtime::post), so from one shard to one other they arrive in order.

use std::time::Duration;

use quark_shards::ring::Message;
use quark_shards::shard::Shard;

use super::kin::{Bond, Failure, Parent};
use super::watch::{Down, DownReason, WatchId, Watcher};
use crate::activation::{Head, Phase, Resident};
use crate::actor::Actor;
use crate::reference::RefCore;
use crate::runtime::{RUNTIME, Runtime};
use crate::types::TypeShard;

/// What an actor is told.
pub(crate) enum Signal {
    /// By its parent: that it has one.
    Adopted(Parent),
    /// By its parent: what to do.
    Ordered {
        bond: Bond,
        number: u32,
        order: Order,
    },
    /// By a child: that it has failed and waits for an order.
    Failed(Failure),
    /// By a child: that it is awake.
    Awake(Bond),
    /// By a child: that it sleeps.
    Asleep(Bond),
    /// By a child: that it is none any more.
    Left(Bond),
    /// By a watcher: that it wants to hear.
    Watched(Watcher),
    /// By a watcher: that it does not any more.
    Unwatched(WatchId),
    /// By one whom it watches.
    Down(WatchId, Down),
}

/// What a parent has its child do.
#[derive(Clone)]
pub(crate) enum Order {
    /// Begin with a fresh instance, in so long.
    Restart(Duration),
    /// Go on, if it has failed.
    Resume,
    /// End; with what failed, if something did.
    Stop(Option<String>),
    /// Be nobody's child.
    Part,
}

/// A signal on its way.
struct Signalled {
    to: RefCore,
    signal: Signal,
}

impl Message<Shard> for Signalled {
    fn deliver(self, shard: &Shard, _from: u16) {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            runtime.take_signal(shard, &self.to, self.signal);
        }
    }
}

impl Runtime {
    /// Tells an actor, wherever it is, and whether it is awake or not.
    pub(crate) fn signal(&self, shard: &Shard, to: &RefCore, signal: Signal) {
        self.signal_on(shard, to.shard, to.clone(), signal);
    }

    /// The same by the shard `lane`.
    pub(crate) fn signal_on(&self, shard: &Shard, lane: u16, to: RefCore, signal: Signal) {
        self.post(shard, lane, Signalled { to, signal });
    }

    pub(crate) fn take_signal(&self, shard: &Shard, to: &RefCore, signal: Signal) {
        match self.types.of(to.token) {
            Some(types) => types.signal(shard, self, to, signal),
            // No actor of the type has ever been here.
            None => self.signal_absent(shard, None, to, signal),
        }
    }

    /// An actor of this very shard, as others know it.
    pub(crate) fn core_here(&self, shard: &Shard, head: &Head) -> RefCore {
        let home = self
            .types
            .of(head.token())
            .map(|types| types.home(self.engine(), &head.key(), head.hash()));
        let core = RefCore::new(
            head.token(),
            head.key(),
            head.hash(),
            self.engine().id(),
            home.unwrap_or(shard.id()),
        );
        // Away from home its address means nothing to those who look for it there.
        if core.shard == shard.id() {
            core.remember(head.hint());
        }
        core
    }

    /// Has an actor that is here act on a signal.
    pub(crate) fn signal_present<A: Actor>(
        &self,
        shard: &Shard,
        types: &TypeShard<A>,
        resident: Resident<A>,
        signal: Signal,
    ) {
        match signal {
            Signal::Adopted(parent) => {
                self.signal(shard, &parent.core, Signal::Awake(parent.bond));
                // What its parent had to decide till now, this one has.
                let (before, was_told) = resident.with_extra(|extra| {
                    let before = extra.kin.parent.replace(parent);
                    (before, std::mem::replace(&mut extra.is_told, false))
                });
                self.leave_parent(shard, before);
                if resident.phase() == Phase::Failed && was_told {
                    self.report_failure(shard, resident);
                }
                let core = self.core_here(shard, &resident);
                let passed_on = resident.extra(|extra| extra.kin.passed_on(&core));
                self.send_orders(shard, passed_on.flatten());
            }
            Signal::Ordered {
                bond,
                number,
                order,
            } => {
                let heard = resident.extra(|extra| extra.kin.hear(bond, number));
                if heard == Some(true) {
                    self.obey(shard, types, resident, order);
                }
            }
            Signal::Failed(failure) => self.child_failed(shard, types, resident, failure),
            Signal::Awake(bond) => {
                resident.extra(|extra| extra.kin.set_awake(bond, true));
            }
            Signal::Asleep(bond) => {
                resident.extra(|extra| extra.kin.set_awake(bond, false));
            }
            Signal::Left(bond) => {
                resident.extra(|extra| extra.kin.forget(bond));
            }
            Signal::Watched(watcher) => resident.with_extra(|extra| extra.watchers.push(watcher)),
            Signal::Unwatched(id) => {
                resident.extra(|extra| extra.watchers.retain(|watcher| watcher.id != id));
            }
            Signal::Down(id, down) => self.tell_down(shard, &resident, id, down),
        }
    }

    fn obey<A: Actor>(
        &self,
        shard: &Shard,
        types: &TypeShard<A>,
        resident: Resident<A>,
        order: Order,
    ) {
        let passed_on = resident.extra(|extra| {
            let passed_on = extra.kin.passed_on.take()?;
            let orders = match order {
                Order::Part | Order::Stop(_) => Vec::new(),
                Order::Restart(_) | Order::Resume => extra.kin.order_all(&order),
            };
            Some((passed_on, orders))
        });
        let passed_on = passed_on.flatten().map(|(cause, orders)| {
            self.send_orders(shard, orders);
            cause
        });
        match order {
            Order::Restart(wait) => self.restart(shard, types, resident, wait),
            Order::Resume => self.go_on(shard, resident),
            Order::Stop(None) => self.end(shard, resident, DownReason::Stopped, None),
            Order::Stop(Some(cause)) => {
                self.end(shard, resident, DownReason::Failed { cause }, None)
            }
            Order::Part => {
                resident.extra(|extra| extra.kin.parent = None);
                self.decide_again(shard, types, resident, passed_on);
            }
        }
    }

    /// Tells a parent that it has a child less.
    pub(crate) fn leave_parent(&self, shard: &Shard, parent: Option<Parent>) {
        if let Some(parent) = parent {
            self.signal(shard, &parent.core, Signal::Left(parent.bond));
        }
    }
}
