//! A parent's part: children that fail.

use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;

use super::failure::declare_failed;
use super::kin::{Bond, Failure, Verdict};
use super::signal::{Order, Signal};
use crate::activation::{Phase, Resident};
use crate::actor::Actor;
use crate::reference::RefCore;
use crate::runtime::Runtime;
use crate::types::TypeShard;

impl Runtime {
    /// Decides about a child that has failed.
    pub(super) fn child_failed<A: Actor>(
        &self,
        shard: &Shard,
        types: &TypeShard<A>,
        resident: Resident<A>,
        failure: Failure,
    ) {
        let (now, chance) = (shard.now(), shard.random());
        let verdict =
            resident.with_extra(|extra| extra.kin.judge(&types.supervision, &failure, now, chance));
        match verdict {
            Verdict::Stranger => self.part(shard, failure),
            Verdict::Covered => {}
            Verdict::Order(children, order) => {
                let orders = resident.with_extra(|extra| extra.kin.order_some(&children, &order));
                self.send_orders(shard, orders);
            }
            Verdict::Escalate => self.fail_for_child(shard, types, resident, failure),
        }
    }

    /// The parent fails in its child's stead.
    fn fail_for_child<A: Actor>(
        &self,
        shard: &Shard,
        types: &TypeShard<A>,
        resident: Resident<A>,
        failure: Failure,
    ) {
        match resident.phase() {
            Phase::Active => {
                let child = resident.extra(|extra| extra.kin.name(failure.bond));
                let child = child
                    .flatten()
                    .map_or_else(String::new, |id| id.to_string());
                tracing::error!(actor = %resident.id(), child, "a child's failure is its parent's");
                declare_failed(&resident, format!("its child {child}: {}", failure.cause));
                self.report_failure(shard, resident);
            }
            // What is decided about it will be about its children too.
            Phase::Failed | Phase::Ending => {}
            // It begins anew as it is, or sleeps.
            _ => {
                let wait = types.supervision.backoff.longest;
                let order = resident.extra(|extra| {
                    let place = extra.kin.place(failure.bond)?;
                    Some(extra.kin.order(place, Order::Restart(wait)))
                });
                self.send_orders(shard, order.flatten());
            }
        }
    }

    /// Tells one who takes itself for somebody's child that it is not.
    pub(super) fn part(&self, shard: &Shard, failure: Failure) {
        let order = Signal::Ordered {
            bond: failure.bond,
            number: failure.heard,
            order: Order::Part,
        };
        self.signal(shard, &failure.child, order);
    }

    pub(super) fn send_orders(
        &self,
        shard: &Shard,
        orders: impl IntoIterator<Item = (RefCore, Signal)>,
    ) {
        for (child, signal) in orders {
            if planted(Bug::LostOrder) {
                continue;
            }
            self.signal(shard, &child, signal);
        }
    }

    /// A fresh number for a bond; never the same on two shards.
    pub(super) fn next_bond(&self, shard: &Shard) -> Bond {
        self.next_turn(shard)
    }
}
