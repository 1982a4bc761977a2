//! Turns: one message's stay inside its actor.
//!
//! A turn that never suspends runs on the caller's stack. Any other lives in a recycled task
//! cell, so that a caller who goes away does not take it along. Whatever ends a turn, its frame
//! is dropped last: it answers whoever was not answered, leaves the gate, and lets the next in.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::task::{Context as TaskContext, Poll, Waker};

use quark_shards::calls::{CallId, Deadline};
use quark_shards::chain::Origin;
use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;
use quark_shards::stall::TurnLabel;
use quark_shards::task::{Frame, TaskId};

use crate::activation::Resident;
use crate::actor::{Actor, Exclusive, Method, MethodInfo, Receiver};
use crate::coalesce::{Alone, Lead, coalesces};
use crate::context::{Context, Cx, Turn};
use crate::error::{CallError, Refusal};
use crate::lifecycle::Hook;
use crate::limits::guarded::Watch;
use crate::message::{Incoming, ReplyOf, ReplyTo};
use crate::runtime::{Runtime, with_runtime};
use crate::state::{never_suspends, not_saved, saves, saving};
use crate::testing::{WatchedEnding, answer_in_vain, is_lost};
use crate::whole::whole;

/// A turn that is inside its actor. Good until its frame is dropped, which takes it off every
/// list it is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TurnRef(NonNull<Turn>);

impl TurnRef {
    #[inline]
    pub(crate) fn new(turn: &Turn) -> Self {
        TurnRef(NonNull::from(turn))
    }
}

impl Deref for TurnRef {
    type Target = Turn;

    #[inline]
    fn deref(&self) -> &Turn {
        // SAFETY: see the type.
        unsafe { self.0.as_ref() }
    }
}

/// How a turn of a suspending kind ends: a message's answers its caller, a hook's moves its
/// actor on.
pub(crate) trait Ending<A: Actor>: 'static {
    /// What the body gives.
    type Output;
    /// Whether the turn must be alone.
    const EXCLUSIVE: bool;
    /// The body has returned.
    fn returned(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<A>,
        output: Self::Output,
    );
    /// The body has met a fault point that loses the turn: nobody is to be answered by it.
    fn lost(&self, shard: &Shard, turn: &Turn);
    /// The turn is over, and the gate was left.
    fn left(&self, shard: &Shard, runtime: &Runtime, resident: Resident<A>, lost: Option<Refusal>);
}

/// Surrounds every poll of a suspending turn.
pub(crate) struct TurnFrame<A: Actor, E: Ending<A>> {
    pub(crate) cx: Cx<A>,
    pub(crate) ending: E,
    resident: Resident<A>,
    returned: Cell<bool>,
    panicked: Cell<bool>,
}

impl<A: Actor, E: Ending<A>, F: Future<Output = E::Output>> Frame<F> for TurnFrame<A, E> {
    #[inline]
    fn poll(&self, body: Pin<&mut F>, task: &mut TaskContext<'_>) -> Poll<()> {
        with_runtime(|shard, runtime| {
            // Beside the poll's result, which would be copied as a whole each time, output or not
            // (measured: 40 ns a poll of a turn that gives some 300 bytes in the end).
            let mut output = None;
            let ended = runtime.within(&self.cx.turn, || {
                catch_unwind(AssertUnwindSafe(|| {
                    runtime.hooks.fault(&self.cx.turn);
                    match body.poll(task) {
                        Poll::Ready(returned) => output = Some(returned),
                        Poll::Pending => {}
                    }
                }))
            });
            match ended {
                Ok(()) => {
                    let Some(output) = output else {
                        return Poll::Pending;
                    };
                    self.returned.set(true);
                    self.ending.returned(shard, runtime, self.resident, output);
                }
                Err(panic) if is_lost(&*panic) => self.ending.lost(shard, &self.cx.turn),
                Err(panic) => {
                    // A payload may panic on its way out, too.
                    std::mem::forget(panic);
                    self.panicked.set(true);
                }
            }
            Poll::Ready(())
        })
    }
}

