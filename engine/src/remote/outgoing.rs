//! Messages to actors in other processes, and what becomes of them.

use std::rc::Rc;

use quark_net::session::{Outgoing, SendError};
use quark_net::transport::{Link, LinkError};
use quark_shards::calls::Deadline;
use quark_shards::shard::Shard;

use super::along;
use super::handler::RemoteHandler;
use super::incoming::codec;
use super::line::Line;
use super::moved::send_again;
use super::{Course, Remote, status};
use crate::actor::{Actor, Method};
use crate::error::{CallError, NotRemote, Refusal};
use crate::key::Key;
use crate::limits::Permit;
use crate::mailbox::Waiting;
use crate::message::{Incoming, ReplyOf, ReplyTo};
use crate::reference::Hint;
use crate::runtime::{Runtime, with_runtime};

/// Whom the reply of a call is for, and how it is read.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    reply: ReplyTo,
    settle: fn(&Shard, ReplyTo, Outcome<'_>),
}

/// What has become of a call that had left.
pub(super) enum Outcome<'a> {
    /// The other side says so.
    Replied {
        status: u16,
        is_exact: bool,
        body: &'a [u8],
    },
    /// Nobody will say.
    Lost { was_sent: bool, why: &'a LinkError },
}

impl Ticket {
    pub(super) fn settle(self, outcome: Outcome<'_>) {
        with_runtime(|shard, _| (self.settle)(shard, self.reply, outcome));
    }
}

/// A message on its way to another process.
struct Away<M: Method> {
    key: Key,
    hash: u64,
    incoming: Incoming<M>,
}

impl Remote {
    /// Sends a message to where its actor lives, or has it wait for the line to there, or until it is
    /// known who serves its slot.
    pub(crate) fn send<M: Method>(
        self: &Rc<Self>,
        shard: &Shard,
        runtime: &Runtime,
        key: Key,
        hash: u64,
        mut incoming: Incoming<M>,
    ) {
        // Where it goes, it is looked at anew.
        runtime.give_back::<M::Actor>(shard, incoming.permit);
        incoming.permit = Permit::Unasked;
        let away = Away {
            key,
            hash,
            incoming,
        };
        if self.limbo.holds(hash) {
            return self.hold(shard, runtime, hash, away);
        }
        let line = match self.course(hash, shard.now()) {
            Course::By(line) => line,
            Course::Here => return away.dispatch(shard, runtime),
            Course::Wait => return self.hold(shard, runtime, hash, away),
            Course::CutOff => return away.refuse(shard, runtime, Refusal::CutOff),
            Course::Nowhere => {
                let why = "no peer is known".to_owned();
                return away.refuse(shard, runtime, Refusal::Unreachable(why));
            }
        };
        if !line.has_waiting()
            && let Some(link) = line.ready()
        {
            return away.leave(shard, runtime, &line, &link);
        }
        if !line.has_place() {
            return away.refuse(shard, runtime, Refusal::Overloaded);
        }
        line.wait(shard, runtime, away);
        line.wake(self);
    }

    /// Has a message wait until more is known.
    pub(super) fn hold_back<M: Method>(
        self: &Rc<Self>,
        shard: &Shard,
        runtime: &Runtime,
        key: Key,
        hash: u64,
        incoming: Incoming<M>,
    ) {
        let away = Away {
            key,
            hash,
            incoming,
        };
        self.hold(shard, runtime, hash, away);
    }
}

impl<M: Method> Away<M> {
    /// Looks anew where it is to go.
    fn dispatch(self, shard: &Shard, runtime: &Runtime) {
        match runtime.types.get::<M::Actor>(runtime) {
            Ok(types) => {
                let ways = runtime.ways(shard, types);
                ways.dispatch(self.key, self.hash, self.incoming);
            }
            Err(refusal) => self.refuse(shard, runtime, refusal),
        }
    }

