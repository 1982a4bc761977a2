//! Messages on their way: as they lie in a ring, as they arrive, and as they are answered.

use quark_shards::calls::{CallId, Calls, Deadline};
use quark_shards::chain::Origin;
use quark_shards::local_ring::LocalMessage;
use quark_shards::ring::{Message, Producer};
use quark_shards::shard::Shard;

use crate::activation::Resident;
use crate::actor::Method;
use crate::context::Context;
use crate::error::{CallError, Refusal};
use crate::key::Key;
use crate::lifecycle::drop_quietly;
use crate::limits::Permit;
use crate::mailbox::Waiting;
use crate::options::Priority;
use crate::reference::Hint;
use crate::runtime::{RUNTIME, Runtime};
use crate::whole::whole;

/// What a call of `M` is answered with.
pub(crate) type ReplyOf<M> = Result<<M as Method>::Ok, CallError<<M as Method>::Err>>;

/// A message that has reached its actor's shard.
pub(crate) struct Incoming<M> {
    pub(crate) args: M,
    pub(crate) reply: ReplyTo,
    pub(crate) deadline: Deadline,
    /// How many turns wait above it.
    pub(crate) depth: u8,
    pub(crate) context: Option<Context>,
    /// Credit that its sender gets back when it is admitted.
    pub(crate) toll: Toll,
    /// What the limits of its type have said.
    pub(crate) permit: Permit,
    /// A shard where its actor does not live has handed it on.
    pub(crate) is_relayed: bool,
}

impl<M> Incoming<M> {
    /// Another message in the place of this one.
    pub(crate) fn map<N>(self, change: impl FnOnce(M) -> N) -> Incoming<N> {
        Incoming {
            args: change(self.args),
            reply: self.reply,
            deadline: self.deadline,
            depth: self.depth,
            context: self.context,
            toll: self.toll,
            permit: self.permit,
            is_relayed: self.is_relayed,
        }
    }
}

/// Credit for a one-way message, owed to its sender; nothing if there are no slots.
#[derive(Clone, Copy, Default)]
pub(crate) struct Toll {
    pub(crate) peer: u16,
    pub(crate) slots: u16,
}

impl Toll {
    #[inline]
    pub(crate) fn pay(&mut self, shard: &Shard) {
        if self.slots != 0 {
            if let Some(inward) = shard.inbound(self.peer) {
                inward.admit_tell(self.slots);
            }
            self.slots = 0;
        }
    }
}

impl<M: Method> Incoming<M> {
    /// The shard or port it came from; this very shard if nobody knows any more.
    pub(crate) fn from(&self, shard: &Shard) -> u16 {
        match self.reply {
            ReplyTo::Call { peer, .. } => peer,
            ReplyTo::Nobody if self.toll.slots != 0 => self.toll.peer,
            ReplyTo::Nobody | ReplyTo::Here => shard.id(),
        }
    }
}

/// Whom a turn answers.
#[derive(Clone, Copy)]
pub(crate) enum ReplyTo {
    /// Nobody: a one-way message.
    Nobody,
    /// A call of an endpoint, this shard among them.
    Call { peer: u16, id: CallId },
    /// A caller on this shard who looks into the turn's own place as soon as its first poll is
    /// over.
    Here,
}

impl ReplyTo {
    /// The call that is served, for chains.
    #[inline]
    pub(crate) fn origin(&self) -> Origin {
        match self {
            ReplyTo::Call { peer, id } => Origin {
                peer: *peer,
                index: id.index,
                generation: id.generation,
            },
            ReplyTo::Nobody | ReplyTo::Here => Origin::NOBODY,
        }
    }

    /// Whether somebody waits.
    pub(crate) fn is_ask(&self) -> bool {
        !matches!(self, ReplyTo::Nobody)
    }

