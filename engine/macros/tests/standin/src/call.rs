use std::{
    future::Future,
    marker::PhantomData,
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::message::{Method, Receiver};

/// Where a reference leads; here, nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RefCore;

/// A turn's context, without an engine behind it.
pub struct Cx<A> {
    actor: PhantomData<A>,
}

impl<A> Default for Cx<A> {
    fn default() -> Self {
        Self { actor: PhantomData }
    }
}

impl<A> Cx<A> {
    /// Something for a method to do with its context.
    pub fn shard(&self) -> u16 {
        7
    }
}

#[must_use]
pub struct Call<'a, M> {
    core: &'a RefCore,
    message: M,
}

impl<'a, M: Method> Call<'a, M> {
    pub fn new(core: &'a RefCore, message: M) -> Self {
        Self { core, message }
    }

    /// Runs the message's turn on an actor at hand.
    pub fn run(self, actor: &mut M::Actor) -> Result<M::Ok, M::Err> {
        let _ = self.core;
        let cx = Cx::default();
        M::reply(ready(self.message.call(M::Receiver::lend(actor), &cx)))
    }

    /// The message's name, and whether it never suspends.
    pub fn describe(&self) -> (&'static str, bool) {
        (M::NAME, M::SYNC)
    }
}

/// The output of a future that suspends at most a few times.
pub fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    for _ in 0..8 {
        if let Poll::Ready(output) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return output;
        }
    }
    panic!("the future suspended more than eight times");
}
