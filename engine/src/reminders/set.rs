//! How an actor sets its reminders.

use std::time::Duration;

use quark_storage::provider::{Expected, Reminder, WallTime};

use super::{First, Remind};
use crate::actor::{Actor, Reminded};
use crate::context::Cx;
use crate::runtime::with_runtime;
use crate::state::{DEFAULT_STORE, Place, StateError};

impl<A: Reminded> Cx<A> {
    /// Has this actor called by `on_reminder` when it says, even if it sleeps by then or the
    /// process has ended in between; durable when it returns. A reminder of the same name is
    /// replaced.
    ///
    /// The engine's own store keeps it ([`EngineBuilder::store`](crate::EngineBuilder::store)),
    /// under the type's registered name: name the type at the builder too, by
    /// [`register`](crate::EngineBuilder::register) or
    /// [`configure`](crate::EngineBuilder::configure), or after a restart nobody knows whom to
    /// call.
    ///
    /// `on_reminder` may be called again for a time it was called for before, if the process ended
    /// before that was kept. One that panics is tried again, ever less often.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn remind(&self, name: &str, when: Remind) -> Result<(), StateError> {
        let place = self.reminder_place(name);
        let reminder = self.reminder_of(when);
        let set = place.ask(move |store, key, epoch| {
            let set = store.set_reminder(key, epoch, Expected::Any, Some(reminder));
            Box::pin(async move {
                let done = set.await?;
                with_runtime(|_, runtime| runtime.reminders.is_set(reminder.due));
                Ok(done)
            })
        });
        set.await.map(drop)
    }

    /// Takes a reminder back; durable when it returns. A call for it may be under way.
    ///
    /// # Errors
    /// [`StateError`]. What is not there is taken back with success.
    pub async fn forget_reminder(&self, name: &str) -> Result<(), StateError> {
        let place = self.reminder_place(name);
        let set =
            place.ask(|store, key, epoch| store.set_reminder(key, epoch, Expected::Any, None));
        set.await.map(drop)
    }

    /// When the reminder called `name` is due; `None` if there is none.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn reminder(&self, name: &str) -> Result<Option<WallTime>, StateError> {
        let place = self.reminder_place(name);
        let found = place
            .ask(|store, key, epoch| store.reminder(key, epoch))
            .await?;
        Ok(found.map(|(_, reminder)| reminder.due))
    }

    fn reminder_place(&self, name: &str) -> Place {
        let head = self.turn.head();
        let (key, hash) = (head.key(), head.hash());
        with_runtime(|_, runtime| {
            Place::new(runtime, A::NAME, &key, hash, DEFAULT_STORE, name).of_reminder(runtime)
        })
    }

    fn reminder_of(&self, when: Remind) -> Reminder {
        let due = match when.first {
            First::In(delay) => self.wall_time().after(delay),
            First::At(time) => time,
        };
        let millis =
            |period: Duration| u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
        Reminder {
            due,
            period_ms: when.period.map(millis),
            catch_up: when.catch_up,
        }
    }
}

impl<A: Actor> Cx<A> {
    /// The time of the calendar, as far as this machine knows it; or the simulator's.
    #[must_use]
    pub fn wall_time(&self) -> WallTime {
        with_runtime(|shard, _| WallTime::new(shard.wall_time()))
    }
}
