//! Moving an actor on purpose.

use std::future::{Future, ready};
use std::marker::PhantomData;

use crate::actor::{Actor, ActorRef, Bare, Exclusive, Method};
use crate::call::Call;
use crate::context::Cx;
use crate::engine::Engine;
use crate::options::Placement;
use crate::runtime::with_runtime;

/// The message that moves an actor; see [`Engine::migrate`].
pub struct Migrate<A> {
    to: u16,
    _actor: PhantomData<fn(A)>,
}

/// Why an actor is not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// There is no such shard.
    #[error("there is no shard {to} to move to: the engine has {shards}, numbered from 0")]
    NoSuchShard {
        /// The shard asked for.
        to: u16,
        /// How many there are.
        shards: u16,
    },
    /// Its type is bound to its shards.
    #[error(
        "actors of a type that is pinned, or placed as workers, don't move: give it another placement"
    )]
    Bound,
}

impl Engine {
    /// Moves an actor to the shard `to`, with its state, its mailbox and its timers, while calls
    /// go on: none is lost, and none overtakes another of its sender's.
    ///
    /// Like any call, it is made when it is used, and waits for its turn in the actor. Once it is
    /// answered the actor takes no more turns where it was; what is called from then on finds it
    /// at its new shard. There it lives until it is moved again or put to sleep, and it wakes up
    /// where its placement says. An actor that sleeps is woken to be moved.
    ///
    /// ```
    /// # use quark::prelude::*;
    /// #[derive(Default)]
    /// pub struct Counter {
    ///     count: u64,
    /// }
    ///
    /// #[actor]
    /// impl Counter {
    ///     pub fn add(&mut self, cx: &Cx<Self>) -> (u64, u16) {
    ///         self.count += 1;
    ///         (self.count, cx.shard())
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::launch(Topology::detect()?)?;
    /// let counter = engine.actor::<Counter>("visits");
    /// let (_, was) = counter.add().wait()?;
    /// let to = (was + 1) % engine.shards();
    /// engine.migrate(&counter, to).wait()?;
    /// assert_eq!(counter.add().wait()?, (2, to));
    /// # Ok(())
    /// # }
    /// ```
    pub fn migrate<'r, R>(&self, actor: &'r R, to: u16) -> Call<'r, Migrate<R::Actor>>
    where
        R: ActorRef,
        R::Actor: Send,
    {
        let migrate = Migrate {
            to,
            _actor: PhantomData,
        };
        Call::of(actor, migrate)
    }
}

impl<A: Actor + Send> Cx<A> {
    /// Moves this actor to the shard `to` once no turn is inside; see [`Engine::migrate`].
    ///
    /// # Errors
    /// [`MigrateError`], when it can't.
    pub fn migrate(&self, to: u16) -> Result<(), MigrateError> {
        with_runtime(|shard, runtime| {
            let shards = runtime.engine().shards();
            if to >= shards {
                return Err(MigrateError::NoSuchShard { to, shards });
            }
            let Ok(types) = runtime.types.get::<A>(runtime) else {
                return Ok(());
            };
            if let Some(Placement::Pinned(_) | Placement::Workers { .. }) = types.options.placement
            {
                return Err(MigrateError::Bound);
            }
            if let Some(resident) = types.cells.get(self.turn.head().index()) {
                runtime.ways(shard, types).depart(resident, to);
            }
            Ok(())
        })
    }
}

impl<A: Actor + Send> Method for Migrate<A> {
    type Actor = A;
    type Receiver = Exclusive;
    type Output = Result<(), MigrateError>;
    type Ok = ();
    type Err = MigrateError;
    type Args = (u16,);
    const NAME: &'static str = "migrate";
    const SYNC: bool = true;
    const BARE: Option<Bare<Self>> = Some(|message, cx| cx.migrate(message.to));

    fn call<'a>(self, _: &'a mut A, cx: &'a Cx<A>) -> impl Future<Output = Self::Output> + 'a {
        ready(cx.migrate(self.to))
    }

    fn reply(output: Self::Output) -> Self::Output {
        output
    }

    fn into_args(self) -> (u16,) {
        (self.to,)
    }
}
