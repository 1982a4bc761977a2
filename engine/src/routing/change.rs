//! Changing a route without letting anything overtake: hold back, mark, go on.

use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;

use super::control::{Control, HeldMarker, What};
use super::{Via, Way};
use crate::activation::{Resident, used_tick};
use crate::actor::Actor;
use crate::key::Key;
use crate::options::Placement;
use crate::runtime::Runtime;
use crate::types::TypeShard;

/// One type's routes on one shard, with all that it takes to use them.
pub(crate) struct Ways<'a, A: Actor> {
    pub(super) shard: &'a Shard,
    pub(super) runtime: &'a Runtime,
    pub(super) types: &'a TypeShard<A>,
}

impl Runtime {
    pub(crate) fn ways<'a, A: Actor>(
        &'a self,
        shard: &'a Shard,
        types: &'a TypeShard<A>,
    ) -> Ways<'a, A> {
        Ways {
            shard,
            runtime: self,
            types,
        }
    }
}

impl<A: Actor> Ways<'_, A> {
    pub(super) fn here(&self) -> u16 {
        self.shard.id()
    }

    /// The shard that keeps the record of `key`.
    pub(super) fn home(&self, key: &Key, hash: u64) -> u16 {
        self.runtime.engine().home(&self.types.options, key, hash)
    }

    /// What is to be done here with a message to `key`.
    pub(super) fn way(&self, key: &Key, hash: u64) -> Way {
        let remote = self.runtime.remote();
        if let Some(remote) = remote
            && !remote.serves(hash, self.shard.clock_of_pass())
            // Workers are wherever they are called.
            && !(remote.hosts() && self.types.pools.are_used())
        {
            return Way::Away;
        }
        if self.types.pools.are_used() {
            return Way::Pool;
        }
        let now = used_tick(self.shard.now());
        let known = self.types.routes.with(key, hash, |route| {
            route.used = now;
            if let Some(change) = &route.change {
                return match (route.via, change.landing_from) {
                    (Via::Here, Some(from)) => Way::Landing { from },
                    _ => Way::Wait,
                };
            }
            match route.via {
                Via::Here => Way::Here,
                Via::Shard(lane) if route.pending == 0 => Way::Shard(lane),
                Via::Shard(lane) => Way::Behind(lane),
            }
        });
        let way = known.unwrap_or_else(|| {
            let home = self.home(key, hash);
            if home != self.here() {
                Way::Shard(home)
            } else if self.is_roaming() && self.types.lookup(key, hash).is_none() {
                Way::Place
            } else {
                Way::Here
            }
        });
        match way {
            // What a post says comes first.
            Way::Shard(lane) if self.runtime.has_posts(lane) => Way::Behind(lane),
            way => way,
        }
    }

    /// Whether actors of this type live where their home puts them.
    fn is_roaming(&self) -> bool {
        matches!(
            self.types.options.placement,
            Some(Placement::Random | Placement::Local)
        )
    }

    /// A first route for `key`.
    pub(super) fn add_route(&self, key: Key, hash: u64, via: Via, used: u32) {
        self.runtime.use_routes();
        self.types.routes.insert(key, hash, via, used);
    }

    /// The shard `at` was said to be where messages are handed on to.
    pub(super) fn noticed(&self, key: Key, hash: u64, at: u16) {
        let routes = &self.types.routes;
        let home = self.home(&key, hash);
        let known = routes.with(&key, hash, |route| (route.via, route.change.is_some()));
        match known {
            Some((Via::Shard(via), false)) if via != at => {
                if planted(Bug::HastyRoute) {
                    routes.with(&key, hash, |route| route.via = Via::Shard(at));
                    return;
                }
                self.change(&key, hash, via, false);
            }
            // What changes finds out by itself; who is here is here.
            Some(_) => {}
            None if home == self.here()
                || at == home
                || self.types.lookup(&key, hash).is_some() => {}
            None => {
                self.add_route(
                    key.clone(),
                    hash,
                    Via::Shard(home),
                    used_tick(self.shard.now()),
                );
                self.runtime.watch_idle(self.shard, self.types);
                if planted(Bug::HastyRoute) {
                    routes.with(&key, hash, |route| route.via = Via::Shard(at));
                    return;
                }
                self.change(&key, hash, home, false);
            }
        }
    }

    /// Begins to look for the actor by the old route, `via`, and holds back what comes meanwhile.
    pub(super) fn change(&self, key: &Key, hash: u64, via: u16, expires: bool) {
        let mut change = self.types.routes.new_change();
        change.expires = expires;
        let serial = change.serial;
        self.types.routes.with(key, hash, |route| {
            debug_assert!(route.change.is_none(), "a route that changes already");
            route.change = Some(change);
        });
        self.mark(key, hash, via, serial);
    }

    /// Sends a marker of this shard's own by the old route.
    pub(super) fn mark(&self, key: &Key, hash: u64, via: u16, serial: u32) {
        let origin = self.here();
        let marker = Control::new(key.clone(), hash, What::Marker { origin, serial });
        self.follow(via, marker);
    }

    /// A marker has come by here.
    pub(super) fn marked(&self, key: Key, hash: u64, origin: u16, serial: u32) {
        if origin == self.here() {
            return self.marker_back(key, hash, serial);
        }
        let routes = &self.types.routes;
        // It has heard of the better way, and may be told of the next.
        let is_home = origin == self.home(&key, hash);
        routes.with(&key, hash, |route| {
            route.told &= !bit(origin);
            route.leads_home &= !is_home;
        });
        let marker = |key| Control::<A>::new(key, hash, What::Marker { origin, serial });
        match self.way(&key, hash) {
            Way::Here | Way::Landing { .. } | Way::Place | Way::Pool | Way::Away => {
                let at = self.here();
                let landed = Control::<A>::new(key, hash, What::Landed { at, serial });
                self.runtime.post(self.shard, origin, landed);
            }
            Way::Shard(lane) | Way::Behind(lane) => self.follow(lane, marker(key)),
            Way::Wait if is_home && self.give_up_change(&key, hash) => {
                self.marked(key, hash, origin, serial);
            }
            Way::Wait => {
                let held = HeldMarker(marker(key.clone()));
                // Behind all, those that go first among them.
                self.hold(&key, hash, false, held);
            }
        }
    }

    /// Goes on by the old route, if a better one is being looked for. The home's own marker has come
    /// by: the home may be holding ours back until it has that, so ours must not hold it back.
    fn give_up_change(&self, key: &Key, hash: u64) -> bool {
        let found = self.types.routes.with(key, hash, |route| {
            let Via::Shard(via) = route.via else {
                return None;
            };
            let change = route.change.take_if(|change| !change.leaves)?;
            Some((change, via))
        });
        let Some((change, via)) = found.flatten() else {
            return false;
        };
        while let Some(letter) = change.pop(&self.runtime.outliers) {
            letter.forward(self.shard, self.runtime, via);
        }
        true
    }

    /// Our own marker is back: the actor lives here, or, if this is its home, nowhere.
    fn marker_back(&self, key: Key, hash: u64, serial: u32) {
        let routes = &self.types.routes;
        let found = routes.with(&key, hash, |route| {
            let change = route.change.take_if(|change| change.serial == serial)?;
            Some((change, route.via))
        });
        let Some((change, via)) = found.flatten() else {
            return;
        };
        if via == Via::Here {
            return self.settle_landing(key, hash, &change);
        }
        // Nobody lives anywhere: messages to it begin again, here.
        routes.remove(&key, hash);
        while let Some(letter) = change.pop(&self.runtime.outliers) {
            letter.start(self.shard, self.runtime);
        }
    }

    /// Our marker has come to the actor on the shard `at`.
    pub(super) fn landed(&self, key: Key, hash: u64, at: u16, serial: u32) {
        let found = self.types.routes.with(&key, hash, |route| {
            if route.via == Via::Here {
                return Err(route
                    .change
                    .as_ref()
                    .is_some_and(|change| change.serial == serial));
            }
            let change = route.change.take_if(|change| change.serial == serial);
            let change = change.ok_or(false)?;
            route.via = Via::Shard(at);
            Ok(change)
        });
        let change = match found {
            Some(Ok(change)) => change,
            // The actor has come here since, and what our marker followed comes behind it.
            Some(Err(true)) => return self.mark(&key, hash, at, serial),
            Some(Err(false)) | None => return,
        };
        let is_idle = change.expires && change.len() == 0;
        while let Some(letter) = change.pop(&self.runtime.outliers) {
            letter.forward(self.shard, self.runtime, at);
        }
        self.forget_if(&key, hash, is_idle);
    }

    /// One message less waits for credit on the route to `key`.
    pub(super) fn handed_on(&self, key: &Key, hash: u64) {
        self.types.routes.with(key, hash, |route| {
            route.pending = route.pending.saturating_sub(1);
        });
        self.forget_if(key, hash, false);
    }

    /// Forgets a settled route that leads where messages without one go, or, if `anyway`,
    /// wherever it leads.
    pub(super) fn forget_if(&self, key: &Key, hash: u64, anyway: bool) {
        let home = self.home(key, hash);
        if home == self.here() {
            return;
        }
        let forget = self.types.routes.with(key, hash, |route| {
            route.is_settled()
                && (route.via == Via::Shard(home) || anyway && route.via != Via::Here)
        });
        if forget == Some(true) {
            self.types.routes.remove(key, hash);
        }
    }
}

