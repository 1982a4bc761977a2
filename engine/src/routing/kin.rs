//! Kin and signals of actors that are not where their home is.

use std::marker::PhantomData;

use quark_shards::ring::Message;
use quark_shards::shard::Shard;

use super::Way;
use super::change::Ways;
use crate::actor::Actor;
use crate::error::Refusal;
use crate::extra::Extra;
use crate::key::Key;
use crate::mailbox::Waiting;
use crate::reference::RefCore;
use crate::runtime::{RUNTIME, Runtime};
use crate::supervision::Signal;

impl<A: Actor> Ways<'_, A> {
    /// Passes a signal on to where its actor may be awake; gives it back if that is nowhere but
    /// here.
    pub(crate) fn pass_on(&self, to: &RefCore, signal: Signal) -> Option<Signal> {
        if !self.types.routes.are_used() {
            return Some(signal);
        }
        match self.way(&to.key, to.hash) {
            Way::Here | Way::Landing { .. } | Way::Place | Way::Pool | Way::Away => Some(signal),
            Way::Shard(lane) | Way::Behind(lane) => {
                self.runtime.signal_on(self.shard, lane, to.clone(), signal);
                None
            }
            Way::Wait => {
                let held = HeldSignal::<A> {
                    to: to.clone(),
                    signal,
                    _actor: PhantomData,
                };
                self.hold(&to.key, to.hash, false, held);
                None
            }
        }
    }

    /// Has the kin of an actor that sleeps here wait for it on the shard `to`.
    pub(super) fn send_kin(&self, key: &Key, to: u16) {
        if let Some(extra) = self.runtime.parked.take(A::token(), key) {
            let kin = Kin::<A> {
                key: key.clone(),
                extra,
                _actor: PhantomData,
            };
            self.runtime.post(self.shard, to, kin);
        }
    }
}

struct HeldSignal<A> {
    to: RefCore,
    signal: Signal,
    _actor: PhantomData<fn(A)>,
}

impl<A: Actor> Waiting for HeldSignal<A> {
    const EXCLUSIVE: bool = false;

    fn start(self, shard: &Shard, runtime: &Runtime) {
        runtime.take_signal(shard, &self.to, self.signal);
    }

    fn refuse(self, _: &Shard, _: &Runtime, _: Refusal) {}

    fn forward(self, shard: &Shard, runtime: &Runtime, lane: u16) {
        runtime.signal_on(shard, lane, self.to, self.signal);
    }
}

/// What an actor that sleeps has, on its way to where it will wake up.
struct Kin<A> {
    key: Key,
    extra: Box<Extra>,
    _actor: PhantomData<fn(A)>,
}

impl<A: Actor> Message<Shard> for Kin<A> {
    fn deliver(self, shard: &Shard, _: u16) {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            runtime.parked.put(A::token(), self.key, self.extra);
        }
    }
}