    /// Leaves by `line` and its link, which has room.
    fn leave(
        mut self,
        shard: &Shard,
        runtime: &Runtime,
        line: &Rc<Line>,
        link: &Rc<Link<RemoteHandler>>,
    ) {
        let Some(wire) = (const { M::WIRE }) else {
            return self.refuse(
                shard,
                runtime,
                Refusal::NotRemote(NotRemote::StaysHome {
                    actor: M::Actor::NAME,
                    method: M::NAME,
                }),
            );
        };
        let speech = line.speech::<M::Actor>(shard, link);
        let (way, method, codec) = match speech.method(M::number(), M::Actor::NAME) {
            Some(Ok(known)) => known,
            Some(Err(why)) => return self.refuse(shard, runtime, Refusal::NotRemote(why)),
            None => return line.wait_first(shard, runtime, self),
        };
        let mut along = Vec::new();
        if let Some(context) = &self.incoming.context
            && !context.is_hidden()
        {
            along::write(context, &mut along);
        }
        let message = Outgoing {
            way,
            method,
            left: left(self.incoming.deadline, shard),
            key: (&self.key).into(),
            context: &along,
        };
        let mut args = Some(self.incoming.args);
        let encode = |out: &mut bytes::BytesMut| {
            let args = args.take().expect("a frame is written once");
            (wire.encode)(args, codec, out).map_err(|error| NotSent::Encode(error.to_string()))
        };
        let reply = self.incoming.reply;
        let sent = if reply.is_ask() {
            let ticket = Ticket {
                reply,
                settle: settle::<M>,
            };
            link.call(message, ticket, encode)
        } else {
            link.tell(message, encode)
        };
        let Err(error) = sent else {
            return self.incoming.toll.pay(shard);
        };
        let refusal = match error {
            NotSent::Encode(why) => Refusal::NotRemote(NotRemote::There(why)),
            NotSent::Send(SendError::NoRoom | SendError::Closed) => Refusal::Overloaded,
            NotSent::Send(error) => Refusal::NotRemote(NotRemote::There(error.to_string())),
        };
        match args {
            Some(args) => {
                self.incoming.args = args;
                self.refuse(shard, runtime, refusal);
            }
            // What can't be written down is gone with the try.
            None => {
                self.incoming.toll.pay(shard);
                if reply.is_ask() {
                    reply.send_apart::<ReplyOf<M>>(shard, Hint::NONE, Err(refusal.into()));
                } else {
                    tracing::warn!(actor = M::Actor::NAME, method = M::NAME, %refusal, "a one-way message was not sent");
                }
            }
        }
    }
}

impl<M: Method> Waiting for Away<M> {
    const EXCLUSIVE: bool = false;

    fn start(self, shard: &Shard, runtime: &Runtime) {
        if self.incoming.deadline.is_past(shard.now()) && self.incoming.reply.is_ask() {
            return self.refuse(shard, runtime, Refusal::Timeout);
        }
        let course = runtime
            .remote()
            .map(|remote| remote.course(self.hash, shard.now()));
        if let Some(Course::By(line)) = course
            && let Some(link) = line.ready()
        {
            return self.leave(shard, runtime, &line, &link);
        }
        self.dispatch(shard, runtime);
    }

    fn refuse(mut self, shard: &Shard, runtime: &Runtime, refusal: Refusal) {
        self.incoming.toll.pay(shard);
        runtime.refuse_key(shard, self.key, self.incoming, refusal);
    }

    /// Nobody answers where it was to go: waits until more is known.
    fn forward(self, shard: &Shard, runtime: &Runtime, _: u16) {
        match runtime.remote() {
            Some(remote) => remote.hold(shard, runtime, self.hash, self),
            None => self.refuse(shard, runtime, Refusal::Stopped),
        }
    }
}

/// Brings the outcome of a call of `M` to its caller.
fn settle<M: Method>(shard: &Shard, to: ReplyTo, outcome: Outcome<'_>) {
    let reply: ReplyOf<M> = match outcome {
        Outcome::Replied {
            status: status::ANSWERED,
            is_exact,
            body,
        } => match const { M::WIRE }.map(|wire| (wire.decode_reply)(body, codec(is_exact))) {
            Some(Ok(reply)) => reply.map_err(CallError::Failed),
            // The turn ran, but nobody can tell how it ended.
            Some(Err(error)) => Err(CallError::Unreadable(Box::new(error.to_string()))),
            None => Err(CallError::Disconnected),
        },
        Outcome::Replied {
            status: status::MOVED,
            is_exact,
            body,
        } => return send_again::<M>(shard, to, is_exact, body),
        Outcome::Replied { status, body, .. } => Err(status::read(status, body)),
        Outcome::Lost { was_sent: true, .. } => Err(CallError::Disconnected),
        Outcome::Lost { why, .. } => Err(CallError::Unreachable(Box::new(why.to_string()))),
    };
    to.send(shard, Hint::NONE, reply);
}

/// How long the caller still waits.
fn left(deadline: Deadline, shard: &Shard) -> Option<std::time::Duration> {
    deadline.remaining(shard.now())
}

enum NotSent {
    Send(SendError),
    Encode(String),
}

impl From<SendError> for NotSent {
    fn from(error: SendError) -> Self {
        NotSent::Send(error)
    }
}
