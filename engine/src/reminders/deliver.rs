//! The message that tells an actor of a due reminder.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use super::Due;
use crate::actor::{Actor, Exclusive, Method};
use crate::call::Call;
use crate::context::Cx;
use crate::engine::Engine;
use crate::error::CallError;
use crate::key::Key;

/// Calls `on_reminder`.
pub(crate) struct Deliver<A> {
    due: Due,
    _actor: PhantomData<fn(A)>,
}

/// A delivery under way.
pub(crate) type Delivery = Pin<Box<dyn Future<Output = Result<(), CallError>>>>;

/// Tells the actor `key`, awake or not, and waits until it has dealt with it.
pub(crate) fn deliver<A: Actor>(engine: &Engine, key: Key, due: Due) -> Delivery {
    let actor = engine.actor::<A>(key);
    Box::pin(async move {
        let message = Deliver::<A> {
            due,
            _actor: PhantomData,
        };
        Call::of(&actor, message).await
    })
}

impl<A: Actor> Method for Deliver<A> {
    type Actor = A;
    type Receiver = Exclusive;
    type Output = ();
    type Ok = ();
    type Err = Infallible;
    type Args = (Due,);
    const NAME: &'static str = "on_reminder";
    const SYNC: bool = false;

    // Async, though it need not be: a hook that never suspends must not run, and panic, before the
    // turn's first poll.
    async fn call(self, actor: &mut A, cx: &Cx<A>) {
        actor.remind(cx, self.due).await;
    }

    fn reply((): ()) -> Result<(), Infallible> {
        Ok(())
    }

    fn into_args(self) -> (Due,) {
        (self.due,)
    }

    fn show(&self) -> String {
        format!("{:?}", self.due)
    }
}