impl<A: Actor, E: Ending<A>> Drop for TurnFrame<A, E> {
    #[inline]
    fn drop(&mut self) {
        with_runtime(|shard, runtime| {
            if E::EXCLUSIVE {
                self.resident.set_holder(None);
            } else {
                self.resident.unlink(TurnRef::new(&self.cx.turn));
            }
            self.resident.leave(E::EXCLUSIVE);
            self.cx.turn.withdraw_upcall(shard);
            let lost = (!self.returned.get()).then(|| {
                if self.panicked.get() {
                    Refusal::Panicked
                } else {
                    runtime.why_dropped()
                }
            });
            self.ending.left(shard, runtime, self.resident, lost);
        });
    }
}

/// Starts a suspending turn and polls it once. Returns the task if it has not ended.
///
/// `turn.task` is set before the body is made.
#[inline(always)]
pub(crate) fn start<A, E, F>(
    shard: &Shard,
    resident: Resident<A>,
    cx: Cx<A>,
    ending: E,
    body: impl FnOnce(&'static Cx<A>, &'static E) -> F,
) -> Option<TaskId>
where
    A: Actor,
    E: Ending<A>,
    F: Future<Output = E::Output> + 'static,
{
    let frame = TurnFrame {
        cx,
        ending,
        resident,
        returned: Cell::new(false),
        panicked: Cell::new(false),
    };
    // SAFETY: the body borrows the frame's context and is dropped before the frame; `inside`
    // and `holder` are taken back when the frame is dropped.
    unsafe {
        shard
            .tasks()
            .start(frame, |frame: &'static TurnFrame<A, E>, task| {
                let turn = &frame.cx.turn;
                turn.task.set(Some(task));
                if E::EXCLUSIVE {
                    resident.set_holder(Some(TurnRef::new(turn)));
                } else {
                    resident.link(TurnRef::new(turn));
                }
                body(&frame.cx, &frame.ending)
            })
    }
}

/// How a message's turn ends.
pub(crate) struct MessageEnding<M: Method> {
    reply: Cell<Option<ReplyTo>>,
    /// Where a local caller finds the reply after the first poll.
    here: Cell<Option<NonNull<Option<ReplyOf<M>>>>>,
}

impl<M: Method> Ending<M::Actor> for MessageEnding<M> {
    type Output = M::Output;
    const EXCLUSIVE: bool = <M::Receiver as Receiver>::EXCLUSIVE;

    #[inline]
    fn returned(
        &self,
        shard: &Shard,
        _: &Runtime,
        resident: Resident<M::Actor>,
        output: M::Output,
    ) {
        let mut reply = M::reply(output).map_err(CallError::Failed);
        if const { saves::<M>() }
            && let Some(error) = not_saved(resident)
        {
            reply = Err(CallError::NotSaved(error));
        }
        self.answer(shard, resident, whole(reply));
    }

    #[cold]
    fn lost(&self, shard: &Shard, turn: &Turn) {
        self.here.set(None);
        if let Some(reply @ ReplyTo::Call { .. }) = self.reply.take() {
            answer_in_vain::<ReplyOf<M>>(shard, reply, turn.deadline);
        }
    }

    #[inline]
    fn left(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<M::Actor>,
        lost: Option<Refusal>,
    ) {
        if let Some(refusal) = lost {
            let panicked = refusal == Refusal::Panicked;
            if planted(Bug::LostAnswer) {
                self.reply.set(None);
            }
            self.answer(shard, resident, Err(refusal.into()));
            if panicked {
                runtime.panicked(shard, resident, info::<M>());
            }
        }
        runtime.turn_left(shard, resident);
    }
}

impl<M: Method> MessageEnding<M> {
    /// The ending of a turn that answers `reply`.
    pub(crate) fn new(reply: ReplyTo) -> Self {
        MessageEnding {
            reply: Cell::new(Some(reply)),
            here: Cell::new(None),
        }
    }

    #[inline]
    pub(crate) fn answer(&self, shard: &Shard, resident: Resident<M::Actor>, reply: ReplyOf<M>) {
        match self.reply.take() {
            Some(ReplyTo::Here) => {
                let here = self
                    .here
                    .get()
                    .expect("a caller that looks here said where");
                // SAFETY: `Here` is replaced before the caller returns from the first poll, so
                // the place is still on its stack.
                unsafe { *here.as_ptr() = Some(reply) };
            }
            // A method that never suspends has such an ending only where its turn is watched.
            Some(to) if const { never_suspends::<M>() } => {
                to.send_apart(shard, resident.hint(), reply);
            }
            Some(to) => to.send(shard, resident.hint(), reply),
            None => {}
        }
    }
}

