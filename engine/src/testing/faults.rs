//! What a simulation does to turns, and what it checks on its way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::time::Duration;

use quark_shards::current::with_current;
use quark_shards::driver::sim::SimWorld;
use xxhash_rust::xxh3::xxh3_64;

use super::fault_point::{Fault, Points};
use super::hooks::Observer;
use super::log::Log;
use super::options::SimOptions;
use crate::context::Turn;
use crate::key::{ActorId, Key};

/// What has happened in a simulation so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimCounts {
    /// Passes of shards' loops.
    pub passes: u64,
    /// Polls of turns.
    pub polls: u64,
    /// Activations.
    pub activated: u64,
    /// Activations that ended.
    pub deactivated: u64,
    /// Moves from one shard to another.
    pub moved: u64,
    /// Fresh instances after a panic.
    pub restarted: u64,
    /// Panics injected.
    pub panics: u64,
    /// Stalls injected.
    pub stalls: u64,
    /// Faults injected at [fault points](crate::fault_point).
    pub point_faults: u64,
    /// Times that messages from one shard to another were held up.
    pub delays: u64,
}

/// The observer of all shards of one simulation.
pub(super) struct Faults {
    world: SimWorld,
    panic_probability: f64,
    stall_probability: f64,
    stall_max: Duration,
    /// On which shard each actor lives.
    alive: RefCell<BTreeMap<ActorId, u16>>,
    counts: Cell<SimCounts>,
    broken: RefCell<Option<String>>,
    log: Option<Log>,
    pub(super) points: Points,
}

impl Faults {
    pub(super) fn new(world: SimWorld, options: &SimOptions) -> Self {
        Faults {
            world,
            panic_probability: options.panic_probability,
            stall_probability: options.stall_probability,
            stall_max: options.stall_max,
            alive: RefCell::default(),
            counts: Cell::default(),
            broken: RefCell::default(),
            log: options.log_messages.then(Log::default),
            points: Points::default(),
        }
    }

    pub(super) fn counts(&self) -> SimCounts {
        self.counts.get()
    }

    pub(super) fn count(&self, one: impl FnOnce(&mut SimCounts)) {
        let mut counts = self.counts.get();
        one(&mut counts);
        self.counts.set(counts);
    }

    /// The first rule that was broken, if one was.
    pub(super) fn broken(&self) -> Option<String> {
        self.broken.borrow_mut().take()
    }

    fn breaks(&self, rule: String) {
        self.broken.borrow_mut().get_or_insert(rule);
    }

    fn note(&self, what: u8, id: &ActorId) {
        self.world.note(u64::from(what));
        self.world.note(xxh3_64(id.actor.as_bytes()));
        self.world.note(match &id.key {
            Key::Int(number) => *number,
            Key::Str(name) => xxh3_64(name.as_bytes()),
        });
    }
}

impl Observer for Faults {
    fn activated(&self, id: ActorId) {
        self.count(|counts| counts.activated += 1);
        self.note(b'a', &id);
        let here = with_current(|shard| shard.map_or(u16::MAX, |shard| shard.id()));
        if let Some(there) = self.alive.borrow_mut().insert(id.clone(), here) {
            self.breaks(format!(
                "{id} was activated on shard {here} while it lived on shard {there}"
            ));
        }
    }

    fn deactivated(&self, id: ActorId) {
        self.count(|counts| counts.deactivated += 1);
        self.note(b'd', &id);
        if self.alive.borrow_mut().remove(&id).is_none() {
            self.breaks(format!("{id} was deactivated without being active"));
        }
    }

    fn moved(&self, id: ActorId) {
        self.count(|counts| counts.moved += 1);
        self.note(b'm', &id);
        let here = with_current(|shard| shard.map_or(u16::MAX, |shard| shard.id()));
        if self.alive.borrow_mut().insert(id.clone(), here).is_none() {
            self.breaks(format!("{id} moved to shard {here} without being active"));
        }
    }

    fn restarted(&self, id: ActorId) {
        self.count(|counts| counts.restarted += 1);
        self.note(b'r', &id);
    }

    fn polled(&self, turn: &Turn) {
        self.count(|counts| counts.polls += 1);
        if self.stall_probability > 0.0 && self.world.chance(self.stall_probability) {
            self.count(|counts| counts.stalls += 1);
            let most = u64::try_from(self.stall_max.as_nanos()).unwrap_or(u64::MAX);
            let long = self.world.random() % most.max(1);
            self.world.stall(Duration::from_nanos(long));
        }
        if self.panic_probability > 0.0 && self.world.chance(self.panic_probability) {
            self.count(|counts| counts.panics += 1);
            self.note(b'p', &turn.head().id());
            // Without the panic hook: there would be a backtrace for each.
            resume_unwind(Box::new("a panic injected by the simulation"));
        }
    }

    fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    fn passes(&self, point: &str) -> Option<Fault> {
        let chance = |probability| self.world.chance(probability);
        let fault = self.points.passes(point, chance)?;
        self.count(|counts| counts.point_faults += 1);
        self.world.note(xxh3_64(point.as_bytes()));
        Some(fault)
    }

    fn hold_up(&self, long: Duration) {
        self.world.stall(long);
    }
}
