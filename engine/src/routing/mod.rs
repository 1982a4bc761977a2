//! Routing: how messages find actors that do not live at their home.
//!
//! A key's home is the shard that its hash names. It lives there, unless its type is placed
//! otherwise or it was moved: then its home keeps a *record* of where it lives, and any shard
//! that calls it learns the way, so that messages go straight to it.
//!
//! A message that reaches a shard where its actor does not live is handed on by the *route* of
//! that shard; a shard without a route hands it on to the home. Messages from one sender stay in
//! order because every lane between two shards is first in first out, and a shard changes its
//! route to an actor only when nothing it has sent by the old one is still under way: it holds
//! back what it would send, has a [marker](control) follow the old route, and goes on when the
//! marker has reached the actor. A shard that an actor moves to does the same, for its own earlier
//! messages may still be on their way to where the actor was.
//!
//! Types whose actors all live at home have no routes and pay nothing.

mod change;
mod control;
mod dispatch;
mod kin;
mod migrate;
mod pool;
mod relay;
mod travel;

use std::cell::{Cell, RefCell, RefMut};

use hashbrown::HashTable;
use quark_shards::shard::Shard;

use crate::error::Refusal;
use crate::key::Key;
use crate::mailbox::{Letter, Mailbox, Outliers};
use crate::runtime::Runtime;

pub(crate) use dispatch::Local;
pub use migrate::{Migrate, MigrateError};
pub(crate) use pool::Pools;
pub(crate) use travel::Departures;

/// One type's routes on one shard.
#[derive(Default)]
pub(crate) struct Routes {
    /// Whether a key here may live, or be called, elsewhere than at home. Read for every call to
    /// another shard.
    used: Cell<bool>,
    table: RefCell<HashTable<Route>>,
    next_serial: Cell<u32>,
    /// Routes that are changing, or have messages that wait for credit.
    unsettled: Cell<usize>,
    sweep_from: Cell<usize>,
}

/// The way to one actor.
struct Route {
    key: Key,
    hash: u64,
    via: Via,
    /// Messages handed on that wait for credit; later ones must stay behind them.
    pending: u32,
    change: Option<Box<Change>>,
    /// The home's own way may lead by here still.
    leads_home: bool,
    /// Shards that were told of the better way and have not taken it yet.
    told: u64,
    /// When it was last looked up, in [ticks](crate::activation::used_tick).
    used: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Via {
    /// It lives here, away from home, or may be activated here.
    Here,
    /// It is that shard's.
    Shard(u16),
}

/// A route in the making: what would go by it is held back.
struct Change {
    /// Tells the marker that ends it from those of changes given up.
    serial: u32,
    /// What other shards have handed on goes first: it may have come by here before.
    relayed: Mailbox,
    held: Mailbox,
    /// The shard that an actor has just come from: what that one hands on enters at once.
    landing_from: Option<u16>,
    /// The actor is just leaving this shard: no marker will end it.
    leaves: bool,
    /// The route has not been used for long: it is forgotten at the end, unless it is by then.
    expires: bool,
}

/// What to do with a message at this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Its actor lives here, or may.
    Here,
    /// Its actor lives here, and other messages come first.
    Landing { from: u16 },
    /// Nobody knows yet.
    Wait,
    /// It goes to that shard.
    Shard(u16),
    /// The same, behind others that wait for credit.
    Behind(u16),
    /// Its actor lives nowhere, and this shard says where it shall.
    Place,
    /// Any instance of a pool here will do.
    Pool,
    /// It lives in another process.
    Away,
}

impl Routes {
    /// Whether a message of this type may have to go elsewhere than to its key's home.
    #[inline]
    pub(crate) fn are_used(&self) -> bool {
        self.used.get()
    }

    pub(crate) fn use_them(&self) {
        self.used.set(true);
    }

