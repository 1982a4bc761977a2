//! What shards tell each other about the ways to one actor. All are [posts](crate::post).

use std::marker::PhantomData;

use quark_shards::ring::Message;
use quark_shards::shard::Shard;

use crate::actor::Actor;
use crate::error::Refusal;
use crate::key::Key;
use crate::mailbox::Waiting;
use crate::runtime::{RUNTIME, Runtime};

/// Something about the way to one actor.
pub(super) struct Control<A> {
    pub(super) key: Key,
    pub(super) hash: u64,
    pub(super) what: What,
    pub(super) _actor: PhantomData<fn(A)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// You may activate it, until you give it back.
    Place,
    /// It has gone to sleep; who is next is its home's to say.
    Return,
    /// What you send me I hand on to that shard.
    Notice { at: u16 },
    /// Everything that `origin` has sent by its old route is ahead of this.
    Marker { origin: u16, serial: u32 },
    /// Your marker has come to the actor, on that shard.
    Landed { at: u16, serial: u32 },
}

impl<A: Actor> Control<A> {
    pub(super) fn new(key: Key, hash: u64, what: What) -> Self {
        Control {
            key,
            hash,
            what,
            _actor: PhantomData,
        }
    }
}

impl<A: Actor> Message<Shard> for Control<A> {
    fn deliver(self, shard: &Shard, from: u16) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return;
        };
        let Ok(types) = runtime.types.get::<A>(runtime) else {
            return;
        };
        let way = runtime.ways(shard, types);
        let Control {
            key, hash, what, ..
        } = self;
        match what {
            What::Place => way.placed(key, hash, from),
            What::Return => way.returned(key, hash, from),
            What::Notice { at } => way.noticed(key, hash, at),
            What::Marker { origin, serial } => way.marked(key, hash, origin, serial),
            What::Landed { at, serial } => way.landed(key, hash, at, serial),
        }
    }
}

/// A marker behind messages that are held back.
pub(super) struct HeldMarker<A>(pub(super) Control<A>);

impl<A: Actor> Waiting for HeldMarker<A> {
    const EXCLUSIVE: bool = false;

    fn start(self, shard: &Shard, _: &Runtime) {
        self.0.deliver(shard, shard.id());
    }

    fn refuse(self, _: &Shard, _: &Runtime, _: Refusal) {}

    fn forward(self, shard: &Shard, runtime: &Runtime, lane: u16) {
        if let Ok(types) = runtime.types.get::<A>(runtime) {
            runtime.ways(shard, types).follow(lane, self.0);
        }
    }
}
