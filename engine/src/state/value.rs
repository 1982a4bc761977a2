//! A state: a value in its actor, and what is kept of it in a store.

use std::fmt;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use quark_shards::planted::{Bug, planted};
use quark_storage::provider::{ETag, Expected, Record, StoreError, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{self, Format};
use super::each_turn::{SavedEachTurn, Saving};
use super::error::StateError;
use super::fields::{Kept, Loading};
use super::reach::Place;

/// A value that an actor keeps: in memory, where it is read and changed as any other field, and in
/// a store, where [`save`](Self::save) writes it.
///
/// A field with `#[state]`, in a struct that derives [`Stateful`](macro@crate::Stateful), is loaded
/// before the actor's first turn. Where the store has nothing it is `T::default()`.
///
/// ```
/// use quark::prelude::*;
/// use quark::StateError;
/// use quark::testing::SimOptions;
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// pub struct Balance {
///     cents: i64,
/// }
///
/// #[derive(Default, Stateful)]
/// pub struct Account {
///     #[state]
///     balance: State<Balance>,
/// }
///
/// #[actor]
/// impl Account {
///     pub async fn deposit(&mut self, cents: i64) -> Result<i64, StateError> {
///         self.balance.cents += cents;
///         self.balance.save().await?;
///         Ok(self.balance.cents)
///     }
/// }
///
/// let builder = Engine::builder().store(Store::memory());
/// let sim = builder.simulate(1, SimOptions::default()).unwrap();
/// let alice = sim.actor::<Account>("alice");
/// assert_eq!(sim.block_on(alice.deposit(5)), Ok(5));
/// ```
///
/// # Saved by itself
///
/// With `#[state(save = "each_turn")]`, what a turn has changed is saved when it ends, before its
/// reply leaves: see [the manual](crate::manual::states#saved-with-each-turn).
///
/// # Two at once
///
/// Every save has an *E-tag*, and each save, clear and load says which one it has seen. Of two that
/// change what they have both loaded, the second is told [`StateError::Conflict`], and nothing is
/// written.
///
/// # Futures that are dropped
///
/// A save or clear whose future is dropped (by a timeout, or a `select`) may have happened or not.
/// The same goes for one that ends with [`StoreError::Unavailable`]. The next save or clear looks
/// first: if the state is as that one was to leave it, that one has happened; if not, and if it
/// happens after all meanwhile, the answer is a conflict. So nothing is ever overwritten unseen.
pub struct State<T> {
    value: T,
    /// It may differ from what was last saved.
    changed: bool,
    format: Format<T>,
    /// None until it was loaded.
    kept: Option<Box<Seen>>,
}

/// What is known of the record.
struct Seen {
    place: Place,
    etag: Option<ETag>,
    doubt: Option<Doubt>,
}

/// What may have been done since, or may yet be.
enum Doubt {
    Saved(Bytes),
    Cleared,
}

impl<T> State<T> {
    /// Names what was saved last, as far as this activation knows; `None` if nothing is kept, or
    /// if a save that was not waited for leaves that open.
    #[must_use]
    pub fn etag(&self) -> Option<ETag> {
        let seen = self.kept.as_deref()?;
        seen.etag.filter(|_| seen.doubt.is_none())
    }

    /// Whether the store has the state, as far as this activation knows. What was changed since
    /// it was saved does not count.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.kept.as_deref().is_some_and(|seen| seen.etag.is_some())
    }

    pub(super) fn set_format(&mut self, format: Format<T>) {
        self.format = format;
    }

    fn seen(&mut self) -> Result<&mut Seen, StateError> {
        self.kept.as_deref_mut().ok_or(StateError::NotLoaded)
    }
}

