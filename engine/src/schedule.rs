//! Timers: sleeping in a turn, and messages sent later.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quark_shards::shard::Shard;
use quark_shards::task::TaskId;
use quark_shards::time::Time;

use crate::activation::Resident;
use crate::actor::{Actor, Method};
use crate::call::Call;
use crate::context::Cx;
use crate::reference::RefCore;
use crate::runtime::{Runtime, bury_refused, try_with_runtime, with_runtime};
use crate::types::TypeShard;

/// Sleeps on the current shard's clock: real, or the simulator's.
///
/// # Panics
/// When polled outside a shard.
pub async fn sleep(duration: Duration) {
    with_runtime(|shard, _| shard.sleep(duration)).await;
}

/// A message that will be sent; see [`Cx::after`] and [`Cx::every`]. Dropping the handle leaves
/// the timer as it is.
#[derive(Debug)]
pub struct TimerHandle {
    uid: u32,
    task: TaskId,
    cancelled: Arc<AtomicBool>,
}

impl TimerHandle {
    /// Takes the message back, if it is not sent yet. From anywhere; called on another shard than
    /// the actor's, it may come too late for a message that is just being sent.
    pub fn cancel(self) {
        self.cancelled.store(true, Ordering::Relaxed);
        // Where the timer runs it goes at once; one that has moved goes when it is due.
        try_with_runtime(|here| {
            if let Some((shard, _)) = here.filter(|(shard, _)| shard.uid() == self.uid) {
                shard.tasks().cancel(self.task);
            }
        });
    }
}

impl<A: Actor> Cx<A> {
    /// Sends `message` to this actor in `delay`, unless it is put to sleep or restarted before:
    /// timers live with the activation, and move with it.
    ///
    /// The message is made by `call` from a reference to this actor:
    /// `cx.after(delay, |me| me.tick())`.
    pub fn after<M: Method<Actor = A>>(
        &self,
        delay: Duration,
        call: impl FnOnce(&A::Ref) -> Call<'_, M> + Send + 'static,
    ) -> TimerHandle {
        let mut call = Some(call);
        self.schedule(
            delay,
            None,
            Box::new(move |me| {
                if let Some(call) = call.take() {
                    bury_refused(call(me));
                }
            }),
        )
    }

    /// Sends a message to this actor every `period`, first in one, until the activation ends.
    /// A period that finds the actor's mailbox full is a dead letter.
    ///
    /// # Panics
    /// If `period` is zero.
    pub fn every<M: Method<Actor = A>>(
        &self,
        period: Duration,
        mut call: impl FnMut(&A::Ref) -> Call<'_, M> + Send + 'static,
    ) -> TimerHandle {
        assert!(
            !period.is_zero(),
            "a period of nothing would never let anything else run"
        );
        self.schedule(
            period,
            Some(period),
            Box::new(move |me| bury_refused(call(me))),
        )
    }

    fn schedule(&self, delay: Duration, period: Option<Duration>, send: SendIt<A>) -> TimerHandle {
        let due = self.now() + delay;
        with_runtime(|shard, runtime| {
            let cancelled = Arc::default();
            let packed = PackedTimer {
                due,
                period,
                send,
                cancelled: Arc::clone(&cancelled),
            };
            let me = self.me();
            let cell = self.turn.head().index();
            let task = match runtime.types.get::<A>(runtime) {
                Ok(types) => types.start_timer(shard, cell, me, packed),
                Err(_) => unreachable!("an actor runs, so its type is known"),
            };
            TimerHandle {
                uid: shard.uid(),
                task,
                cancelled,
            }
        })
    }
}

type SendIt<A> = Box<dyn FnMut(&<A as Actor>::Ref) + Send>;

/// A timer without a task: on its way to another shard.
pub(crate) struct PackedTimer<A: Actor> {
    due: Time,
    period: Option<Duration>,
    send: SendIt<A>,
    cancelled: Arc<AtomicBool>,
}

/// A timer of an activation.
pub(crate) struct Timer<A: Actor> {
    pub(crate) task: TaskId,
    /// None as long as it sends.
    packed: Rc<Cell<Option<PackedTimer<A>>>>,
}

impl<A: Actor> TypeShard<A> {
    fn start_timer(&self, shard: &Shard, cell: u32, me: A::Ref, packed: PackedTimer<A>) -> TaskId {
        let place = Rc::new(Cell::new(Some(packed)));
        let task = shard.spawn(run(me, place.clone()));
        let mut timers = self.timers.borrow_mut();
        let mine = timers.entry(cell).or_default();
        mine.retain(|timer| shard.tasks().is_live(timer.task));
        mine.push(Timer {
            task,
            packed: place,
        });
        task
    }

    /// Stops the timers of an activation that leaves, to be started where it goes.
    pub(crate) fn pack_timers(&self, shard: &Shard, resident: Resident<A>) -> Vec<PackedTimer<A>> {
        let timers = self.timers.borrow_mut().remove(&resident.index());
        let mut packed = Vec::new();
        for timer in timers.into_iter().flatten() {
            packed.extend(timer.packed.take());
            shard.tasks().cancel(timer.task);
        }
        packed
    }

    /// Starts the timers of an activation that has come.
    pub(crate) fn unpack_timers(
        &self,
        shard: &Shard,
        runtime: &Runtime,
        resident: Resident<A>,
        packed: Vec<PackedTimer<A>>,
    ) {
        for timer in packed {
            let me = A::Ref::from(RefCore::of_activation::<A>(runtime, shard.id(), &resident));
            self.start_timer(shard, resident.index(), me, timer);
        }
    }
}

async fn run<A: Actor>(me: A::Ref, place: Rc<Cell<Option<PackedTimer<A>>>>) {
    loop {
        let Some(timer) = place.take() else { return };
        let due = timer.due;
        place.set(Some(timer));
        with_runtime(|shard, _| shard.sleep_until(due)).await;
        let Some(mut timer) = place.take() else {
            return;
        };
        if timer.cancelled.load(Ordering::Relaxed) {
            return;
        }
        (timer.send)(&me);
        let Some(period) = timer.period else { return };
        let now = with_runtime(|shard, _| shard.now());
        timer.due = next_due(timer.due, period, now);
        place.set(Some(timer));
    }
}

/// From the last due time, not from now: periods don't drift. Those that were missed are left out.
fn next_due(due: Time, period: Duration, now: Time) -> Time {
    let next = due + period;
    if next >= now {
        return next;
    }
    let late = (now - next).as_nanos();
    let missed = late.div_ceil(period.as_nanos().max(1));
    next + Duration::from_nanos(u64::try_from(missed * period.as_nanos()).unwrap_or(u64::MAX / 2))
}
