//! Messages that come from other processes, on their way to their turns and back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use quark_net::codec::Codec;
use quark_net::schema::ActorSchema;
use quark_net::session::{NAME_MOST, Request, SendError};
use quark_net::transport::Link;
use quark_shards::planted::{Bug, planted};
use quark_shards::slots;

use super::along;
use super::handler::{RemoteHandler, refuse};
use super::moved::send_back;
use super::status;
use crate::actor::{Actor, Method};
use crate::call::{Call, run_here};
use crate::error::{CallError, NotRemote};
use crate::key::Key;
use crate::message::ReplyOf;
use crate::methods::travelling;
use crate::runtime::{bury_refused, with_runtime};

/// An actor type that can be called from elsewhere.
pub(crate) struct Served {
    pub(crate) schema: &'static ActorSchema,
    /// In the order of the schema's.
    pub(crate) methods: Vec<Invoke>,
}

impl Served {
    /// Whether there is anything to call, and a name for it that peers can read.
    pub(crate) fn can_be_told_of(&self) -> bool {
        !self.methods.is_empty() && self.schema.name().len() <= NAME_MOST
    }

    pub(crate) fn of<A: Actor>() -> Self {
        Served {
            schema: A::token().schema::<A>(),
            methods: travelling::<A>()
                .iter()
                .map(|method| method.invoke)
                .collect(),
        }
    }
}

/// Has a message that has arrived take its turn; whether it is to be answered.
pub(crate) type Invoke = fn(&Rc<Link<RemoteHandler>>, &Request<'_>, bool);

/// [`Invoke`] for messages of `M`.
pub(crate) fn invoke<M: Method>(
    link: &Rc<Link<RemoteHandler>>,
    request: &Request<'_>,
    is_ask: bool,
) {
    let Some(wire) = (const { M::WIRE }) else {
        // Only those that have one are listed.
        return;
    };
    let key = match request.key {
        slots::Key::Int(key) => Key::Int(key),
        slots::Key::Str(key) => Key::Str(key.into()),
    };
    let core = with_runtime(|_, runtime| runtime.engine().core_of::<M::Actor>(key));
    if is_ask && let Some(version) = moved_by::<M::Actor>(core.hash) {
        send_back(link, request, version);
        if !planted(Bug::RunThoughMoved) {
            return;
        }
    }
    let codec = codec(request.is_exact);
    let context = match request.context {
        [] => None,
        bytes => match along::read(bytes) {
            Some(context) => Some(context),
            None if is_ask => {
                let why = NotRemote::There("its context can't be read".to_owned());
                return refuse(link, request.number, &why);
            }
            None => {
                tracing::warn!(
                    actor = M::Actor::NAME,
                    method = M::NAME,
                    "the context of a message from elsewhere can't be read"
                );
                return link.consume(request.frame_bytes);
            }
        },
    };
    let message = match (wire.decode)(request.args, codec) {
        Ok(message) => message,
        Err(error) if is_ask => {
            return refuse(link, request.number, &NotRemote::There(error.to_string()));
        }
        Err(error) => {
            with_runtime(|shard, _| {
                let handler = link.handler();
                handler.tell_unreadable(shard.now(), M::NAME, &error);
            });
            return link.consume(request.frame_bytes);
        }
    };
    with_runtime(|shard, runtime| {
        if !is_ask {
            bury_refused(Call::new(&core, message).maybe_context(context));
            return link.consume(request.frame_bytes);
        }
        let (number, left) = (request.number, request.left);
        let mut duty = Duty(Some((link.clone(), number)));
        let message = match run_here(shard, runtime, &core, message, left, context.as_ref()) {
            Ok(reply) => {
                // Nothing but this answer may be lost by a panic.
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    answer::<M>(link, number, codec, core.hash, reply);
                }));
                match ended {
                    Ok(()) => duty.0 = None,
                    // A payload may panic on its way out, too.
                    Err(panic) => std::mem::forget(panic),
                }
                return;
            }
            Err(message) => message,
        };
        shard.tasks().spawn_now(async move {
            let mut duty = duty;
            let mut call = Call::new(&core, message).maybe_context(context);
            if let Some(left) = left {
                call = call.timeout(left);
            }
            let reply = call.await;
            if let Some((link, number)) = &duty.0 {
                answer::<M>(link, *number, codec, core.hash, reply);
            }
            duty.0 = None;
        });
    });
}

/// The version of the table by which another node serves actors of this hash, if so.
fn moved_by<A: Actor>(hash: u64) -> Option<u64> {
    with_runtime(|shard, runtime| {
        let moved = runtime.remote()?.moved_by(hash, shard.now())?;
        // Workers are wherever they are called.
        let types = runtime.types.get::<A>(runtime).ok()?;
        (!types.pools.are_used()).then_some(moved)
    })
}

/// Whether this node has its actors still, now that a turn is over: else another may have answered
/// others meanwhile, and this answer is an old one.
fn may_answer(hash: u64) -> bool {
    with_runtime(|shard, runtime| {
        let remote = runtime.remote();
        remote.is_none_or(|remote| remote.may_answer(shard, hash))
    })
}

fn answer<M: Method>(
    link: &Rc<Link<RemoteHandler>>,
    number: u64,
    codec: Codec,
    hash: u64,
    reply: ReplyOf<M>,
) {
    let has_run = !matches!(&reply, Err(error) if error.never_ran());
    if has_run && !may_answer(hash) {
        return send_error::<()>(link, number, &CallError::Disconnected);
    }
    let reply = match reply {
        Ok(answer) => Ok(answer),
        Err(CallError::Failed(error)) => Err(error),
        Err(error) => return send_error(link, number, &error),
    };
    let Some(wire) = (const { M::WIRE }) else {
        return;
    };
    let is_exact = codec == Codec::Exact;
    let sent = link.reply::<Unsent>(number, status::ANSWERED, is_exact, |out| {
        (wire.encode_reply)(&reply, codec, out).map_err(|error| Unsent(error.to_string()))
    });
    if let Err(Unsent(why)) = sent {
        // The turn has run: it must not look as if it could be tried again.
        let why = format!("it can't be sent: {why}");
        send_error::<()>(link, number, &CallError::Unreadable(Box::new(why)));
    }
}

/// The duty to answer a call: whatever drops it (a reply whose encoding panics, a shard that ends)
/// says that the turn may have run.
struct Duty(Option<(Rc<Link<RemoteHandler>>, u64)>);

impl Drop for Duty {
    fn drop(&mut self) {
        if let Some((link, number)) = self.0.take() {
            let why = "nobody came to answer it: did its encoding panic?".to_owned();
            send_error::<()>(&link, number, &CallError::Unreadable(Box::new(why)));
        }
    }
}

/// Answers with what the engine says instead of the method.
pub(super) fn send_error<E>(link: &Rc<Link<RemoteHandler>>, number: u64, error: &CallError<E>) {
    let (status, along) = status::write(error);
    let sent = link.reply::<SendError>(number, status, false, |out| {
        out.extend_from_slice(&along);
        Ok(())
    });
    if let Err(error) = sent {
        tracing::debug!(%error, "an error could not be sent");
    }
}

/// Why a frame was not written, in words.
pub(super) struct Unsent(pub(super) String);

impl From<SendError> for Unsent {
    fn from(error: SendError) -> Self {
        Unsent(error.to_string())
    }
}

/// As a frame says it.
pub(super) fn codec(is_exact: bool) -> Codec {
    if is_exact {
        Codec::Exact
    } else {
        Codec::Tolerant
    }
}
