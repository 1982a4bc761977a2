//! What one shard knows of who serves which slots.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use quark_net::cluster::{SlotSet, Table};
use quark_shards::planted::{Bug, planted};
use quark_shards::slots::{NodeId, slot_of};
use quark_shards::time::Time;

/// Who serves which slots, as the shard that keeps the node's part in its cluster has told all.
pub(crate) struct Ownership {
    pub(crate) table: Arc<Table>,
    /// This node, if it is a member.
    pub(crate) me: Option<NodeId>,
    /// What this node serves while it has a lease.
    pub(crate) mine: SlotSet,
    /// How long the lease ran when this was so: turns in slots that were lost may go on as long.
    pub(crate) lease_until: Time,
    /// The table as clients are told of it, once one is.
    pub(crate) encoded: OnceLock<Vec<u8>>,
}

impl Ownership {
    /// The slots whose actors are not to be here by `next`: those that are not this node's any more,
    /// and those that are its own again. Who has been cut off may not have heard of another's time.
    fn lost_by(&self, next: &Ownership) -> SlotSet {
        let mut lost = self.mine.without(&next.mine);
        if self.table.version() != next.table.version() {
            let is_new = |slot: &u16| self.table.deed(*slot).since != next.table.deed(*slot).since;
            (0..=u16::MAX)
                .filter(|slot| self.mine.contains(*slot))
                .filter(is_new)
                .for_each(|slot| lost.insert(slot));
        }
        lost
    }
}

/// Where messages to a key are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// Its actor lives in this process.
    Here,
    /// It is this member's.
    Member(NodeId),
    /// It will be somebody's; nobody may serve it yet, or this node does not know who.
    Wait,
    /// It is this node's, which is cut off from the others and may have been replaced.
    CutOff,
}

/// One shard's view of its cluster.
pub(crate) struct View {
    now: RefCell<Option<Arc<Ownership>>>,
    /// Slots that were lost, whose actors have not all left yet, and until when they may stay.
    leaving: RefCell<SlotSet>,
    leave_until: Cell<Time>,
    is_leaving: Cell<bool>,
    /// The same for all shards.
    lease: Lease,
}

/// Until when this node serves, in nanoseconds of the shards' time: written by one shard, and read
/// by all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lease(Arc<AtomicU64>);

impl Lease {
    pub(crate) fn renew(&self, until: Time) {
        self.0.store(until.as_nanos(), Ordering::Relaxed);
    }