    /// Answers; `hint` says where the actor lives.
    #[inline(always)]
    pub(crate) fn send<R: Send + 'static>(self, shard: &Shard, hint: Hint, reply: R) {
        match self {
            ReplyTo::Nobody => drop_quietly(reply),
            ReplyTo::Call { peer, id } if peer == shard.id() => {
                shard.calls().complete(id, hint.0, whole(reply));
            }
            ReplyTo::Call { peer, id } => {
                let reply = whole(reply);
                let Some(inward) = shard.inbound(peer) else {
                    return;
                };
                let reply = move || Reply {
                    call: id,
                    hint: hint.0,
                    reply,
                };
                if const { fits::<Reply<R>>() } {
                    inward.reply_with(reply);
                } else {
                    inward.reply(BoxedReply(Box::new(reply())));
                }
            }
            ReplyTo::Here => unreachable!("a local caller takes its reply itself"),
        }
    }

    /// The same in one place for all who seldom answer: compiled once for each kind of reply.
    #[inline(never)]
    pub(crate) fn send_apart<R: Send + 'static>(self, shard: &Shard, hint: Hint, reply: R) {
        self.send(shard, hint, reply);
    }
}

/// Whether a message can lie in a ring as it is; larger ones go by a box.
pub(crate) const fn fits<T>() -> bool {
    Producer::<Shard>::fits::<T>()
}

/// A call or one-way message as it lies in a ring: 40 bytes beside its arguments.
pub(crate) struct Request<M> {
    /// A hint if it comes by one, else the key's hash.
    pub(crate) target: u64,
    pub(crate) key: Key,
    /// Generation zero: nobody waits.
    pub(crate) call: CallId,
    pub(crate) deadline: Deadline,
    pub(crate) depth: u8,
    pub(crate) by: By,
    pub(crate) args: M,
}

/// How a message finds its actor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Hint,
    Hash,
    /// By hash, and not from its sender but from a shard that has handed it on.
    Relay,
}

/// The id of no call.
pub(crate) const NO_CALL: CallId = CallId {
    index: 0,
    generation: 0,
};

impl<M: Method> Request<M> {
    /// `BOXED`: it came in a box.
    #[inline(always)]
    fn arrive<const BOXED: bool>(
        self,
        shard: &Shard,
        from: u16,
        slots: usize,
        context: Option<Context>,
    ) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return;
        };
        let is_ask = self.call.generation != 0;
        let incoming = Incoming {
            args: self.args,
            reply: if is_ask {
                ReplyTo::Call {
                    peer: from,
                    id: self.call,
                }
            } else {
                ReplyTo::Nobody
            },
            deadline: self.deadline,
            depth: self.depth,
            context,
            toll: Toll {
                peer: from,
                slots: if is_ask { 0 } else { slots as u16 },
            },
            permit: Permit::Unasked,
            is_relayed: self.by == By::Relay,
        };
        let is_hinted = self.by == By::Hint;
        let hint = if is_hinted {
            Hint(self.target)
        } else {
            Hint::NONE
        };
        let hash = (!is_hinted).then_some(self.target);
        runtime.receive::<M, BOXED>(shard, hint, self.key, hash, incoming);
    }
}

impl<M: Method> Message<Shard> for Request<M> {
    #[inline(always)]
    fn deliver(self, shard: &Shard, from: u16) {
        let slots = Producer::<Shard>::slots_of::<Self>();
        self.arrive::<false>(shard, from, slots, None);
    }
}

/// A [`Request`] too large for a ring, or with a context.
pub(crate) struct BoxedRequest<M>(pub(crate) Box<(Request<M>, Option<Context>)>);

impl<M: Method> Message<Shard> for BoxedRequest<M> {
    fn deliver(self, shard: &Shard, from: u16) {
        let (request, context) = *self.0;
        let slots = Producer::<Shard>::slots_of::<Self>();
        request.arrive::<true>(shard, from, slots, context);
    }
}

/// A reply as it lies in a ring.
pub(crate) struct Reply<R> {
    pub(crate) call: CallId,
    pub(crate) hint: u64,
    pub(crate) reply: R,
}

impl<R: Send + 'static> Message<Calls> for Reply<R> {
    #[inline]
    fn deliver(self, calls: &Calls, _from: u16) {
        calls.complete(self.call, self.hint, self.reply);
    }
}

