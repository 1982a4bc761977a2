//! How actors leave whose slots another node has now: turns that are inside end, what waits in the
//! mailbox goes first, and then they are put to sleep as ever. Who is not gone when the lease ends
//! is given up.

use std::rc::Rc;
use std::time::Duration;

use quark_net::cluster::SlotSet;
use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;
use quark_shards::slots::slot_of;

use super::Lease;
use crate::activation::Phase;
use crate::actor::Actor;
use crate::density::{Steps, walk};
use crate::remote::Remote;
use crate::runtime::{Runtime, with_runtime};
use crate::supervision::DownReason;
use crate::types::TypeShard;

/// How often those are looked at that are not gone yet.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Who is to leave a shard, as one walk over its actors sees it.
pub(crate) struct Leaving<'a> {
    /// Those who live in one of these.
    slots: &'a SlotSet,
    /// They have no more time.
    is_over: bool,
    /// Those who have not left so far.
    left: usize,
}

/// Has the actors of one type leave that are to. True once all were looked at.
pub(crate) fn leave_slots<A: Actor>(
    shard: &Shard,
    runtime: &Runtime,
    types: &TypeShard<A>,
    steps: &mut Steps,
    leaving: &mut Leaving<'_>,
) -> bool {
    if types.pools.are_used() {
        // Workers have no identity, and no slots.
        return true;
    }
    for cell in steps.cells(types) {
        let is_here = || !matches!(cell.phase(), Phase::Free | Phase::Gone);
        if planted(Bug::LetGoAtOnce) || !is_here() || !leaving.slots.contains(slot_of(cell.hash()))
        {
            continue;
        }
        // Whoever calls it from now on is sent to where it will be.
        let found = types.lookup(&cell.key(), cell.hash());
        if found.is_some_and(|found| found.index() == cell.index()) {
            types.hide(cell);
        }
        if leaving.is_over {
            runtime.hand_over_mail(shard, cell);
            let cause = "its slot is another node's now".to_owned();
            runtime.end(shard, cell, DownReason::Failed { cause }, None);
        } else {
            runtime.collect_now(shard, cell);
        }
        leaving.left += usize::from(is_here());
    }
    steps.next as usize >= types.cells.capacity()
}

/// How often a shard looks whether its node has a lease again.
const LOOK_FOR_LEASE_EVERY: Duration = Duration::from_millis(5);

impl Remote {
    /// Has all actors leave whenever this node's lease ends: another may have their slots by then, and
    /// turns run on only as long as the lease under which they began.
    pub(crate) fn watch_lease(self: &Rc<Self>, lease: Lease) {
        let remote = self.clone();
        self.shard().spawn(async move {
            let mut was_held = false;
            loop {
                let (now, until) = (remote.shard().read_clock(), lease.until());
                if now < until {
                    was_held = true;
                    remote.shard().sleep_until(until).await;
                    continue;
                }
                if std::mem::take(&mut was_held) && !planted(Bug::EndlessLease) {
                    tracing::warn!(
                        "this node's lease is over: it serves nothing until it has another"
                    );
                    remote.lose_all();
                    remote.have_them_leave();
                }
                crate::sleep(LOOK_FOR_LEASE_EVERY).await;
            }
        });
    }

    /// Has all actors leave whose slots were lost, and says so when they have.
    pub(crate) fn have_them_leave(self: &Rc<Self>) {
        if self.is_emptying.replace(true) {
            return;
        }
        let remote = self.clone();
        self.shard().spawn(async move {
            while let Some((slots, until)) = remote.leaving() {
                let mut leaving = Leaving {
                    slots: &slots,
                    is_over: remote.shard().read_clock() >= until,
                    left: 0,
                };
                walk(|types, shard, runtime, steps| {
                    types.leave_slots(shard, runtime, steps, &mut leaving)
                })
                .await;
                let left = leaving.left;
                // More may have been lost meanwhile.
                let are_same = remote.leaving().is_some_and(|(now, _)| now == slots);
                if left == 0 && are_same {
                    remote.all_left();
                } else {
                    crate::sleep(LOOK_EVERY).await;
                }
            }
            remote.is_emptying.set(false);
            with_runtime(|shard, runtime| {
                remote.say_let_go(shard, runtime);
                remote.release(shard, runtime);
            });
        });
    }
}
