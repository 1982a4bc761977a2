//! Moves: an actor leaves one shard and lands on another, with its mailbox and all that it has.

use std::cell::RefCell;
use std::collections::BTreeMap;

use quark_shards::local_ring::LocalMessage;
use quark_shards::planted::{Bug, planted};
use quark_shards::ring::Message;
use quark_shards::shard::Shard;

use super::change::Ways;
use super::control::{Control, What};
use super::{Change, Via};
use crate::activation::{Phase, Resident};
use crate::actor::Actor;
use crate::extra::Extra;
use crate::key::Key;
use crate::lifecycle::drop_quietly;
use crate::runtime::RUNTIME;
use crate::schedule::PackedTimer;
use crate::types::TypeShard;

/// Actors of one type that are to leave this shard, by their cells: where to, and how, for only
/// types that are `Send` can.
pub(crate) struct Departures<A: Actor>(RefCell<BTreeMap<u32, Departure<A>>>);

struct Departure<A: Actor> {
    to: u16,
    leave: Leave<A>,
}

type Leave<A> = fn(&Ways<'_, A>, Resident<A>, u16);

impl<A: Actor> Default for Departures<A> {
    fn default() -> Self {
        Departures(RefCell::default())
    }
}

impl<A: Actor> Departures<A> {
    pub(crate) fn forget(&self, resident: Resident<A>) {
        self.0.borrow_mut().remove(&resident.index());
    }
}

/// An actor on its way.
struct Parcel<A: Actor> {
    key: Key,
    hash: u64,
    /// None where a double stands in.
    instance: Option<A>,
    is_kept: bool,
    extra: Option<Box<Extra>>,
    timers: Vec<PackedTimer<A>>,
}

impl<A: Actor + Send> Ways<'_, A> {
    /// Has the actor leave for the shard `to` as soon as no turn is inside.
    pub(super) fn depart(&self, resident: Resident<A>, to: u16) {
        if to == self.here() || self.runtime.is_closing() {
            return;
        }
        let departure = Departure {
            to,
            leave: |ways: &Ways<'_, A>, resident, to| ways.leave(resident, to),
        };
        let mut departures = self.types.departures.0.borrow_mut();
        departures.insert(resident.index(), departure);
        resident.wish_to_depart();
        // What comes now waits: else turns that share the actor could keep it here for ever.
        resident.set_mail(true);
    }

    /// Everything that was queued for the actor before it began to leave has come: packs it up.
    fn leave(&self, resident: Resident<A>, to: u16) {
        let (key, hash) = (resident.key(), resident.hash());
        let instance = resident.remove();
        if instance.is_none() && self.types.double.is_none() {
            return;
        }
        let timers = self.types.pack_timers(self.shard, resident);
        let parcel = Parcel {
            key: key.clone(),
            hash,
            instance,
            is_kept: resident.is_kept(),
            extra: resident.take_extra(),
            timers,
        };
        self.runtime.post(self.shard, to, parcel);
        let home = self.home(&key, hash);
        if home != self.here() && home != to {
            let notice = Control::<A>::new(key.clone(), hash, What::Notice { at: to });
            self.runtime.post(self.shard, home, notice);
        }
        while let Some(letter) = resident.mailbox.pop(&self.runtime.outliers) {
            if planted(Bug::MailLeftBehind) {
                std::mem::forget(letter);
                continue;
            }
            letter.forward(self.shard, self.runtime, to);
        }
        resident.set_mail(false);
        if resident.is_wanted() {
            self.types.wake_waiting(resident);
        }
        self.types.discard(resident);
        let change = self
            .types
            .routes
            .with(&key, hash, |route| route.change.take());
        if let Some(change) = change.flatten() {
            while let Some(letter) = change.pop(&self.runtime.outliers) {
                letter.forward(self.shard, self.runtime, to);
            }
        }
        self.forget_if(&key, hash, false);
    }
}

