//! Timers: sleeping in a turn, and messages sent later.

use std::time::Duration;

use quark_shards::shard::Shard;
use quark_shards::task::TaskId;

use crate::actor::{Actor, Method};
use crate::call::Call;
use crate::context::Cx;
use crate::runtime::{Runtime, bury_refused, with_runtime};

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
}

impl TimerHandle {
    /// Takes the message back, if it is not sent yet. Only on the actor's own shard, where
    /// handles are made.
    pub fn cancel(self) {
        with_runtime(|shard, _| {
            if shard.uid() == self.uid {
                shard.tasks().cancel(self.task);
            }
        });
    }
}

impl<A: Actor> Cx<A> {
    /// Sends `message` to this actor in `delay`, unless it is put to sleep or restarted before:
    /// timers live with the activation.
    ///
    /// The message is made by `call` from a reference to this actor:
    /// `cx.after(delay, |me| me.tick())`.
    pub fn after<M: Method<Actor = A>>(
        &self,
        delay: Duration,
        call: impl FnOnce(&A::Ref) -> Call<'_, M> + 'static,
    ) -> TimerHandle {
        let me = self.me();
        self.schedule(async move {
            sleep(delay).await;
            bury_refused(call(&me));
        })
    }

    /// Sends a message to this actor every `period`, first in one, until the activation ends.
    /// A period that finds the actor's mailbox full is a dead letter.
    ///
    /// # Panics
    /// If `period` is zero.
    pub fn every<M: Method<Actor = A>>(
        &self,
        period: Duration,
        mut call: impl FnMut(&A::Ref) -> Call<'_, M> + 'static,
    ) -> TimerHandle {
        assert!(
            !period.is_zero(),
            "a period of nothing would never let anything else run"
        );
        let me = self.me();
        let mut due = self.now() + period;
        self.schedule(async move {
            loop {
                with_runtime(|shard, _| shard.sleep_until(due)).await;
                bury_refused(call(&me));
                // From the last due time, not from now: periods don't drift.
                due = due + period;
                let now = with_runtime(|shard, _| shard.now());
                while due < now {
                    due = due + period;
                }
            }
        })
    }

    fn schedule(&self, timer: impl Future<Output = ()> + 'static) -> TimerHandle {
        with_runtime(|shard: &Shard, runtime: &Runtime| {
            let task = shard.spawn(timer);
            if let Ok(types) = runtime.types.get::<A>(runtime) {
                let mut timers = types.timers.borrow_mut();
                let mine = timers.entry(self.turn.head().index()).or_default();
                mine.retain(|task| shard.tasks().is_live(*task));
                mine.push(task);
            }
            TimerHandle {
                uid: shard.uid(),
                task,
            }
        })
    }
}
