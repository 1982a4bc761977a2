//! Handing messages on to the shard where their actor lives.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use quark_shards::calls::{CallId, Fate, NO_SENDER, Waiter};
use quark_shards::chain::TurnId;
use quark_shards::shard::Shard;

use super::Via;
use super::change::Ways;
use super::control::Control;
use crate::actor::{Actor, Method};
use crate::call::{cost, slots};
use crate::error::{CallError, Refusal};
use crate::key::Key;
use crate::limits::Permit;
use crate::message::{BoxedRequest, By, Incoming, NO_CALL, ReplyOf, ReplyTo, Request, fits};
use crate::reference::Hint;
use crate::runtime::{Runtime, with_runtime};

/// Stands for whoever asked, in the chain of a call that was handed on: no turn has this number.
const RELAY: TurnId = TurnId::MAX;

impl<A: Actor> Ways<'_, A> {
    /// Hands a message on to the shard `lane`, behind all handed on before.
    pub(crate) fn relay<M: Method<Actor = A>>(
        &self,
        lane: u16,
        key: Key,
        hash: u64,
        mut incoming: Incoming<M>,
    ) {
        if lane == self.here() {
            // The route has come round to this shard: the actor has meanwhile.
            return self.dispatch(key, hash, incoming);
        }
        // Where it goes, it is looked at anew.
        self.runtime.give_back::<A>(self.shard, incoming.permit);
        incoming.permit = Permit::Unasked;
        // What begins here is sent, if by a detour; the rest is handed on.
        incoming.is_relayed |= incoming.from(self.shard) != self.here();
        let relay = Relay {
            lane,
            reply: incoming.reply,
            incoming: Some((key, incoming)),
            hash,
            stage: Stage::Fresh,
        };
        // Its first poll sends it, if there is credit.
        self.shard.tasks().spawn_now(relay);
    }

    /// One message more waits for credit on the way to `key`: later ones must stay behind it.
    fn queue(&self, key: &Key, hash: u64, lane: u16) {
        let routes = &self.types.routes;
        let known = routes.with(key, hash, |route| route.pending += 1);
        if known.is_none() {
            self.add_route(key.clone(), hash, Via::Shard(lane), self.now());
            routes.with(key, hash, |route| route.pending += 1);
        }
    }

    /// Has `control` follow what was handed on to `lane` before.
    pub(super) fn follow(&self, lane: u16, control: Control<A>) {
        let (key, hash) = (control.key.clone(), control.hash);
        let routes = &self.types.routes;
        if routes.with(&key, hash, |route| route.pending).unwrap_or(0) == 0 {
            return self.runtime.post(self.shard, lane, control);
        }
        routes.with(&key, hash, |route| route.pending += 1);
        let mut control = Some(control);
        let waker = Waker::noop().clone();
        let ticket = self.shard.calls().wait_for_credit(lane, NO_SENDER, waker);
        self.shard.spawn(poll_fn(move |cx| {
            with_runtime(|shard, runtime| {
                if !shard.calls().is_first(lane, ticket, cx.waker()) {
                    return Poll::Pending;
                }
                if let Some(control) = control.take() {
                    runtime.post(shard, lane, control);
                }
                shard.calls().leave_queue(lane, ticket);
                if let Ok(types) = runtime.types.get::<A>(runtime) {
                    runtime.ways(shard, types).handed_on(&key, hash);
                }
                Poll::Ready(())
            })
        }));
    }
}

/// A message that is handed on; a call's reply is handed back.
struct Relay<M: Method> {
    lane: u16,
    hash: u64,
    reply: ReplyTo,
    incoming: Option<(Key, Incoming<M>)>,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Fresh,
    /// Waits for credit.
    Queued {
        ticket: u64,
    },
    /// Waits for the reply.
    Asked {
        uid: u32,
        id: CallId,
    },
    Done,
}

// A relay holds no address of itself.
impl<M: Method> Unpin for Relay<M> {}

impl<M: Method> Future for Relay<M> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let relay = self.get_mut();
        with_runtime(|shard, runtime| match relay.stage {
            Stage::Fresh | Stage::Queued { .. } => relay.send(shard, runtime, cx.waker()),
            Stage::Asked { id, .. } => {
                let Poll::Ready(fate) = shard.calls().poll::<ReplyOf<M>>(id, cx.waker()) else {
                    return Poll::Pending;
                };
                relay.stage = Stage::Done;
                let reply = match fate {
                    Fate::Replied(reply, _) => reply,
                    Fate::TimedOut | Fate::Unknown => Err(CallError::Timeout),
                };
                relay
                    .reply
                    .send_apart::<ReplyOf<M>>(shard, Hint::NONE, reply);
                Poll::Ready(())
            }
            Stage::Done => Poll::Ready(()),
        })
    }
}

