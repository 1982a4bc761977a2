//! What of an actor is kept, and how it is loaded before the first turn. The derive writes
//! [`Stateful`]; the `#[actor]` attribute finds it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::codec::Format;
use super::each_turn::Saving;
use super::error::StateError;
use super::reach::Place;
use super::value::State;
use super::versioned::Versioned;
use crate::actor::Actor;
use crate::context::Turn;
use crate::runtime::with_runtime;

/// An actor some of whose fields are kept in a store. Written by
/// [`#[derive(Stateful)]`](macro@crate::Stateful).
#[diagnostic::on_unimplemented(note = "derive it: `#[derive(Stateful)]` on the actor's struct")]
pub trait Stateful {
    /// The fields that are kept.
    #[doc(hidden)]
    fn fields(&mut self) -> Vec<Field<'_>>;

    /// Whether any are saved at the end of each turn.
    #[doc(hidden)]
    const SAVES_EACH_TURN: bool = false;

    /// Saves those of them that have changed.
    #[doc(hidden)]
    fn unsaved(&mut self) -> Vec<Saving<'_>> {
        Vec::new()
    }
}

/// One field that is kept.
pub struct Field<'a> {
    name: &'static str,
    store: &'static str,
    kept: &'a mut dyn Kept,
}

impl<'a> Field<'a> {
    /// The field kept as `name` in `store`.
    pub fn new(name: &'static str, store: &'static str, kept: &'a mut dyn Kept) -> Self {
        Field { name, store, kept }
    }
}

/// What can be kept in a store.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no state",
    label = "`#[state]` is for fields of the types `State<…>` and `Journal<…>`",
    note = "a state's value implements `Serialize`, `Deserialize` and `Default`; a journal's, `Evolve`"
)]
pub trait Kept {
    /// Gets its value from where it is kept.
    fn load(&mut self, place: Place) -> Loading<'_>;
}

/// A field that is being loaded.
pub type Loading<'a> = Pin<Box<dyn Future<Output = Result<(), StateError>> + 'a>>;

/// Tells whether a state's type has versions: its own method is preferred to that of
/// [`HasNoVersions`], and exists for types with versions only.
pub struct Versions<'a, K>(pub &'a mut K);

impl<'a, T: Versioned> Versions<'a, State<T>> {
    /// The state, told what its versions are.
    pub fn told(self) -> &'a mut State<T> {
        self.0.set_format(Format::versioned());
        self.0
    }
}

/// All others.
pub trait HasNoVersions<'a, K> {
    /// The field as it is.
    fn told(self) -> &'a mut K;
}

impl<'a, K> HasNoVersions<'a, K> for Versions<'a, K> {
    fn told(self) -> &'a mut K {
        self.0
    }
}

/// Loads all that an actor keeps, at once.
pub(crate) async fn load_all<A: Actor>(actor: &mut A, turn: &Turn) -> Result<(), StateError> {
    let mut loads: Vec<_> = with_runtime(|_, runtime| {
        let (key, hash) = (turn.head().key(), turn.head().hash());
        let fields = actor.states().into_iter();
        let loads = fields.map(|field| {
            let place = Place::new(runtime, A::NAME, &key, hash, field.store, field.name);
            field.kept.load(place)
        });
        loads.collect()
    });
    poll_fn(|cx| {
        let mut failed = None;
        loads.retain_mut(|load| match load.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(loaded) => {
                failed = failed.take().or(loaded.err());
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if loads.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}