    /// Whether nothing is held back or waits for credit.
    pub(crate) fn are_quiet(&self) -> bool {
        self.unsettled.get() == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.borrow().is_empty()
    }

    /// Runs `f` with the route of `key`, if there is one.
    fn with<R>(&self, key: &Key, hash: u64, f: impl FnOnce(&mut Route) -> R) -> Option<R> {
        let mut route = self.find(key, hash)?;
        let before = route.is_settled();
        let result = f(&mut route);
        self.count(before, route.is_settled());
        Some(result)
    }

    /// Apart, so that the search is compiled once, and not for each who asks.
    fn find(&self, key: &Key, hash: u64) -> Option<RefMut<'_, Route>> {
        RefMut::filter_map(self.table.borrow_mut(), |table| {
            table.find_mut(hash, |route| route.hash == hash && route.key == *key)
        })
        .ok()
    }

    fn insert(&self, key: Key, hash: u64, via: Via, used: u32) {
        self.use_them();
        self.table.borrow_mut().insert_unique(
            hash,
            Route {
                key,
                hash,
                via,
                pending: 0,
                change: None,
                leads_home: false,
                told: 0,
                used,
            },
            |route| route.hash,
        );
    }

    fn remove(&self, key: &Key, hash: u64) -> Option<Route> {
        let mut table = self.table.borrow_mut();
        let found = table.find_entry(hash, |route| route.hash == hash && route.key == *key);
        let (route, _) = found.ok()?.remove();
        self.count(route.is_settled(), true);
        Some(route)
    }

    fn count(&self, was_settled: bool, is_settled: bool) {
        let unsettled = self.unsettled.get();
        self.unsettled.set(match (was_settled, is_settled) {
            (true, false) => unsettled + 1,
            (false, true) => unsettled - 1,
            _ => unsettled,
        });
    }

    fn new_change(&self) -> Box<Change> {
        let serial = self.next_serial.get().wrapping_add(1);
        self.next_serial.set(serial);
        Box::new(Change {
            serial,
            held: Mailbox::default(),
            relayed: Mailbox::default(),
            landing_from: None,
            leaves: false,
            expires: false,
        })
    }
}

impl Change {
    fn len(&self) -> usize {
        self.relayed.len() + self.held.len()
    }

    /// Takes out what goes first.
    fn pop(&self, outliers: &Outliers) -> Option<Letter> {
        self.relayed
            .pop(outliers)
            .or_else(|| self.held.pop(outliers))
    }
}

impl Route {
    fn is_settled(&self) -> bool {
        self.change.is_none() && self.pending == 0
    }
}

impl Routes {
    /// Answers all who are held back here: the shard ends.
    pub(crate) fn refuse_held(&self, shard: &Shard, runtime: &Runtime) {
        loop {
            let mut changing = None;
            {
                let mut table = self.table.borrow_mut();
                for route in table.iter_mut() {
                    let before = route.is_settled();
                    changing = route.change.take();
                    if changing.is_some() {
                        self.count(before, route.is_settled());
                        break;
                    }
                }
            }
            let Some(change) = changing else { return };
            while let Some(letter) = change.pop(&runtime.outliers) {
                letter.refuse(shard, runtime, Refusal::Stopped);
            }
        }
    }

    /// The next of `limit` places of the table where a settled route lies that was not used for
    /// `idle` ticks.
    fn unused(&self, now: u32, idle: u32, limit: usize) -> Vec<(Key, u64, Via)> {
        let table = self.table.borrow();
        let buckets = table.num_buckets();
        let mut unused = Vec::new();
        for _ in 0..limit.min(buckets) {
            let place = self.sweep_from.get() % buckets;
            self.sweep_from.set(place + 1);
            if let Some(route) = table.get_bucket(place)
                && route.is_settled()
                && !route.leads_home
                && now.wrapping_sub(route.used) > idle
            {
                unused.push((route.key.clone(), route.hash, route.via));
            }
        }
        unused
    }
}
