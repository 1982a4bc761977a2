//! Death watch: hearing that another actor's life has ended.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quark_shards::shard::Shard;

use super::signal::Signal;
use crate::activation::Head;
use crate::actor::{Actor, ActorRef, Method};
use crate::call::Call;
use crate::context::Cx;
use crate::contract::implementing;
use crate::key::ActorId;
use crate::reference::RefCore;
use crate::runtime::{Runtime, bury_refused, with_runtime};

/// What a watcher hears of one whom it [watches](Cx::watch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// Whose life it is about.
    pub actor: ActorId,
    /// What has become of it.
    pub reason: DownReason,
}

/// What has become of an actor's life. The next call to its key begins another, unless it was
/// only restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// It has stopped, by its own wish or because its parent was to have it so no more.
    Stopped,
    /// It was given up: it, or one whose failure was its own too, has failed.
    Failed {
        /// What failed.
        cause: String,
    },
    /// It was put to sleep, or slept already when the watch began.
    Asleep,
    /// It could not be activated.
    NotActivated {
        /// Why.
        cause: String,
    },
    /// It has a fresh instance, and lives on. Told only where it was
    /// [asked for](Cx::watch_restarts); the watch goes on.
    Restarted,
}

/// Names a watch that its actor may [end](Cx::unwatch).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(u64);

/// One who watches, as the watched knows it.
pub(crate) struct Watcher {
    pub(crate) core: RefCore,
    pub(crate) id: WatchId,
    restarts: bool,
}

/// One who is watched, as the watcher knows it.
pub(crate) struct Watching {
    core: RefCore,
    id: WatchId,
    tell: Tell,
}

/// Sends the watcher its message, by a reference to itself.
type Tell = Box<dyn Fn(RefCore, Down) + Send>;

impl<A: Actor> Cx<A> {
    /// Has this actor sent a message when the life of `other` ends: when it is stopped, given up
    /// or put to sleep. Once; if it sleeps already, at once. The message is made by `call`:
    ///
    /// ```
    /// use quark::prelude::*;
    /// use quark::{Down, DownReason};
    ///
    /// # #[derive(Default)]
    /// # pub struct Player;
    /// #[actor]
    /// impl Player {
    ///     pub fn leave(&self, cx: &Cx<Self>) {
    ///         cx.stop();
    ///     }
    /// }
    ///
    /// #[derive(Default)]
    /// pub struct Lobby {
    ///     gone: Vec<Down>,
    /// }
    ///
    /// #[actor]
    /// impl Lobby {
    ///     pub async fn join(&mut self, cx: &Cx<Self>, player: PlayerRef) {
    ///         cx.watch(&player, |me, down| me.on_down(down));
    ///     }
    ///
    ///     pub fn on_down(&mut self, down: Down) {
    ///         self.gone.push(down);
    ///     }
    ///
    ///     pub fn gone(&self) -> Vec<Down> {
    ///         self.gone.clone()
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), CallError> {
    /// # let sim = Engine::builder().simulate(1, quark::testing::SimOptions::default()).unwrap();
    /// let (lobby, player) = (sim.actor::<Lobby>(1), sim.actor::<Player>(2));
    /// sim.block_on(async { lobby.join(player.clone()).await })?;
    /// sim.run_until_idle();
    /// // A player that sleeps is told of at once.
    /// let gone = sim.block_on(async { lobby.gone().await })?;
    /// assert_eq!(gone[0].reason, DownReason::Asleep);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A watch is part of this actor's present instance, as a timer is: it ends with it, by a
    /// restart too. A message that finds this actor's mailbox full is a dead letter.
    pub fn watch<B, M>(
        &self,
        other: &B,
        call: impl Fn(&A::Ref, Down) -> Call<'_, M> + Send + 'static,
    ) -> WatchId
    where
        B: ActorRef,
        M: Method<Actor = A>,
    {
        self.begin_watch::<B::Actor, M>(other.core(), false, call)
    }

    /// [`watch`](Self::watch), that hears of [restarts](DownReason::Restarted) too.
    pub fn watch_restarts<B, M>(
        &self,
        other: &B,
        call: impl Fn(&A::Ref, Down) -> Call<'_, M> + Send + 'static,
    ) -> WatchId
    where
        B: ActorRef,
        M: Method<Actor = A>,
    {
        self.begin_watch::<B::Actor, M>(other.core(), true, call)
    }

    fn begin_watch<B: Actor, M: Method<Actor = A>>(
        &self,
        other: &RefCore,
        restarts: bool,
        call: impl Fn(&A::Ref, Down) -> Call<'_, M> + Send + 'static,
    ) -> WatchId {
        let tell = move |me: RefCore, down: Down| bury_refused(call(&A::Ref::from(me), down));
        with_runtime(|shard, runtime| {
            let head = self.turn.head();
            let id = WatchId(runtime.next_turn(shard));
            let other = implementing::<B>(runtime, other);
            head.with_extra(|extra| {
                extra.watching.push(Watching {
                    core: other.clone(),
                    id,
                    tell: Box::new(tell),
                });
            });
            let core = runtime.core_here(shard, head);
            let watcher = Watcher { core, id, restarts };
            runtime.signal(shard, &other, Signal::Watched(watcher));
            id
        })
    }

    /// Ends a watch: nothing is told of it any more. One that is over is ignored.
    pub fn unwatch(&self, watch: WatchId) {
        with_runtime(|shard, runtime| {
            let ended = self.turn.head().extra(|extra| {
                let place = extra.watching.iter().position(|one| one.id == watch)?;
                Some(extra.watching.remove(place))
            });
            if let Some(ended) = ended.flatten() {
                runtime.signal(shard, &ended.core, Signal::Unwatched(watch));
            }
        });
    }
}