impl<A: Actor> Ways<'_, A> {
    /// Whoever is activated while it lands waits for what came before by other ways.
    pub(crate) fn mind_landing(&self, resident: Resident<A>) {
        let way = self.way(&resident.key(), resident.hash());
        if let Way::Landing { .. } = way {
            resident.set_landing(true);
            resident.set_room(0);
        }
    }

    /// Forgets routes that nobody has used for the type's idle time, and gives back the right to
    /// activate keys that nobody has called. A few each time.
    pub(crate) fn forget_unused(&self) {
        let routes = &self.types.routes;
        if routes.is_empty() {
            return;
        }
        let idle = u32::try_from(self.types.idle_after.as_nanos() >> 20).unwrap_or(u32::MAX / 2);
        for (key, hash, via) in routes.unused(self.now(), idle, LOOKED_AT) {
            match via {
                Via::Here if self.types.lookup(&key, hash).is_none() => {
                    self.give_back(&key, hash);
                }
                // The record at home says who may activate it, and stays.
                Via::Shard(via) if self.home(&key, hash) != self.here() => {
                    self.change(&key, hash, via, true);
                }
                Via::Here | Via::Shard(_) => {}
            }
        }
    }
}

/// Places of the table looked at in one step.
const LOOKED_AT: usize = 4096;

/// A shard's place in a set of shards that were told something.
pub(super) fn bit(shard: u16) -> u64 {
    1 << (shard % 64)
}
