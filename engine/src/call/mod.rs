//! Calls: what a typed reference's methods give, and the four ways to use it. Awaited (ask),
//! [told](Call::tell), [sent](Call::send) with patience, or [waited for](Call::wait) by a plain
//! thread.

mod ask;
mod here;
pub(crate) mod outside;
mod send;
mod tell;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use quark_shards::calls::CallId;
use quark_shards::timer::TimerKey;

use crate::actor::{Actor, ActorRef, Method};
use crate::context::Context;
use crate::key::ActorId;
use crate::message::ReplyOf;
use crate::reference::RefCore;
pub(crate) use ask::{cost, slots};
pub(crate) use here::run_here;
use outside::OutsideCell;
pub use send::Send;
pub(crate) use tell::Patience;

/// One call of one method, not yet sent.
///
/// Nothing happens until it is used: awaiting it sends it at the first poll, which is what
/// "the order sent" means; [`tell`](Self::tell) sends it at once.
#[must_use = "a call does nothing until it is awaited, told, sent or waited for"]
pub struct Call<'r, M: Method> {
    core: &'r RefCore,
    message: Option<M>,
    timeout: Option<Duration>,
    context: Option<Context>,
    state: State<M>,
}

enum State<M: Method> {
    Fresh,
    /// Waits for credit towards the actor's shard.
    Queued {
        uid: u32,
        lane: u16,
        ticket: u64,
        timer: TimerKey,
        expired_at: quark_shards::time::Time,
    },
    /// Sent; the reply is to come.
    Waiting {
        uid: u32,
        id: CallId,
        /// Whether the reply comes from where the reference looks, and says where exactly.
        hints: bool,
    },
    /// Sent from outside all shards.
    Outside(Arc<OutsideCell<ReplyOf<M>>>),
    Done,
}

// A call holds no address of itself.
impl<M: Method> Unpin for Call<'_, M> {}

impl<'r, M: Method> Call<'r, M> {
    /// A call of `message` on the actor that `core` refers to. The typed references' methods
    /// are the usual way to one.
    ///
    /// # Panics
    /// If `core` refers to an actor of another type.
    #[inline]
    pub fn new(core: &'r RefCore, message: M) -> Self {
        // Hints are addresses: a message that met another type's actor would be unsound.
        assert!(
            std::ptr::eq(core.token, M::Actor::token()),
            "a message of another actor's type"
        );
        Call {
            core,
            message: Some(message),
            timeout: None,
            context: None,
            state: State::Fresh,
        }
    }

    /// A call of `message` on `actor`: for messages that came back with a
    /// [`TellError`](crate::TellError).
    pub fn of<R: ActorRef<Actor = M::Actor>>(actor: &'r R, message: M) -> Self {
        Self::new(actor.core(), message)
    }

    /// Who is called.
    #[must_use]
    pub fn target(&self) -> ActorId {
        self.core.id()
    }

    /// What it was made of, if it was not sent.
    pub(crate) fn into_parts(mut self) -> (ActorId, M, Option<Context>) {
        (self.core.id(), self.take_message(), self.context.take())
    }

    /// Waits no longer than `timeout` for the answer, instead of the type's or the engine's
    /// default. Rounded up to about a millisecond. Inside a turn whose own caller waits less
    /// long, that counts.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same with the context that it came with, if any.
    pub(crate) fn maybe_context(mut self, context: Option<Context>) -> Self {
        self.context = context;
        self
    }

    /// Hangs `context` on this call and all that are made on its behalf. Inside a turn, calls
    /// inherit the turn's context unless they are given one.
    pub fn context(mut self, context: Context) -> Self {
        self.context = Some(context);
        self
    }
}