impl<M: Method> Relay<M> {
    fn send(&mut self, shard: &Shard, runtime: &Runtime, waker: &Waker) -> Poll<()> {
        let Some((key, incoming)) = &self.incoming else {
            return Poll::Ready(());
        };
        let depth = incoming.depth;
        let is_first = match self.stage {
            Stage::Queued { ticket } => shard.calls().is_first(self.lane, ticket, waker),
            _ => {
                !shard.calls().has_waiters(self.lane)
                    // Nested calls have credit of their own; they wait for no others'.
                    || depth > 0 && !self.is_behind(runtime, key) && !runtime.has_posts(self.lane)
            }
        };
        if !is_first || !self.take_credit(shard, depth) {
            if self.reply.is_ask() && depth > 0 {
                return self.refuse(shard, runtime, Refusal::Overloaded);
            }
            if let Stage::Fresh = self.stage {
                let waker = waker.clone();
                let ticket = shard.calls().wait_for_credit(self.lane, NO_SENDER, waker);
                self.stage = Stage::Queued { ticket };
                if let Ok(types) = runtime.types.get::<M::Actor>(runtime) {
                    runtime.ways(shard, types).queue(key, self.hash, self.lane);
                }
            }
            return Poll::Pending;
        }
        let (key, mut incoming) = self.incoming.take().expect("looked at just now");
        incoming.toll.pay(shard);
        if let Stage::Queued { ticket } = self.stage {
            self.stage = Stage::Done;
            let kept = key.clone();
            let sent = self.hand_on(shard, key, incoming, waker);
            shard.calls().leave_queue(self.lane, ticket);
            if let Ok(types) = runtime.types.get::<M::Actor>(runtime) {
                runtime.ways(shard, types).handed_on(&kept, self.hash);
            }
            return sent;
        }
        self.hand_on(shard, key, incoming, waker)
    }

    fn is_behind(&self, runtime: &Runtime, key: &Key) -> bool {
        let mut pending = 0;
        self.with_routes(runtime, key, |route| pending = route.pending);
        pending > 0
    }

    fn with_routes(&self, runtime: &Runtime, key: &Key, f: impl FnOnce(&mut super::Route)) {
        if let Ok(types) = runtime.types.get::<M::Actor>(runtime) {
            types.routes.with(key, self.hash, f);
        }
    }

    fn take_credit(&self, shard: &Shard, depth: u8) -> bool {
        if self.reply.is_ask() {
            return shard.calls().try_credit(self.lane, cost::<M>(), depth);
        }
        let Some((_, incoming)) = &self.incoming else {
            return false;
        };
        let slots = if const { fits::<Request<M>>() } && incoming.context.is_none() {
            slots::<Request<M>>()
        } else {
            slots::<BoxedRequest<M>>()
        };
        let out = shard.outbound(self.lane).expect("another shard's number");
        out.tells().try_take(slots)
    }

    /// Sends it; credit has been taken.
    fn hand_on(
        &mut self,
        shard: &Shard,
        key: Key,
        incoming: Incoming<M>,
        waker: &Waker,
    ) -> Poll<()> {
        let mut call = NO_CALL;
        if self.reply.is_ask() {
            let serves = incoming.reply.origin();
            let waiter = if serves.is_somebody() {
                Waiter {
                    turn: RELAY,
                    serves,
                }
            } else {
                Waiter::NO_TURN
            };
            call = shard.calls().open::<ReplyOf<M>>(
                self.lane,
                cost::<M>(),
                incoming.deadline,
                waker.clone(),
                waiter,
            );
        }
        let request = Request {
            target: self.hash,
            key,
            call,
            deadline: incoming.deadline,
            depth: incoming.depth,
            by: if incoming.is_relayed {
                By::Relay
            } else {
                By::Hash
            },
            args: incoming.args,
        };
        let out = shard.outbound(self.lane).expect("another shard's number");
        if const { fits::<Request<M>>() } && incoming.context.is_none() {
            out.send(request);
        } else {
            out.send(BoxedRequest(Box::new((request, incoming.context))));
        }
        if self.reply.is_ask() {
            self.stage = Stage::Asked {
                uid: shard.uid(),
                id: call,
            };
            return Poll::Pending;
        }
        self.stage = Stage::Done;
        Poll::Ready(())
    }

    fn refuse(&mut self, shard: &Shard, runtime: &Runtime, refusal: Refusal) -> Poll<()> {
        if let Some((key, mut incoming)) = self.incoming.take() {
            incoming.toll.pay(shard);
            runtime.refuse_key(shard, key, incoming, refusal);
        }
        self.stage = Stage::Done;
        Poll::Ready(())
    }
}

impl<M: Method> Drop for Relay<M> {
    fn drop(&mut self) {
        // Its shard ends: whoever waits is told.
        match self.stage {
            Stage::Done => {}
            Stage::Asked { uid, id } => with_runtime(|shard, _| {
                if shard.uid() == uid {
                    shard.calls().abandon(id);
                    let stopped: ReplyOf<M> = Err(CallError::Stopped);
                    self.reply
                        .send_apart::<ReplyOf<M>>(shard, Hint::NONE, stopped);
                }
            }),
            Stage::Fresh | Stage::Queued { .. } => with_runtime(|shard, runtime| {
                if let Stage::Queued { ticket } = self.stage {
                    shard.calls().leave_queue(self.lane, ticket);
                }
                let _ = self.refuse(shard, runtime, Refusal::Stopped);
            }),
        }
    }
}