/// A turn's context on the stack, aligned so that none of the stores that empty its fields by twos
/// straddles two pages: that takes 4 ns, and depends on how deep the stack is (measured where one
/// did: 13.6 → 9.5 ns a message between cores).
#[repr(align(16))]
struct OnStack<T>(T);

/// What a turn inherits.
pub(crate) struct Terms {
    /// The turn on whose stack it begins.
    pub(crate) caller: Option<TurnRef>,
    pub(crate) deadline: Deadline,
    /// How many turns wait above it.
    pub(crate) depth: u8,
    pub(crate) context: Option<Context>,
}

/// What a local caller has after the first poll of its callee's turn.
pub(crate) enum Inline<M: Method> {
    /// The answer.
    Done(ReplyOf<M>),
    /// The turn goes on; this call will be answered.
    Waiting(CallId),
}

impl Runtime {
    /// Starts the turn of a message whose actor admits it.
    #[inline(always)]
    pub(crate) fn begin<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        if const { coalesces::<M>() } {
            return self.begin_or_join(shard, resident, incoming);
        }
        self.begin_turn(shard, resident, incoming);
    }

    /// The same for one that has a turn of its own in any case.
    #[inline(always)]
    pub(crate) fn begin_turn<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        mut incoming: Incoming<M>,
    ) {
        incoming.toll.pay(shard);
        let Incoming {
            args,
            reply,
            deadline,
            depth,
            context,
            ..
        } = incoming;
        let terms = Terms {
            caller: None,
            deadline,
            depth,
            context,
        };
        if const { never_suspends::<M>() } {
            let cx = OnStack(self.cx::<M>(shard, resident, reply.origin(), terms));
            let result = self.run_sync(shard, resident, &cx.0, args);
            reply.send(shard, resident.hint(), result);
            self.turn_left(shard, resident);
            return;
        }
        let ending = MessageEnding::new(reply);
        self.start_message(shard, resident, reply.origin(), terms, ending, args);
    }

    /// Starts the turn of a message to a watched actor, or to the double that stands in for one.
    /// It may suspend whatever its method is like.
    #[cold]
    #[inline(never)]
    pub(crate) fn begin_watched<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        if const { coalesces::<M>() } {
            let mut leader = None;
            if let Some(leading) = self.board_watched(shard, resident, incoming) {
                let incoming = leading.map(|leading| {
                    let (args, leads) = leading.into_parts();
                    leader = leads;
                    args
                });
                self.begin_led(shard, resident, incoming, leader);
            }
            return;
        }
        self.begin_led(shard, resident, incoming, Alone);
    }

    /// The same once it is clear whom its answer is for.
    fn begin_led<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        mut incoming: Incoming<M>,
        lead: impl Lead<M>,
    ) {
        incoming.toll.pay(shard);
        let id = self.next_turn(shard);
        lead.takes_off(id);
        let (ending, stub) = WatchedEnding::begin(shard, self, resident, id, &incoming);
        let Incoming {
            args,
            reply,
            deadline,
            depth,
            context,
            permit,
            ..
        } = incoming;
        let terms = Terms {
            caller: None,
            deadline,
            depth,
            context: match self.hooks.log() {
                Some(_) => Some(Context::sent_by(context, resident.id())),
                None => context,
            },
        };
        let mut cx = self.cx::<M>(shard, resident, reply.origin(), terms);
        cx.turn.id = id;
        resident.enter(<M::Receiver as Receiver>::EXCLUSIVE, self.used_tick(shard));
        let limits = resident
            .is_guarded()
            .then(|| Watch::new(shard, resident, permit));
        let ends = |output| {
            let reply = M::reply(output);
            if let Some(limits) = limits {
                limits.returned(reply.is_err());
            }
            lead.lands(&reply);
            reply
        };
        // One body for both: each is a task of its own kind to compile. A method that never suspends
        // must not run before the turn's first poll.
        let _ = if const { saves::<M>() } {
            start(shard, resident, cx, ending, |cx, _| async move {
                ends(match stub {
                    Some(stub) => stub(cx, args).await,
                    None => {
                        // SAFETY: as in `start_message`.
                        let actor = unsafe { resident.borrow::<'static, Exclusive>() };
                        saving(args, actor, cx).await
                    }
                })
            })
        } else {
            start(shard, resident, cx, ending, |cx, _| async move {
                ends(match stub {
                    Some(stub) => stub(cx, args).await,
                    None => {
                        // SAFETY: as in `start_message`.
                        let actor = unsafe { resident.borrow::<'static, M::Receiver>() };
                        M::call(args, actor, cx).await
                    }
                })
            })
        };
    }

    /// Starts the turn of a local call whose actor is clear, on the caller's stack as far as it
    /// goes.
    #[inline(always)]
    pub(crate) fn begin_here<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        args: M,
        terms: Terms,
        waker: &Waker,
    ) -> Inline<M> {
        if const { never_suspends::<M>() } {
            let cx = OnStack(self.cx::<M>(shard, resident, Origin::NOBODY, terms));
            let result = self.run_sync(shard, resident, &cx.0, args);
            self.turn_left(shard, resident);
            return Inline::Done(result);
        }
        let (caller, deadline) = (terms.caller, terms.deadline);
        let mut here = None;
        let ending = MessageEnding {
            reply: Cell::new(Some(ReplyTo::Here)),
            here: Cell::new(Some(NonNull::from(&mut here))),
        };
        let started = self.start_message(shard, resident, Origin::NOBODY, terms, ending, args);
        match started {
            None => match here {
                Some(reply) => Inline::Done(reply),
                None => Inline::Waiting(self.wait_in_vain::<M>(shard, caller, deadline, waker)),
            },
            Some((turn, ending)) => {
                Inline::Waiting(self.wait_for::<M>(shard, turn, ending, caller, deadline, waker))
            }
        }
    }

    /// The local callee goes on without its caller, who from now on waits for a call.
    #[inline(never)]
    fn wait_for<M: Method>(
        &self,
        shard: &Shard,
        turn: TurnRef,
        ending: &MessageEnding<M>,
        caller: Option<TurnRef>,
        deadline: Deadline,
        waker: &Waker,
    ) -> CallId {
        let waiter = caller.map(|caller| caller.waiter(shard));
        let id = turn
            .upcall
            .take()
            .unwrap_or_else(|| self.open_call::<M>(shard, deadline, waiter));
        turn.serves.set(Origin {
            peer: shard.id(),
            index: id.index,
            generation: id.generation,
        });
        turn.caller.set(None);
        ending.reply.set(Some(ReplyTo::Call {
            peer: shard.id(),
            id,
        }));
        ending.here.set(None);
        let registered = shard.calls().poll::<ReplyOf<M>>(id, waker);
        debug_assert!(registered.is_pending(), "nobody could have answered yet");
        id
    }

    /// Starts a suspending message turn; `None` if its first poll has ended it.
    #[inline(always)]
    fn start_message<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        serves: Origin,
        terms: Terms,
        ending: MessageEnding<M>,
        args: M,
    ) -> Option<(TurnRef, &'static MessageEnding<M>)> {
        resident.enter(<M::Receiver as Receiver>::EXCLUSIVE, self.used_tick(shard));
        let mut placed = None;
        let cx = self.cx::<M>(shard, resident, serves, terms);
        if const { saves::<M>() } {
            start(shard, resident, cx, ending, |cx, ending| {
                placed = Some((TurnRef::new(&cx.turn), ending));
                // SAFETY: as below.
                saving(args, unsafe { resident.borrow::<'static, Exclusive>() }, cx)
            })?;
            return placed;
        }
        start(shard, resident, cx, ending, |cx, ending| {
            placed = Some((TurnRef::new(&cx.turn), ending));
            // SAFETY: the gate was entered just now, and is left when the frame is dropped,
            // after the body.
            let actor = unsafe { resident.borrow::<'static, M::Receiver>() };
            M::call(args, actor, cx)
        })?;
        placed
    }

    /// Starts a lifecycle hook: an exclusive turn that no message asked for.
    pub(crate) fn start_hook<A, E, F>(
        &self,
        shard: &Shard,
        resident: Resident<A>,
        hook: E,
        body: impl FnOnce(&'static mut A, &'static Cx<A>) -> F,
    ) where
        A: Actor,
        E: Hook<A>,
        F: Future<Output = E::Output> + 'static,
    {
        let turn = Turn {
            id: self.next_turn(shard),
            serves: Cell::new(Origin::NOBODY),
            caller: Cell::new(None),
            upcall: Cell::new(None),
            task: Cell::new(None),
            deadline: Deadline::NEVER,
            depth: 0,
            context: None,
            info: E::info(),
            head: resident.head_ref(),
            previous: Cell::new(None),
            next: Cell::new(None),
        };
        let cx = Cx {
            turn,
            _actor: PhantomData,
        };
        resident.enter(true, self.used_tick(shard));
        start(shard, resident, cx, hook, |cx, _| {
            // SAFETY: the gate was entered exclusively just now, and is left when the frame is
            // dropped, after the body.
            body(unsafe { resident.borrow::<'static, Exclusive>() }, cx)
        });
    }

    /// Runs a turn that never suspends, whole, and leaves the gate.
    ///
    /// Written so that nothing of it is copied as a whole right after it was written in parts: a
    /// wide load behind narrow stores waits for all of them (measured: half of a local call).
    #[inline(always)]
    fn run_sync<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        cx: &Cx<M::Actor>,
        args: M,
    ) -> ReplyOf<M> {
        let exclusive = <M::Receiver as Receiver>::EXCLUSIVE;
        resident.enter(exclusive, self.used_tick(shard));
        let mut reply = None;
        let ended = self.within(&cx.turn, || {
            catch_unwind(AssertUnwindSafe(|| {
                self.hooks.fault(&cx.turn);
                // SAFETY: the gate was entered, and is left below, after the call.
                let actor = unsafe { resident.borrow::<M::Receiver>() };
                let mut body = pin!(M::call(args, actor, cx));
                let mut task = TaskContext::from_waker(Waker::noop());
                match body.as_mut().poll(&mut task) {
                    Poll::Ready(output) => {
                        reply = Some(M::reply(output).map_err(CallError::Failed))
                    }
                    Poll::Pending => unreachable!("a synchronous method suspended"),
                }
            }))
        });
        resident.leave(exclusive);
        // A call polled by hand may have needed one.
        cx.turn.withdraw_upcall(shard);
        match reply {
            Some(reply) if ended.is_ok() => reply,
            _ => {
                let lost = ended.as_ref().is_err_and(|panic| is_lost(&**panic));
                // A payload may panic on its way out, too.
                std::mem::forget(ended);
                self.sync_panicked(shard, resident, info::<M>(), lost)
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn sync_panicked<A: Actor, T, E>(
        &self,
        shard: &Shard,
        resident: Resident<A>,
        info: &'static MethodInfo,
        lost: bool,
    ) -> Result<T, CallError<E>> {
        if lost {
            // Nobody can be left to wait for a turn on its own stack.
            return Err(CallError::Timeout);
        }
        self.panicked(shard, resident, info);
        Err(CallError::Panicked)
    }

    #[inline(always)]
    fn cx<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        serves: Origin,
        terms: Terms,
    ) -> Cx<M::Actor> {
        Cx {
            turn: Turn {
                id: if const { never_suspends::<M>() } {
                    0
                } else {
                    self.next_turn(shard)
                },
                serves: Cell::new(serves),
                caller: Cell::new(terms.caller),
                upcall: Cell::new(None),
                task: Cell::new(None),
                deadline: terms.deadline,
                depth: terms.depth,
                context: terms.context,
                info: info::<M>(),
                head: resident.head_ref(),
                previous: Cell::new(None),
                next: Cell::new(None),
            },
            _actor: PhantomData,
        }
    }
}

/// What a message's turn is called.
#[inline]
pub(crate) fn info<M: Method>() -> &'static MethodInfo {
    const {
        &MethodInfo {
            label: TurnLabel {
                actor: <M::Actor as Actor>::NAME,
                method: M::NAME,
            },
            reply: std::any::TypeId::of::<ReplyOf<M>>,
        }
    }
}
