//! What becomes of a message whose actor is not simply here.

use super::change::{Ways, bit};
use super::control::{Control, What};
use super::{Via, Way};
use crate::activation::{Resident, used_tick};
use crate::actor::{Actor, Method};
use crate::error::Refusal;
use crate::key::Key;
use crate::mailbox::Waiting;
use crate::message::Incoming;
use crate::options::{Placement, WhenFull};
use crate::runtime::Runtime;

use quark_shards::shard::Shard;

/// What a sender on this shard is to do with its message.
pub(crate) enum Local<A> {
    /// The actor is here.
    Here(Resident<A>),
    /// It is to be sent to that shard, as to any actor's home.
    Lane(u16),
    /// It is to be [dispatched](Ways::dispatch), behind others.
    Behind,
}

impl<A: Actor> Ways<'_, A> {
    /// Where a sender on this shard finds the actor.
    pub(crate) fn find(&self, key: &Key, hash: u64) -> Result<Local<A>, Refusal> {
        if let Some(implementer) = &self.types.implementer {
            let lane = implementer.lane(self.shard, self.runtime, key, hash)?;
            return Ok(lane.map_or(Local::Behind, Local::Lane));
        }
        loop {
            return match self.way(key, hash) {
                Way::Here => {
                    let resident = self
                        .types
                        .activate_here(self.shard, self.runtime, key, hash)?;
                    Ok(Local::Here(resident))
                }
                Way::Pool => {
                    let resident = self.worker(key, hash)?;
                    Ok(Local::Here(resident))
                }
                Way::Shard(lane) => Ok(Local::Lane(lane)),
                Way::Landing { .. } | Way::Wait | Way::Behind(_) | Way::Away => Ok(Local::Behind),
                Way::Place => {
                    self.place(key, hash, self.here());
                    continue;
                }
            };
        }
    }

    /// The shard that a message is sent to as to any actor's home, if it is.
    pub(crate) fn lane(&self, key: &Key, hash: u64) -> Option<u16> {
        match self.way(key, hash) {
            Way::Shard(lane) => Some(lane),
            _ => None,
        }
    }

    /// Whether a one-way message from this shard to an actor that is not here has room.
    pub(crate) fn has_room(&self, key: &Key, hash: u64) -> bool {
        if let Some(implementer) = &self.types.implementer {
            // What can't be found is told of when the message is taken.
            return implementer
                .has_room(self.shard, self.runtime, key, hash)
                .unwrap_or(true);
        }
        let waiting = self.types.routes.with(key, hash, |route| {
            let held = route.change.as_ref().map_or(0, |change| change.len());
            held + route.pending as usize
        });
        self.types.when_full == WhenFull::Wait || waiting.unwrap_or(0) < self.types.mailbox
    }

    /// Brings a message on its way: to its actor here, to where that lives, or to wait.
    pub(crate) fn dispatch<M: Method<Actor = A>>(
        &self,
        key: Key,
        hash: u64,
        incoming: Incoming<M>,
    ) {
        if let Some(implementer) = &self.types.implementer {
            return implementer.take(self.shard, self.runtime, key, hash, incoming);
        }
        let from = incoming.from(self.shard);
        match self.way(&key, hash) {
            Way::Here => self.arrive_here(key, hash, incoming),
            Way::Pool => match self.worker(&key, hash) {
                Ok(resident) => self.runtime.arrive_apart(self.shard, resident, incoming),
                Err(refusal) => self.refuse(key, incoming, refusal),
            },
            Way::Landing { from: last } if last == from => self.arrive_here(key, hash, incoming),
            Way::Landing { .. } | Way::Wait => {
                let is_relayed = incoming.is_relayed;
                let routed = Routed {
                    key: key.clone(),
                    hash,
                    incoming,
                };
                self.hold(&key, hash, is_relayed, routed);
            }
            Way::Shard(lane) | Way::Behind(lane) => {
                self.tell_of(&key, hash, from, lane);
                self.relay(lane, key, hash, incoming);
            }
            Way::Place => {
                self.place(&key, hash, from);
                self.dispatch(key, hash, incoming);
            }
            Way::Away => match self.runtime.remote() {
                Some(remote) => remote.send(self.shard, self.runtime, key, hash, incoming),
                None => self.refuse(key, incoming, Refusal::Stopped),
            },
        }
    }

    /// A message has met an actor that has just moved here, and whose earlier messages may still
    /// be on their way: only what its old shard hands on goes in. Gives it back if it does.
    pub(crate) fn enters<M: Method<Actor = A>>(
        &self,
        resident: Resident<A>,
        incoming: Incoming<M>,
    ) -> Option<Incoming<M>> {
        let (key, hash) = (resident.key(), resident.hash());
        match self.way(&key, hash) {
            Way::Landing { from } if from == incoming.from(self.shard) => Some(incoming),
            Way::Landing { .. } => {
                let is_relayed = incoming.is_relayed;
                let routed = Routed {
                    key: key.clone(),
                    hash,
                    incoming,
                };
                self.hold(&key, hash, is_relayed, routed);
                None
            }
            _ => Some(incoming),
        }
    }

    fn arrive_here<M: Method<Actor = A>>(&self, key: Key, hash: u64, incoming: Incoming<M>) {
        match self
            .types
            .activate_here(self.shard, self.runtime, &key, hash)
        {
            Ok(resident) => self.runtime.arrive_apart(self.shard, resident, incoming),
            Err(refusal) => self.refuse(key, incoming, refusal),
        }
    }

    fn refuse<M: Method<Actor = A>>(&self, key: Key, mut incoming: Incoming<M>, refusal: Refusal) {
        incoming.toll.pay(self.shard);
        self.runtime.refuse_key(self.shard, key, incoming, refusal);
    }

    /// Holds a message back until the route to its actor has changed. One that was handed on may
    /// have been sent here and gone from here before any of those that are held back, and goes
    /// first.
    pub(super) fn hold<W: Waiting>(&self, key: &Key, hash: u64, is_relayed: bool, message: W) {
        let held = self.types.routes.with(key, hash, |route| {
            let change = route
                .change
                .as_ref()
                .expect("only changing routes hold back");
            let held = if is_relayed {
                &change.relayed
            } else {
                &change.held
            };
            held.push(self.shard, &self.runtime.outliers, message);
        });
        debug_assert!(
            held.is_some(),
            "a message was held for a route that is not there"
        );
    }

    /// The actor lives nowhere, and this is its home: chooses where it shall live. `from` is
    /// whose call it is.
    fn place(&self, key: &Key, hash: u64, from: u16) {
        let shards = self.runtime.engine().shards();
        let chosen = match self.types.options.placement {
            Some(Placement::Random) => (self.shard.random() % u64::from(shards)) as u16,
            // A thread outside has no shard of its own.
            Some(Placement::Local) if from < shards => from,
            _ => self.here(),
        };
        if chosen == self.here() {
            // Made here by whoever asks next, which is now.
            let _ = self
                .types
                .activate_here(self.shard, self.runtime, key, hash);
            if self.types.lookup(key, hash).is_none() {
                // It failed: its callers are to hear why, not to try for ever.
                self.add_route(key.clone(), hash, Via::Here, self.now());
            }
            return;
        }
        self.add_route(key.clone(), hash, Via::Shard(chosen), self.now());
        self.send_kin(key, chosen);
        let place = Control::<A>::new(key.clone(), hash, What::Place);
        self.runtime.post(self.shard, chosen, place);
    }

    pub(super) fn now(&self) -> u32 {
        used_tick(self.shard.now())
    }

    /// Tells the shard `from`, once, that what it sends here goes on to `lane`.
    fn tell_of(&self, key: &Key, hash: u64, from: u16, lane: u16) {
        if from == self.here() || from == lane || from >= self.runtime.engine().shards() {
            return;
        }
        let is_new = self.types.routes.with(key, hash, |route| {
            let is_new = route.told & bit(from) == 0;
            route.told |= bit(from);
            is_new
        });
        if is_new.unwrap_or(true) {
            let notice = Control::<A>::new(key.clone(), hash, What::Notice { at: lane });
            self.runtime.post(self.shard, from, notice);
        }
    }
}

/// A message that is held back on its way.
struct Routed<M: Method> {
    key: Key,
    hash: u64,
    incoming: Incoming<M>,
}

impl<M: Method> Waiting for Routed<M> {
    const EXCLUSIVE: bool = false;

    fn start(self, shard: &Shard, runtime: &Runtime) {
        if let Ok(types) = runtime.types.get::<M::Actor>(runtime) {
            let ways = runtime.ways(shard, types);
            ways.dispatch(self.key, self.hash, self.incoming);
        }
    }

    fn refuse(mut self, shard: &Shard, runtime: &Runtime, refusal: Refusal) {
        self.incoming.toll.pay(shard);
        runtime.refuse_key(shard, self.key, self.incoming, refusal);
    }

    fn forward(self, shard: &Shard, runtime: &Runtime, lane: u16) {
        if let Ok(types) = runtime.types.get::<M::Actor>(runtime) {
            let ways = runtime.ways(shard, types);
            ways.relay(lane, self.key, self.hash, self.incoming);
        }
    }
}
