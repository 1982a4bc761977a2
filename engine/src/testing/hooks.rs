//! Where a simulation looks into an engine, and breaks it.

use std::rc::Rc;
use std::time::Duration;

use quark_shards::shard::Shard;

use super::fault_point::Fault;
use super::log::{Entry, Log, Outcome};
use crate::activation::Resident;
use crate::actor::{Actor, Method};
use crate::context::Turn;
use crate::error::Refusal;
use crate::key::{ActorId, Key};
use crate::message::Incoming;

/// Sees what happens on a shard, and may make turns fail. Without one, nothing is looked up.
pub(crate) trait Observer {
    /// A key got an activation.
    fn activated(&self, id: ActorId);
    /// It lost it.
    fn deactivated(&self, id: ActorId);
    /// It has moved, and lives on this shard now.
    fn moved(&self, id: ActorId);
    /// It got a fresh instance after a panic.
    fn restarted(&self, id: ActorId);
    /// A turn is polled: the observer may panic here, as the turn, or let time pass.
    fn polled(&self, turn: &Turn);
    /// Where messages are logged, if they are.
    fn log(&self) -> Option<&Log>;
    /// User code passes a named point: what shall happen there.
    fn passes(&self, point: &str) -> Option<Fault>;
    /// Lets `long` go by as if the code now running had taken it.
    fn hold_up(&self, long: Duration);
}

/// The observer of one shard, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Option<Rc<dyn Observer>>);

impl Hooks {
    pub(super) fn new(observer: Rc<dyn Observer>) -> Self {
        Hooks(Some(observer))
    }

    #[inline]
    pub(crate) fn fault(&self, turn: &Turn) {
        if let Some(observer) = &self.0 {
            observer.polled(turn);
        }
    }

    /// Where messages are logged, if they are.
    pub(crate) fn log(&self) -> Option<&Log> {
        self.0.as_ref()?.log()
    }

    pub(super) fn observer(&self) -> Option<&dyn Observer> {
        self.0.as_deref()
    }

    /// A message gets no turn.
    pub(crate) fn refused<M: Method>(
        &self,
        shard: &Shard,
        id: impl FnOnce() -> ActorId,
        incoming: &Incoming<M>,
        refusal: &Refusal,
    ) {
        if let Some(log) = self.log() {
            let entry = log.begin(Entry::new(shard, log, id(), incoming));
            log.end(entry, Outcome::of(refusal), shard.now());
        }
    }

    pub(crate) fn activated(&self, actor: &'static str, key: &Key) {
        if let Some(observer) = &self.0 {
            observer.activated(ActorId {
                actor,
                key: key.clone(),
            });
        }
    }

    pub(crate) fn deactivated<A: Actor>(&self, resident: &Resident<A>) {
        if let Some(observer) = &self.0 {
            observer.deactivated(resident.id());
        }
    }

    pub(crate) fn moved<A: Actor>(&self, resident: &Resident<A>) {
        if let Some(observer) = &self.0 {
            observer.moved(resident.id());
        }
    }

    pub(crate) fn restarted<A: Actor>(&self, resident: &Resident<A>) {
        if let Some(observer) = &self.0 {
            observer.restarted(resident.id());
        }
    }
}
