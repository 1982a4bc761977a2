//! What becomes of the frames that come.

use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

use quark_net::seldom::Seldom;
use quark_net::session::{Lost, Reply, Request};
use quark_net::transport::{Handler, Link, LinkError};
use quark_shards::time::Time;

use super::incoming::{Served, send_error};
use super::outgoing::{Outcome, Ticket};
use crate::error::{CallError, NotRemote};
use crate::runtime::with_runtime;

/// Serves this shard's links, whoever has dialed them.
pub(crate) struct RemoteHandler {
    served: Arc<[Served]>,
    unreadable: Seldom,
}

impl RemoteHandler {
    pub(super) fn new(served: Arc<[Served]>) -> Self {
        RemoteHandler {
            served,
            unreadable: Seldom::default(),
        }
    }

    /// Something that a peer has said can't be read, and nobody is to be answered: it is said in the log,
    /// but not as often as it happens.
    pub(super) fn tell_unreadable(&self, now: Time, what: &'static str, error: &dyn Display) {
        if let Some(times) = self.unreadable.now(now) {
            tracing::warn!(times, what, %error, "what a peer says can't be read");
        }
    }

    /// The types that can be called from elsewhere, in the order in which peers number them.
    pub(super) fn served(&self) -> &[Served] {
        &self.served
    }

    fn take(&self, link: &Rc<Link<Self>>, request: &Request<'_>, is_ask: bool) {
        let served = self.served.get(usize::from(request.actor));
        let method = served.and_then(|served| served.methods.get(usize::from(request.method)));
        match method {
            Some(invoke) => invoke(link, request, is_ask),
            None if is_ask => refuse(link, request.number, &NotRemote::NoSuchMethod),
            None => link.consume(request.frame_bytes),
        }
    }
}

/// Answers a call whose message is not what it should be.
pub(super) fn refuse(link: &Rc<Link<RemoteHandler>>, number: u64, why: &NotRemote) {
    let why = Box::new(why.clone());
    send_error::<()>(link, number, &CallError::NotRemote(why));
}

impl Handler for RemoteHandler {
    type Ticket = Ticket;

    fn opened(&self, link: &Rc<Link<Self>>) {
        with_runtime(|_, runtime| {
            if let Some(remote) = runtime.remote() {
                remote.welcome(link);
            }
        });
    }

    fn cluster(&self, link: &Rc<Link<Self>>, message: &[u8]) {
        with_runtime(|shard, runtime| {
            if let Some(remote) = runtime.remote() {
                remote.hear_of_cluster(shard, runtime, link, message);
            }
        });
    }

    fn call(&self, link: &Rc<Link<Self>>, request: &Request<'_>) {
        self.take(link, request, true);
    }

    fn tell(&self, link: &Rc<Link<Self>>, request: &Request<'_>) {
        self.take(link, request, false);
    }

    fn reply(&self, reply: Reply<'_, Ticket>) {
        let Reply {
            ticket,
            status,
            is_exact,
            body,
        } = reply;
        ticket.settle(Outcome::Replied {
            status,
            is_exact,
            body,
        });
        go_on();
    }

    fn schema_asked(&self, link: &Rc<Link<Self>>, actor: u16) {
        if let Some(served) = self.served.get(usize::from(actor)) {
            link.tell_schema(actor, &served.schema.encode());
        }
    }

    fn schema_told(&self, link: &Rc<Link<Self>>, actor: u16, schema: &[u8]) {
        with_runtime(|_, runtime| {
            if let Some(remote) = runtime.remote() {
                remote.learn(link, actor, schema);
            }
        });
    }

    fn leaving(&self, _: &Rc<Link<Self>>) {
        go_on();
    }

    fn room(&self, _: &Rc<Link<Self>>) {
        go_on();
    }

    fn lost(&self, lost: Lost<Ticket>, why: &LinkError) {
        lost.ticket.settle(Outcome::Lost {
            was_sent: lost.was_sent,
            why,
        });
    }

    fn closed(&self, link: &Rc<Link<Self>>, why: &LinkError) {
        // Strangers can have handshakes fail as often as they like: those are told of together.
        if link.was_open() {
            tracing::debug!(%why, "a session has ended");
        }
        go_on();
        with_runtime(|_, runtime| {
            if let Some(remote) = runtime.remote() {
                remote.keep_in_touch();
            }
        });
    }
}

/// Has the shard's lines send what waits in them.
fn go_on() {
    with_runtime(|_, runtime| {
        if let Some(remote) = runtime.remote() {
            remote.go_on();
        }
    });
}