impl Runtime {
    /// One who is watched is down: the watcher is sent its message.
    pub(super) fn tell_down(&self, shard: &Shard, head: &Head, id: WatchId, down: Down) {
        let is_last = down.reason != DownReason::Restarted;
        let taken = head.extra(|extra| {
            let place = extra.watching.iter().position(|one| one.id == id)?;
            Some(extra.watching.swap_remove(place))
        });
        let Some(watching) = taken.flatten() else {
            return;
        };
        let me = self.core_here(shard, head);
        let tell = AssertUnwindSafe(|| (watching.tell)(me, down));
        if let Err(panic) = catch_unwind(tell) {
            tracing::error!(actor = %head.id(), "making the message of a watch has panicked");
            // A payload may panic on its way out, too.
            std::mem::forget(panic);
        }
        if is_last {
            crate::lifecycle::drop_quietly(watching);
        } else {
            head.with_extra(|extra| extra.watching.push(watching));
        }
    }

    /// Tells those who asked for it that an actor has a fresh instance.
    pub(crate) fn say_restarted(&self, shard: &Shard, head: &Head) {
        let count = head.extra(|extra| extra.watchers.len()).unwrap_or(0);
        for place in 0..count {
            let watcher = head.extra(|extra| {
                let watcher = extra.watchers.get(place)?;
                let core = watcher.core.clone();
                watcher.restarts.then_some((core, watcher.id))
            });
            if let Some((core, id)) = watcher.flatten() {
                let down = Down {
                    actor: head.id(),
                    reason: DownReason::Restarted,
                };
                self.signal(shard, &core, Signal::Down(id, down));
            }
        }
    }

    pub(super) fn tell_watcher(
        &self,
        shard: &Shard,
        head: &Head,
        watcher: &Watcher,
        reason: DownReason,
    ) {
        if self.is_closing() {
            // All end now, and nobody is to be woken by it.
            return;
        }
        let down = Down {
            actor: head.id(),
            reason,
        };
        self.signal(shard, &watcher.core, Signal::Down(watcher.id, down));
    }

    /// Ends the watches of an instance that goes.
    pub(crate) fn stop_watching(&self, shard: &Shard, head: &Head) {
        let watching = head.extra(|extra| std::mem::take(&mut extra.watching));
        for one in watching.into_iter().flatten() {
            self.signal(shard, &one.core, Signal::Unwatched(one.id));
            crate::lifecycle::drop_quietly(one);
        }
    }
}
