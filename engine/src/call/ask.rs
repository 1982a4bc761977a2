//! Asking: a call as a future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use quark_shards::calls::{Deadline, Fate, NO_SENDER, Waiter};
use quark_shards::current::with_current;
use quark_shards::ring::Producer;
use quark_shards::shard::Shard;

use super::{Call, State, outside};
use crate::activation::Resident;
use crate::actor::{Method, Receiver};
use crate::coalesce::coalesces;
use crate::error::{CallError, Refusal};
use crate::limits::Permit;
use crate::message::{
    BoxedReply, BoxedRequest, By, Incoming, Reply, ReplyOf, ReplyTo, Request, Toll, fits,
};
use crate::reference::Hint;
use crate::routing::Local;
use crate::runtime::{Runtime, try_with_runtime};
use crate::state::never_suspends;
use crate::turn::{Inline, Terms};
use crate::types::TypeShard;
use crate::whole::whole;

impl<M: Method> Future for Call<'_, M> {
    type Output = ReplyOf<M>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<ReplyOf<M>> {
        let call = self.get_mut();
        // Each way returns its answer where it makes it: an answer kept to be looked at first is
        // written in halves and read as a whole (measured: 40 ns of a call between cores).
        match call.state {
            State::Fresh => {
                // Whoever has to wait for the answer says so.
                call.state = State::Done;
                call.begin(cx.waker())
            }
            State::Waiting { .. } => call.poll_waiting(cx.waker()),
            _ => call.poll_cold(cx.waker()),
        }
    }
}