impl<A: Actor> Ways<'_, A> {
    /// An actor that is to leave has no turn inside any more: closes it. What is queued for it
    /// on this shard still comes to its mailbox; its senders' next messages are held back.
    pub(crate) fn begin_to_leave(&self, resident: Resident<A>) {
        let departure = self
            .types
            .departures
            .0
            .borrow_mut()
            .remove(&resident.index());
        let Some(Departure { to, leave }) = departure else {
            return;
        };
        let (key, hash) = (resident.key(), resident.hash());
        let is_kept = resident.is_kept();
        resident.stay();
        resident.keep(is_kept);
        resident.set_phase(Phase::Moving);
        self.types.hide(resident);
        let routes = &self.types.routes;
        routes.remove(&key, hash);
        self.add_route(key.clone(), hash, Via::Shard(to), self.now());
        let mut change = routes.new_change();
        change.leaves = true;
        let leads_home = self.home(&key, hash) != self.here();
        routes.with(&key, hash, |route| {
            route.change = Some(change);
            route.leads_home = leads_home;
        });
        self.runtime.watch_idle(self.shard, self.types);
        resident.count_queued();
        self.shard.defer(Leaving {
            resident,
            to,
            leave,
        });
    }

    /// This shard may activate `key` from now on; its home, `from`, says so.
    pub(super) fn placed(&self, key: Key, hash: u64, from: u16) {
        self.land(key, hash, from);
        self.runtime.watch_idle(self.shard, self.types);
    }

    /// Makes this shard the one where `key` lives. What has been sent from here to where it was
    /// is still under way: until its marker has come round, what comes by other ways waits.
    fn land(&self, key: Key, hash: u64, from: u16) {
        let routes = &self.types.routes;
        // Where messages are still under way, if no marker has been sent there yet.
        let before = routes.with(&key, hash, |route| {
            let before = std::mem::replace(&mut route.via, Via::Here);
            match (&mut route.change, before) {
                (Some(change), _) => {
                    change.landing_from = Some(from);
                    change.expires = false;
                    None
                }
                (None, Via::Shard(via)) => Some(via),
                // It was here, so it came from nowhere else; its home places nobody twice.
                (None, Via::Here) => None,
            }
        });
        let before = before.unwrap_or_else(|| {
            self.add_route(key.clone(), hash, Via::Here, self.now());
            Some(self.home(&key, hash))
        });
        let Some(via) = before else {
            return;
        };
        let mut change = routes.new_change();
        change.landing_from = Some(from);
        let serial = change.serial;
        routes.with(&key, hash, |route| route.change = Some(change));
        self.mark(&key, hash, via, serial);
    }

    /// The marker has come round: whatever was held goes in, in its order.
    pub(super) fn settle_landing(&self, key: Key, hash: u64, change: &Change) {
        let routes = &self.types.routes;
        if self.home(&key, hash) == self.here() {
            routes.remove(&key, hash);
        }
        // Somebody to hold the messages, if there are any; else its first caller makes one.
        let resident = match self.types.lookup(&key, hash) {
            None if change.len() != 0 => {
                let made = self
                    .types
                    .activate_here(self.shard, self.runtime, &key, hash);
                made.ok()
            }
            known => known,
        };
        let Some(resident) = resident else {
            while let Some(letter) = change.pop(&self.runtime.outliers) {
                letter.start(self.shard, self.runtime);
            }
            return;
        };
        resident.set_landing(false);
        resident.set_room(self.types.quick_room());
        // All wait for all before them: none begins while others are yet to come.
        resident.set_mail(true);
        while let Some(letter) = change.pop(&self.runtime.outliers) {
            letter.start(self.shard, self.runtime);
        }
        resident.set_mail(resident.mailbox.len() != 0 || resident.wishes_to_depart());
        if resident.is_wanted() {
            self.types.wake_waiting(resident);
        }
        if resident.phase() != Phase::Active {
            return;
        }
        if resident.wishes_to_depart() && resident.is_empty() {
            self.begin_to_leave(resident);
        } else if resident.has_mail() {
            self.runtime.resume_soon(self.shard, resident);
        }
    }

    /// An actor that lived away from home has gone to sleep here.
    pub(crate) fn give_back(&self, key: &Key, hash: u64) {
        let routes = &self.types.routes;
        let is_ours = routes.with(key, hash, |route| {
            route.via == Via::Here && route.change.is_none()
        });
        if is_ours != Some(true) {
            return;
        }
        routes.remove(key, hash);
        let home = self.home(key, hash);
        if home != self.here() {
            self.send_kin(key, home);
            let asleep = Control::<A>::new(key.clone(), hash, What::Return);
            self.runtime.post(self.shard, home, asleep);
        }
    }

    /// The actor has gone to sleep on the shard `from`.
    pub(super) fn returned(&self, key: Key, hash: u64, from: u16) {
        let route = self.types.routes.with(&key, hash, |route| {
            route.change.is_none() && route.via == Via::Shard(from)
        });
        if route == Some(true) {
            self.change(&key, hash, from, false);
        }
    }
}

/// Behind all that was queued for an actor that leaves.
struct Leaving<A: Actor> {
    resident: Resident<A>,
    to: u16,
    leave: Leave<A>,
}

impl<A: Actor> LocalMessage<Shard> for Leaving<A> {
    fn deliver(self, shard: &Shard) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return;
        };
        let Leaving {
            resident,
            to,
            leave,
        } = self;
        resident.uncount_queued();
        if let Ok(types) = runtime.types.get::<A>(runtime) {
            leave(&runtime.ways(shard, types), resident, to);
        }
    }
}

impl<A: Actor + Send> Message<Shard> for Parcel<A> {
    fn deliver(self, shard: &Shard, from: u16) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return drop_quietly(self.instance);
        };
        let Ok(types) = runtime.types.get::<A>(runtime) else {
            return drop_quietly(self.instance);
        };
        let ways = runtime.ways(shard, types);
        ways.land(self.key.clone(), self.hash, from);
        let resident = types.take_in(self.key, self.hash, self.instance);
        resident.keep(self.is_kept);
        if let Some(extra) = self.extra {
            resident.set_extra(extra);
        }
        resident.set_guarded(types.limits.is_some());
        resident.set_landing(true);
        resident.set_room(0);
        resident.enter(true, ways.now());
        resident.leave(true);
        resident.set_phase(Phase::Active);
        runtime.hooks.moved::<A>(&resident);
        runtime.density.grow(shard, runtime);
        types.unpack_timers(shard, runtime, resident, self.timers);
        runtime.watch_idle(shard, types);
    }
}

impl<A: Actor> TypeShard<A> {
    /// Puts an actor that has moved here into a cell.
    fn take_in(&self, key: Key, hash: u64, instance: Option<A>) -> Resident<A> {
        let resident = self.cells.take(key, hash);
        self.enter_directory(resident);
        if let Some(instance) = instance {
            resident.install(instance);
        }
        self.watch(resident);
        resident.stay();
        resident
    }
}