impl<T> State<T>
where
    T: Serialize + DeserializeOwned + Default + 'static,
{
    /// Writes the value to its store. When this returns, it is as durable as the store makes it.
    ///
    /// # Errors
    /// [`StateError::Conflict`] if somebody else has written it meanwhile, and whatever else the
    /// store says. Unless it does not answer, nothing was written.
    pub async fn save(&mut self) -> Result<ETag, StateError> {
        self.seen()?.settle().await?;
        let version = self.format.version();
        let seen = self.kept.as_deref_mut().ok_or(StateError::NotLoaded)?;
        let value = codec::encode(&self.value, version, seen.place.record())?;
        let expected = Expected::loaded(seen.etag);
        seen.doubt = Some(Doubt::Saved(value.clone()));
        let saved = seen.place.ask(move |provider, record, epoch| {
            let write = Write {
                epoch,
                expected,
                value,
            };
            provider.save(record, write)
        });
        let saved = saved.await;
        seen.conclude(&saved);
        let etag = saved?;
        seen.etag = Some(if planted(Bug::GuessedTag) {
            ETag(etag.0 + 1)
        } else {
            etag
        });
        self.changed = false;
        Ok(etag)
    }

    /// Removes what is kept of it; the value is `T::default()` then.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub async fn clear(&mut self) -> Result<(), StateError> {
        let seen = self.seen()?;
        seen.settle().await?;
        let expected = Expected::loaded(seen.etag);
        seen.doubt = Some(Doubt::Cleared);
        let cleared = seen
            .place
            .ask(move |provider, record, epoch| provider.clear(record, epoch, expected))
            .await;
        seen.conclude(&cleared);
        cleared?;
        seen.etag = None;
        self.value = T::default();
        self.changed = false;
        Ok(())
    }

    /// Loads the value anew: what was changed and not saved is lost. After a
    /// [conflict](StateError::Conflict) this shows what somebody else has written.
    ///
    /// # Errors
    /// Whatever the store says, and [`StateError::Undecodable`] and [`StateError::Newer`] for what
    /// this program can't read; the value stays as it was then.
    pub async fn reload(&mut self) -> Result<(), StateError> {
        let seen = self.kept.as_deref_mut().ok_or(StateError::NotLoaded)?;
        let found = seen.find().await?;
        self.value = match &found {
            Some(record) => self.format.decode(&record.value, seen.place.record())?,
            None => T::default(),
        };
        seen.etag = found.map(|record| record.etag);
        seen.doubt = None;
        self.changed = false;
        Ok(())
    }
}

impl Seen {
    async fn find(&self) -> Result<Option<Record>, StateError> {
        let found = self
            .place
            .ask(|provider, record, epoch| provider.load(record, epoch));
        found.await
    }

    /// Looks whether what may have been done was, if there is a doubt.
    async fn settle(&mut self) -> Result<(), StateError> {
        if self.doubt.is_none() {
            return Ok(());
        }
        let found = self.find().await?;
        match (self.doubt.take(), found) {
            (Some(Doubt::Saved(value)), Some(record)) if record.value == value => {
                self.etag = Some(record.etag);
            }
            (Some(Doubt::Cleared), None) => self.etag = None,
            // Not done, or done and undone since: the E-tag says which, to whoever writes next.
            _ => {}
        }
        Ok(())
    }

    /// An answer leaves no doubt, unless it says so.
    fn conclude<R>(&mut self, answer: &Result<R, StateError>) {
        let leaves_doubt = matches!(
            answer,
            Err(StateError::Store(
                StoreError::Unavailable { .. } | StoreError::ReadOnly { .. }
            ))
        );
        if !leaves_doubt {
            self.doubt = None;
        }
    }
}

impl<T> Kept for State<T>
where
    T: Serialize + DeserializeOwned + Default + 'static,
{
    fn load(&mut self, place: Place) -> Loading<'_> {
        Box::pin(async move {
            self.kept = Some(Box::new(Seen {
                place,
                etag: None,
                doubt: None,
            }));
            let loaded = self.reload().await;
            if loaded.is_err() {
                self.kept = None;
            }
            loaded
        })
    }
}

impl<T> SavedEachTurn for State<T>
where
    T: Serialize + DeserializeOwned + Default + 'static,
{
    #[inline]
    fn is_changed(&self) -> bool {
        self.changed
    }

    fn save_changed(&mut self) -> Saving<'_> {
        Box::pin(async move { self.save().await.map(drop) })
    }
}

impl<T: Default> Default for State<T> {
    fn default() -> Self {
        State {
            value: T::default(),
            changed: false,
            format: Format::plain(),
            kept: None,
        }
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for State<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

// Actors move between shards with their states.
const _: () = {
    const fn travels<T: Send>() {}
    travels::<State<u8>>();
};