/// A [`Reply`] too large for a ring.
pub(crate) struct BoxedReply<R>(pub(crate) Box<Reply<R>>);

impl<R: Send + 'static> Message<Calls> for BoxedReply<R> {
    fn deliver(self, calls: &Calls, _from: u16) {
        let reply = *self.0;
        calls.complete(reply.call, reply.hint, reply.reply);
    }
}

/// A message in its shard's own queue, or in its actor's mailbox.
pub(crate) struct Held<M: Method> {
    pub(crate) resident: Resident<M::Actor>,
    pub(crate) incoming: Incoming<M>,
}

impl<M: Method> LocalMessage<Shard> for Held<M> {
    #[inline(always)]
    fn deliver(self, shard: &Shard) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return;
        };
        self.resident.uncount_queued();
        runtime.make_room(self.resident);
        runtime.arrive_from_queue(shard, self.resident, self.incoming);
    }
}

impl<M: Method> Waiting for Held<M> {
    const EXCLUSIVE: bool = <M::Receiver as crate::actor::Receiver>::EXCLUSIVE;
    const PRIORITY: Priority = M::PRIORITY;

    fn start(mut self, shard: &Shard, runtime: &Runtime) {
        self.incoming.toll.pay(shard);
        if self.incoming.deadline.is_past(shard.now()) && self.incoming.reply.is_ask() {
            // Its caller has gone; running it would be work for nobody.
            return self.refuse(shard, runtime, Refusal::Timeout);
        }
        runtime.begin_any(shard, self.resident, self.incoming);
    }

    fn refuse(self, shard: &Shard, runtime: &Runtime, refusal: Refusal) {
        runtime.refuse(shard, &self.resident, self.incoming, refusal);
    }

    fn forward(self, shard: &Shard, runtime: &Runtime, lane: u16) {
        let Held { resident, incoming } = self;
        if let Ok(types) = runtime.types.get::<M::Actor>(runtime) {
            let ways = runtime.ways(shard, types);
            ways.relay(lane, resident.key(), resident.hash(), incoming);
        }
    }
}

/// A one-way message in its shard's own queue: half of a [`Held`].
pub(crate) struct Told<M: Method> {
    pub(crate) resident: Resident<M::Actor>,
    pub(crate) context: Option<Context>,
    pub(crate) args: M,
}

impl<M: Method> Told<M> {
    #[inline(always)]
    fn into_incoming(self) -> Incoming<M> {
        Incoming {
            args: self.args,
            reply: ReplyTo::Nobody,
            deadline: Deadline::NEVER,
            depth: 0,
            context: self.context,
            toll: Toll::default(),
            permit: Permit::Unasked,
            is_relayed: false,
        }
    }
}

impl<M: Method> LocalMessage<Shard> for Told<M> {
    #[inline(always)]
    fn deliver(self, shard: &Shard) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return;
        };
        let resident = self.resident;
        resident.uncount_queued();
        runtime.make_room(resident);
        runtime.arrive_from_queue(shard, resident, self.into_incoming());
    }
}

/// A [`Told`] too large for the shard's own queue.
pub(crate) struct BoxedTold<M: Method>(pub(crate) Box<Told<M>>);

impl<M: Method> LocalMessage<Shard> for BoxedTold<M> {
    fn deliver(self, shard: &Shard) {
        (*self.0).deliver(shard);
    }
}

/// A message too large for the shard's own queue.
pub(crate) struct BoxedHeld<M: Method>(pub(crate) Box<Held<M>>);

impl<M: Method> LocalMessage<Shard> for BoxedHeld<M> {
    fn deliver(self, shard: &Shard) {
        (*self.0).deliver(shard);
    }
}

/// Lets the next waiting messages of an actor in.
pub(crate) struct Resume<A>(pub(crate) Resident<A>);

impl<A: crate::actor::Actor> LocalMessage<Shard> for Resume<A> {
    #[inline]
    fn deliver(self, shard: &Shard) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return;
        };
        self.0.uncount_queued();
        runtime.resume(shard, self.0);
    }
}