impl<M: Method> Call<'_, M> {
    #[inline(always)]
    fn begin(&mut self, waker: &Waker) -> Poll<ReplyOf<M>> {
        try_with_runtime(|here| match here {
            Some((shard, runtime)) if runtime.engine_id() == self.core.engine => {
                if self.core.shard == shard.id() {
                    self.begin_local(shard, runtime, waker)
                } else {
                    self.begin_remote(shard, runtime, waker)
                }
            }
            _ => self.begin_outside(waker),
        })
    }

    #[inline(always)]
    fn begin_local(&mut self, shard: &Shard, runtime: &Runtime, waker: &Waker) -> Poll<ReplyOf<M>> {
        let resident = match runtime.resident(shard, self.core) {
            Ok(resident) => resident,
            Err(refusal) => return self.begin_elsewhere(shard, runtime, refusal, waker),
        };
        self.begin_at(shard, runtime, resident, true, waker)
    }

    /// The actor is at `resident`; `hints` says whether that is where the reference looks.
    #[inline(always)]
    fn begin_at(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<M::Actor>,
        hints: bool,
        waker: &Waker,
    ) -> Poll<ReplyOf<M>> {
        let may_inline = runtime.may_inline();
        if !may_inline
            || !resident.is_clear(<M::Receiver as Receiver>::EXCLUSIVE)
            || const { coalesces::<M>() }
        {
            return self.begin_behind(shard, runtime, resident, may_inline, hints, waker);
        }
        let terms = if const { never_suspends::<M>() } && self.timeout.is_none() {
            // It can't wait for anybody, so no deadline of its own is needed.
            self.inherit(runtime)
        } else {
            match runtime.types.get::<M::Actor>(runtime) {
                Ok(types) => self.terms(shard, runtime, types),
                Err(refusal) => return refused(refusal),
            }
        };
        let args = self.take_message();
        match runtime.begin_here(shard, resident, args, terms, waker) {
            Inline::Done(reply) => whole(Poll::Ready(reply)),
            Inline::Waiting(id) => {
                self.state = State::Waiting {
                    uid: shard.uid(),
                    id,
                    hints,
                };
                Poll::Pending
            }
        }
    }

    /// The actor is busy, or others should run first: the call waits its turn, behind what this
    /// shard has queued for the actor if it has.
    #[inline(never)]
    fn begin_behind(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<M::Actor>,
        may_inline: bool,
        hints: bool,
        waker: &Waker,
    ) -> Poll<ReplyOf<M>> {
        let types = match runtime.types.get::<M::Actor>(runtime) {
            Ok(types) => types,
            Err(refusal) => return refused(refusal),
        };
        let incoming = self.open_here(shard, runtime, types, hints);
        runtime.arrive_behind(shard, types, resident, incoming, may_inline);
        self.poll_waiting(waker)
    }

    /// Opens a call that is answered on this very shard, whoever answers it.
    fn open_here(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        types: &TypeShard<M::Actor>,
        hints: bool,
    ) -> Incoming<M> {
        let Terms {
            caller,
            deadline,
            depth,
            context,
        } = self.terms(shard, runtime, types);
        let waiter = caller.map(|caller| caller.waiter(shard));
        let id = runtime.open_call::<M>(shard, deadline, waiter);
        self.state = State::Waiting {
            uid: shard.uid(),
            id,
            hints,
        };
        Incoming {
            args: self.take_message(),
            reply: ReplyTo::Call {
                peer: shard.id(),
                id,
            },
            deadline,
            depth,
            context,
            toll: Toll::default(),
            permit: Permit::Unasked,
            is_relayed: false,
        }
    }

    /// The actor is not to be found where the reference looks, or can't be made.
    #[cold]
    #[inline(never)]
    fn begin_elsewhere(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        refusal: Refusal,
        waker: &Waker,
    ) -> Poll<ReplyOf<M>> {
        let types = match runtime.types.get::<M::Actor>(runtime) {
            Ok(types) if refusal == Refusal::Elsewhere => types,
            Ok(_) => return refused(refusal),
            Err(refusal) => return refused(refusal),
        };
        if let Some(remote) = runtime.remote().filter(|remote| !remote.hosts())
            && types.implementer.is_none()
        {
            // A client's actors all live elsewhere: there is no way to be found here. It waits from now
            // on, whatever its shard did in this pass.
            let _ = shard.clock_of_pass();
            let incoming = self.open_here(shard, runtime, types, false);
            let key = self.core.key.clone();
            remote.send(shard, runtime, key, self.core.hash, incoming);
            return self.poll_waiting(waker);
        }
        let ways = runtime.ways(shard, types);
        match ways.find(&self.core.key, self.core.hash) {
            Ok(Local::Here(resident)) => self.begin_at(shard, runtime, resident, false, waker),
            // Whoever waits on its own account would be passed when the way changes.
            Ok(Local::Lane(lane))
                if runtime.current().is_none() && !self.has_credit(shard, lane) =>
            {
                self.begin_behind_others(shard, runtime, types, waker)
            }
            Ok(Local::Lane(lane)) => self.begin_on(shard, runtime, types, lane, waker),
            Ok(Local::Behind) => self.begin_behind_others(shard, runtime, types, waker),
            Err(refusal) => refused(refusal),
        }
    }

    fn has_credit(&self, shard: &Shard, lane: u16) -> bool {
        let calls = shard.calls();
        !calls.has_waiters(lane) && calls.has_credit(lane, cost::<M>())
    }

    /// The message waits, or is handed on behind others.
    fn begin_behind_others(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        types: &TypeShard<M::Actor>,
        waker: &Waker,
    ) -> Poll<ReplyOf<M>> {
        let incoming = self.open_here(shard, runtime, types, false);
        let ways = runtime.ways(shard, types);
        ways.dispatch(self.core.key.clone(), self.core.hash, incoming);
        self.poll_waiting(waker)
    }

    #[inline(never)]
    fn begin_remote(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        waker: &Waker,
    ) -> Poll<ReplyOf<M>> {
        let types = match runtime.types.get::<M::Actor>(runtime) {
            Ok(types) => types,
            Err(refusal) => return Poll::Ready(Err(refusal.into())),
        };
        if types.routes.are_used() {
            return self.begin_elsewhere(shard, runtime, Refusal::Elsewhere, waker);
        }
        self.begin_on(shard, runtime, types, self.core.shard, waker)
    }

    /// Sends the call to the shard `lane`, where its actor lives as far as is known.
    #[inline(always)]
    fn begin_on(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        types: &TypeShard<M::Actor>,
        lane: u16,
        waker: &Waker,
    ) -> Poll<ReplyOf<M>> {
        let depth = Self::credit_depth(runtime);
        if shard.calls().has_waiters(lane) && Self::must_queue(shard, runtime, lane)
            || !shard.calls().try_credit(lane, cost::<M>(), depth)
        {
            return self.begin_queued(shard, types, lane, depth, waker);
        }
        self.send_request(shard, runtime, types, lane, waker);
        Poll::Pending
    }

    /// Whether a call must stay behind those that wait for credit: what begins outside any turn
    /// behind all, a turn behind what its own actor has sent before.
    #[cold]
    fn must_queue(shard: &Shard, runtime: &Runtime, lane: u16) -> bool {
        let sender = runtime.sender();
        sender == NO_SENDER || shard.calls().is_waiting(lane, sender)
    }

    /// Which level of credit a call draws on: turns have a reserve, and deeper ones more of it.
    #[inline]
    fn credit_depth(runtime: &Runtime) -> u8 {
        let turn = runtime.current();
        turn.map_or(0, |turn| turn.depth.saturating_add(1))
    }

    /// Sends the request; credit has been taken.
    #[inline]
    fn send_request(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        types: &TypeShard<M::Actor>,
        lane: u16,
        waker: &Waker,
    ) {
        let Terms {
            caller,
            deadline,
            depth,
            context,
        } = self.terms(shard, runtime, types);
        let waiter = caller.map_or(Waiter::NO_TURN, |caller| caller.waiter(shard));
        let hints = lane == self.core.shard;
        let id =
            shard
                .calls()
                .open::<ReplyOf<M>>(lane, cost::<M>(), deadline, waker.clone(), waiter);
        let out = shard.outbound(lane).expect("another shard's number");
        if const { fits::<Request<M>>() } && context.is_none() {
            out.send_with(|| self.request(id, deadline, depth, lane));
        } else {
            let request = self.request(id, deadline, depth, lane);
            out.send(BoxedRequest(Box::new((request, context))));
        }
        self.state = State::Waiting {
            uid: shard.uid(),
            id,
            hints,
        };
    }

    #[cold]
    fn begin_queued(
        &mut self,
        shard: &Shard,
        types: &TypeShard<M::Actor>,
        lane: u16,
        depth: u8,
        waker: &Waker,
    ) -> Poll<ReplyOf<M>> {
        if depth > 0 {
            // A turn must not wait for credit: those that wait for its actor hold credit too,
            // and two shards full of such turns would wait for each other.
            return Poll::Ready(Err(CallError::Overloaded));
        }
        let ticket = shard
            .calls()
            .wait_for_credit(lane, NO_SENDER, waker.clone());
        let expired_at = shard.read_clock() + self.timeout.unwrap_or(types.timeout);
        let timer = shard.timers().arm(expired_at, waker.clone());
        self.state = State::Queued {
            uid: shard.uid(),
            lane,
            ticket,
            timer,
            expired_at,
        };
        Poll::Pending
    }

    #[cold]
    #[inline(never)]
    fn poll_queued(&mut self, waker: &Waker) -> Poll<ReplyOf<M>> {
        let State::Queued {
            uid,
            lane,
            ticket,
            timer,
            expired_at,
        } = self.state
        else {
            unreachable!("asked of a queued call")
        };
        try_with_runtime(|here| {
            let Some((shard, runtime)) = here.filter(|(shard, _)| shard.uid() == uid) else {
                return self.elsewhere();
            };
            // By the way that was its when it began: what was sent after it waits for it.
            let first = shard.calls().is_first(lane, ticket, waker);
            if first && shard.calls().try_credit(lane, cost::<M>(), 0) {
                shard.timers().cancel(timer);
                shard.calls().leave_queue(lane, ticket);
                // What it has waited counts.
                self.timeout = Some(expired_at - shard.now());
                return match runtime.types.get::<M::Actor>(runtime) {
                    Ok(types) => {
                        self.send_request(shard, runtime, types, lane, waker);
                        Poll::Pending
                    }
                    Err(refusal) => Poll::Ready(Err(refusal.into())),
                };
            }
            if shard.now() >= expired_at {
                shard.calls().leave_queue(lane, ticket);
                return Poll::Ready(Err(CallError::Overloaded));
            }
            shard.timers().cancel(timer);
            let timer = shard.timers().arm(expired_at, waker.clone());
            self.state = State::Queued {
                uid,
                lane,
                ticket,
                timer,
                expired_at,
            };
            Poll::Pending
        })
    }

    #[inline(always)]
    fn poll_waiting(&mut self, waker: &Waker) -> Poll<ReplyOf<M>> {
        let State::Waiting { uid, id, hints } = self.state else {
            unreachable!("asked of a sent call")
        };
        with_current(|shard| {
            let Some(shard) = shard.filter(|shard| shard.uid() == uid) else {
                return self.elsewhere();
            };
            match shard.calls().poll::<ReplyOf<M>>(id, waker) {
                Poll::Ready(fate) => Poll::Ready(self.settle(fate, hints)),
                Poll::Pending => Poll::Pending,
            }
        })
    }

    #[cold]
    fn poll_cold(&mut self, waker: &Waker) -> Poll<ReplyOf<M>> {
        let polled = match &self.state {
            State::Queued { .. } => self.poll_queued(waker),
            State::Outside(cell) => cell.poll(self.core, waker),
            _ => panic!("a call was polled after its answer"),
        };
        if polled.is_ready() {
            self.state = State::Done;
        }
        polled
    }

    /// Nobody will wait any more where the call was begun: what it holds there is given back.
    #[cold]
    fn elsewhere(&mut self) -> Poll<ReplyOf<M>> {
        self.give_up();
        self.state = State::Done;
        Poll::Ready(Err(CallError::Elsewhere))
    }

    #[inline(always)]
    pub(super) fn settle(&mut self, fate: Fate<ReplyOf<M>>, hints: bool) -> ReplyOf<M> {
        self.state = State::Done;
        match fate {
            Fate::Replied(reply, hint) => {
                if hint != Hint::NONE.0 && hints {
                    self.core.remember(Hint(hint));
                }
                reply
            }
            Fate::TimedOut => Err(CallError::Timeout),
            Fate::Unknown => Err(CallError::Elsewhere),
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_outside(&mut self, waker: &Waker) -> Poll<ReplyOf<M>> {
        let message = self.take_message();
        match outside::ask(self.core, message, self.timeout, self.context.take()) {
            Ok(cell) => {
                let polled = cell.poll(self.core, waker);
                self.state = State::Outside(cell);
                polled
            }
            Err((_, refusal)) => Poll::Ready(Err(Refusal::into(refusal))),
        }
    }

    #[inline(always)]
    pub(super) fn terms(
        &mut self,
        shard: &Shard,
        runtime: &Runtime,
        types: &TypeShard<M::Actor>,
    ) -> Terms {
        let mut terms = self.inherit(runtime);
        let now = shard.now();
        let own = Deadline::at(now + self.timeout.unwrap_or(types.timeout), now);
        terms.deadline = own.or_sooner(terms.deadline);
        terms
    }

    /// What the calling turn hands down.
    #[inline(always)]
    fn inherit(&mut self, runtime: &Runtime) -> Terms {
        match runtime.current() {
            None => Terms {
                caller: None,
                deadline: Deadline::NEVER,
                depth: 0,
                context: self.context.take(),
            },
            Some(turn) => Terms {
                caller: Some(turn),
                deadline: turn.deadline,
                depth: turn.depth.saturating_add(1),
                context: self.context.take().or_else(|| turn.context.clone()),
            },
        }
    }

    #[inline]
    pub(super) fn take_message(&mut self) -> M {
        self.message.take().expect("a call is sent once")
    }

    #[inline(always)]
    pub(super) fn request(
        &mut self,
        call: quark_shards::calls::CallId,
        deadline: Deadline,
        depth: u8,
        lane: u16,
    ) -> Request<M> {
        let hint = self.core.hint();
        let hinted = hint != Hint::NONE && lane == self.core.shard;
        Request {
            target: if hinted { hint.0 } else { self.core.hash },
            key: self.core.key.clone(),
            call,
            deadline,
            depth,
            by: if hinted { By::Hint } else { By::Hash },
            args: self.take_message(),
        }
    }
}

/// Off the hot path: an error is a large thing to make.
#[cold]
#[inline(never)]
fn refused<T, E>(refusal: Refusal) -> Poll<Result<T, CallError<E>>> {
    Poll::Ready(Err(refusal.into()))
}

/// Ring slots that a call of `M` may take, there or back.
pub(crate) const fn cost<M: Method>() -> u16 {
    let there = if fits::<Request<M>>() {
        slots::<Request<M>>()
    } else {
        slots::<BoxedRequest<M>>()
    };
    let back = if fits::<Reply<ReplyOf<M>>>() {
        slots::<Reply<ReplyOf<M>>>()
    } else {
        slots::<BoxedReply<ReplyOf<M>>>()
    };
    if there > back { there } else { back }
}

/// Ring slots of one message.
pub(crate) const fn slots<T>() -> u16 {
    Producer::<Shard>::slots_of::<T>() as u16
}

impl<M: Method> Call<'_, M> {
    /// Gives back what the call holds on the shard where it was begun.
    #[cold]
    #[inline(never)]
    fn give_up(&self) {
        match self.state {
            State::Fresh | State::Done | State::Outside(_) => {}
            State::Waiting { uid, id, .. } => abandon(uid, move |shard| shard.calls().abandon(id)),
            State::Queued {
                uid,
                lane,
                ticket,
                timer,
                ..
            } => {
                abandon(uid, move |shard| {
                    shard.timers().cancel(timer);
                    shard.calls().leave_queue(lane, ticket);
                });
            }
        }
    }
}

impl<M: Method> Drop for Call<'_, M> {
    #[inline(always)]
    fn drop(&mut self) {
        if !matches!(self.state, State::Fresh | State::Done) {
            self.give_up();
        }
    }
}

/// Tells the shard where a call was begun that nobody waits for it any more.
fn abandon(uid: u32, give_up: impl FnOnce(&Shard) + Send + 'static) {
    let mut give_up = Some(give_up);
    with_current(|shard| {
        if let Some(shard) = shard.filter(|shard| shard.uid() == uid)
            && let Some(give_up) = give_up.take()
        {
            give_up(shard);
        }
    });
    if let Some(give_up) = give_up {
        quark_shards::foreign::errand(uid, Box::new(give_up));
    }
}
