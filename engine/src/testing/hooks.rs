//! Where a simulation looks into an engine, and breaks it.

use std::rc::Rc;

use crate::activation::Resident;
use crate::actor::Actor;
use crate::context::Turn;
use crate::key::{ActorId, Key};

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