    pub(crate) fn until(&self) -> Time {
        Time::from_nanos(self.0.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn holds(&self, now: Time) -> bool {
        planted(Bug::EndlessLease) || now.as_nanos() < self.0.load(Ordering::Relaxed)
    }

    /// Whether there was one that has run out: a node that has just joined has had none yet.
    fn is_over(&self, now: Time) -> bool {
        let until = self.0.load(Ordering::Relaxed);
        until != 0 && until <= now.as_nanos()
    }
}

impl View {
    pub(crate) fn new(lease: Lease) -> Self {
        View {
            now: RefCell::default(),
            leaving: RefCell::default(),
            leave_until: Cell::new(Time::ZERO),
            is_leaving: Cell::new(false),
            lease,
        }
    }

    /// Whether messages to keys of this hash are served in this process.
    #[inline]
    pub(crate) fn serves(&self, hash: u64, now: Time) -> bool {
        let slot = slot_of(hash);
        let known = self.now.borrow();
        let is_mine = known
            .as_ref()
            .is_some_and(|known| known.mine.contains(slot));
        is_mine && self.lease.holds(now) && !self.is_left(slot)
    }

    /// Whether actors of an earlier time may still be here that are to leave.
    #[inline]
    fn is_left(&self, slot: u16) -> bool {
        self.is_leaving.get() && self.leaving.borrow().contains(slot)
    }

    /// Where messages to keys of this hash go.
    pub(crate) fn whereabouts(&self, hash: u64, now: Time) -> Whereabouts {
        let slot = slot_of(hash);
        let known = self.now.borrow();
        let Some(known) = known.as_ref() else {
            return Whereabouts::Wait;
        };
        match known.table.owner(slot) {
            None => Whereabouts::Wait,
            Some(owner) if Some(owner) != known.me => Whereabouts::Member(owner),
            Some(_) if self.lease.is_over(now) => Whereabouts::CutOff,
            Some(_)
                if self.lease.holds(now) && known.mine.contains(slot) && !self.is_left(slot) =>
            {
                Whereabouts::Here
            }
            Some(_) => Whereabouts::Wait,
        }
    }

    /// Whether what a turn for a key of this hash has answered may leave: nobody else can have had
    /// the key while it ran.
    pub(crate) fn may_answer(&self, hash: u64, now: Time) -> bool {
        if self.is_left(slot_of(hash)) {
            return now < self.leave_until.get();
        }
        self.lease.holds(now)
    }

    /// What is so now, if anything is known.
    pub(crate) fn known(&self) -> Option<Arc<Ownership>> {
        self.now.borrow().clone()
    }

    pub(crate) fn has_lease(&self, now: Time) -> bool {
        self.lease.holds(now)
    }

    pub(crate) fn table(&self) -> Option<Arc<Table>> {
        let known = self.now.borrow();
        known.as_ref().map(|known| known.table.clone())
    }

    /// The version of the table; zero while there is none.
    pub(crate) fn version(&self) -> u64 {
        let known = self.now.borrow();
        known.as_ref().map_or(0, |known| known.table.version())
    }

    /// Since which version of the table a slot is this node's. Zero if it is another's, which every
    /// store knows for an old one.
    pub(crate) fn deed_of_mine(&self, slot: u16) -> u64 {
        let known = self.now.borrow();
        let mine = known
            .as_ref()
            .filter(|known| known.me.is_some() && known.table.owner(slot) == known.me);
        mine.map_or(0, |known| known.table.deed(slot).since)
    }

    /// Takes what is so now. Whether slots were lost whose actors are to leave.
    pub(crate) fn take(&self, next: Arc<Ownership>) -> bool {
        let lost = match self.now.borrow().as_ref() {
            None => SlotSet::new(),
            Some(known) => known.lost_by(&next),
        };
        if !lost.is_empty() {
            // What was lost before may stay as long as then; it will not be long.
            let until = if self.is_leaving.get() {
                self.leave_until.get().min(next.lease_until)
            } else {
                next.lease_until
            };
            let leaving = self.leaving.borrow().with(&lost);
            *self.leaving.borrow_mut() = leaving;
            self.leave_until.set(until);
            self.is_leaving.set(true);
        }
        *self.now.borrow_mut() = Some(next);
        self.is_leaving.get()
    }

    /// The lease is over: whatever this node had may be another's by now, with all its actors.
    pub(crate) fn lose_all(&self) {
        let mine = self.now.borrow().as_ref().map(|known| known.mine.clone());
        let Some(mine) = mine.filter(|mine| !mine.is_empty()) else {
            return;
        };
        let leaving = self.leaving.borrow().with(&mine);
        *self.leaving.borrow_mut() = leaving;
        self.leave_until.set(Time::ZERO);
        self.is_leaving.set(true);
    }

    /// The slots whose actors are to leave, and until when.
    pub(crate) fn leaving(&self) -> Option<(SlotSet, Time)> {
        let leaving = self.is_leaving.get();
        leaving.then(|| (self.leaving.borrow().clone(), self.leave_until.get()))
    }

    /// All have left.
    pub(crate) fn all_left(&self) {
        *self.leaving.borrow_mut() = SlotSet::new();
        self.is_leaving.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use quark_net::cluster::{Address, Change, Newcomer};

    use super::*;

    fn newcomer(name: &str) -> Newcomer {
        Newcomer {
            name: name.to_owned(),
            incarnation: 1,
            address: Address {
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                ports: vec![1],
            },
        }
    }

    fn ownership(table: &Table, me: NodeId, mine: SlotSet) -> Arc<Ownership> {
        Arc::new(Ownership {
            me: Some(me),
            table: Arc::new(table.clone()),
            mine,
            lease_until: Time::ZERO,
            encoded: OnceLock::new(),
        })
    }

    fn all() -> SlotSet {
        let mut all = SlotSet::new();
        (0..=u16::MAX).for_each(|slot| all.insert(slot));
        all
    }

    #[test]
    fn who_has_had_no_lease_yet_is_not_cut_off() {
        let table = Table::found(newcomer("a"));
        let me = table.owner(0).expect("it has one member");
        let (lease, at) = (Lease::default(), Time::from_nanos);
        let view = View::new(lease.clone());
        view.take(ownership(&table, me, SlotSet::new()));
        assert_eq!(view.whereabouts(7, at(50)), Whereabouts::Wait);
        view.take(ownership(&table, me, all()));
        assert_eq!(view.whereabouts(7, at(50)), Whereabouts::Wait);
        lease.renew(at(100));
        assert_eq!(view.whereabouts(7, at(50)), Whereabouts::Here);
        assert_eq!(view.whereabouts(7, at(100)), Whereabouts::CutOff);
    }

    #[test]
    fn who_was_anothers_meanwhile_leaves_before_he_is_served_again() {
        let first = Table::found(newcomer("a"));
        let me = first.owner(0).expect("it has one member");
        let second = first.changed(&Change::Admit(newcomer("b")));
        let second = second.expect("there is room");
        let other = second.named("b").expect("it was admitted").id;
        let third = second.changed(&Change::Remove(other));
        let third = third.expect("it is a member");
        let lease = Lease::default();
        lease.renew(Time::from_nanos(100));
        let view = View::new(lease);
        assert!(!view.take(ownership(&first, me, all())));
        // It was cut off while the second held.
        assert!(view.take(ownership(&third, me, all())));
        let (leaving, _) = view.leaving().expect("some leave");
        let was_lost = |slot: u16| second.owner(slot) == Some(other);
        assert!((0..=u16::MAX).all(|slot| leaving.contains(slot) == was_lost(slot)));
        assert!(!leaving.is_empty());
        view.all_left();
        assert!(!view.take(ownership(&third, me, all())));
    }
}
