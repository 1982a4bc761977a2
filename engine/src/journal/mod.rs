//! Event-sourced state: events are kept, and the state is what they add up to.
//!
//! `replay` brings a journal up to its events, `snapshot` keeps what they come to now and then.

mod replay;
mod snapshot;

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use quark_storage::provider::{Append, ETag, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::state::{Format, Place, StateError, encode};

/// A state that is the sum of its events.
///
/// Events are kept for good. So a type of event may gain variants and fields (with serde's
/// attributes), and lose none that was ever written.
pub trait Evolve: Default + Serialize + DeserializeOwned + 'static {
    /// What happens to it.
    type Event: Serialize + DeserializeOwned + 'static;

    /// After how many events the state itself is kept beside them, so that whoever loads it replays
    /// fewer than twice as many; 0: never.
    const SNAPSHOT_EVERY: u64 = 1_000;

    /// Makes of the state what it is after `event`. It must come to the same each time, so it looks
    /// at nothing but the two.
    fn evolve(&mut self, event: &Self::Event);
}

/// A journal of events, and the state that they add up to: a field of an actor with `#[state]`, in
/// a struct that derives [`Stateful`](macro@crate::Stateful).
///
/// It is read as the state, by `Deref`, and changed by [`append`](Self::append) alone.
///
/// ```
/// use quark::prelude::*;
/// use quark::testing::SimOptions;
/// use quark::{Evolve, Journal, StateError};
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// pub struct Balance {
///     cents: i64,
/// }
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// pub enum Booked {
///     Deposit(i64),
///     Fee(i64),
/// }
///
/// impl Evolve for Balance {
///     type Event = Booked;
///
///     fn evolve(&mut self, event: &Booked) {
///         match event {
///             Booked::Deposit(cents) => self.cents += cents,
///             Booked::Fee(cents) => self.cents -= cents,
///         }
///     }
/// }
///
/// #[derive(Default, Stateful)]
/// pub struct Account {
///     #[state]
///     booked: Journal<Balance>,
/// }
///
/// #[actor]
/// impl Account {
///     pub async fn deposit(&mut self, cents: i64) -> Result<i64, StateError> {
///         self.booked.append([Booked::Deposit(cents), Booked::Fee(1)]).await?;
///         Ok(self.booked.cents)
///     }
/// }
///
/// let builder = Engine::builder().store(Store::memory());
/// let sim = builder.simulate(1, SimOptions::default()).unwrap();
/// let alice = sim.actor::<Account>("alice");
/// assert_eq!(sim.block_on(alice.deposit(100)), Ok(99));
/// ```
///
/// # Futures that are dropped
///
/// An append whose future is dropped, or that ends with [`StoreError::Unavailable`], may have
/// happened or not. The next one looks first, and takes in what is there.
pub struct Journal<S: Evolve> {
    state: S,
    /// The number of the last event in `state`.
    len: u64,
    /// None until it was loaded.
    kept: Option<Box<Seen>>,
}

/// What is known of the records.
struct Seen {
    events: Place,
    snapshot: Place,
    /// The E-tag of the snapshot, if there is one, and the last event in it.
    taken: (Option<ETag>, u64),
    /// Whether events may have been appended, or may yet be, that `state` does not have.
    is_doubtful: bool,
}

impl<S: Evolve> Journal<S> {
    /// Appends events, all or none, and brings the state up to them. When this returns, they are
    /// as durable as the store makes them. Gives the number of the last.
    ///
    /// # Errors
    /// [`StateError::Store`] of [`StoreError::Behind`] if somebody else has appended meanwhile:
    /// the state has those events then, and nothing was appended now. Whatever else the store
    /// says.
    pub async fn append(
        &mut self,
        events: impl IntoIterator<Item = S::Event>,
    ) -> Result<u64, StateError> {
        let seen = self.kept.as_deref().ok_or(StateError::NotLoaded)?;
        if seen.is_doubtful {
            self.catch_up().await?;
        }
        let seen = self.kept.as_deref_mut().ok_or(StateError::NotLoaded)?;
        let events: Vec<S::Event> = events.into_iter().collect();
        let record = seen.events.record();
        let encoded = events.iter().map(|event| encode(event, 0, record));
        let encoded = encoded.collect::<Result<Vec<Bytes>, _>>()?;
        let after = self.len;
        seen.is_doubtful = true;
        let appended = seen.events.ask(move |provider, record, epoch| {
            let append = Append {
                epoch,
                after,
                events: encoded,
            };
            provider.append(record, append)
        });
        let appended = appended.await;
        seen.is_doubtful = matches!(
            appended,
            Err(StateError::Store(
                StoreError::Unavailable { .. } | StoreError::ReadOnly { .. }
            ))
        );
        match appended {
            Ok(len) => {
                events.iter().for_each(|event| self.state.evolve(event));
                self.len = len;
                self.take_snapshot().await;
                Ok(len)
            }
            Err(behind @ StateError::Store(StoreError::Behind { .. })) => {
                self.catch_up().await?;
                Err(behind)
            }
            Err(error) => Err(error),
        }
    }

    /// The number of the last event, as far as this activation knows; 0 if there is none.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has happened yet, as far as this activation knows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Events with their numbers, from number `from` on, `most` at most, and fewer where they
    /// would be megabytes: for audits. None when there are no more.
    ///
    /// # Errors
    /// Whatever the store says; [`StateError::Undecodable`] for an event that this program can't
    /// read.
    pub async fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, S::Event)>, StateError> {
        let seen = self.kept.as_deref().ok_or(StateError::NotLoaded)?;
        seen.read(from, most).await
    }
}

impl Seen {
    async fn read<E: DeserializeOwned>(
        &self,
        from: u64,
        most: usize,
    ) -> Result<Vec<(u64, E)>, StateError> {
        let found = self
            .events
            .ask(move |provider, record, _| provider.events(record, from, most));
        let format = Format::<E>::plain();
        let read = found.await?.into_iter().map(|event| {
            let value = format.decode(&event.value, self.events.record())?;
            Ok((event.number, value))
        });
        read.collect()
    }
}

impl<S: Evolve> Default for Journal<S> {
    fn default() -> Self {
        Journal {
            state: S::default(),
            len: 0,
            kept: None,
        }
    }
}

impl<S: Evolve> Deref for Journal<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        &self.state
    }
}

impl<S: Evolve + fmt::Debug> fmt::Debug for Journal<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)
    }
}
