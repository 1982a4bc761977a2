//! What goes into a session and what comes out of it.

use std::time::Duration;

use quark_shards::slots::Key;

use super::Way;

/// What a frame comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'f, T> {
    /// Nothing for anybody else.
    Nothing,
    /// The handshake is over; the reader of frames needs [`integrity`](super::Session::integrity) now.
    Opened,
    /// The peer waits for an answer: [`reply`](super::Session::reply).
    Call(Request<'f>),
    /// The peer doesn't: [`consume`](super::Session::consume) it.
    Tell(Request<'f>),
    /// What became of a call.
    Reply(Reply<'f, T>),
    /// The peer wants to know what this side's type at this place looks like:
    /// [`tell_schema`](super::Session::tell_schema).
    SchemaAsked(u16),
    /// What the peer's type at this place looks like.
    SchemaTold {
        /// The type's place in the peer's list.
        actor: u16,
        /// Its schema, as it is encoded.
        body: &'f [u8],
    },
    /// A node says this about the cluster: see [`cluster`](crate::cluster).
    Cluster(&'f [u8]),
    /// There is room for more.
    Room,
    /// The peer takes no more messages. What is under way will be answered.
    Leaving,
}

/// A message that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'f> {
    /// What [`reply`](super::Session::reply) names; means nothing for a one-way message.
    pub number: u64,
    /// Bytes of its frame.
    pub frame_bytes: u32,
    /// How long its sender waits.
    pub left: Option<Duration>,
    /// Its actor's type: the place in this side's [`Terms::actors`](super::Terms::actors).
    pub actor: u16,
    /// Which of its methods.
    pub method: u16,
    /// Whether its arguments are encoded by the exact codec.
    pub is_exact: bool,
    /// Which actor.
    pub key: Key<'f>,
    /// What goes along with it; the engine's own.
    pub context: &'f [u8],
    /// The arguments.
    pub args: &'f [u8],
}

/// What became of a call, as the peer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'f, T> {
    /// What the call is remembered by.
    pub ticket: T,
    /// Zero if it was answered; else as those above say.
    pub status: u16,
    /// How the body is encoded.
    pub is_exact: bool,
    /// The answer.
    pub body: &'f [u8],
}

/// A message to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'m> {
    /// Which type of the peer's, and how it is spoken to: from [`Peer::way`](super::Peer::way).
    pub way: Way,
    /// The peer's number for the method.
    pub method: u16,
    /// How long the sender waits.
    pub left: Option<Duration>,
    /// Which actor.
    pub key: Key<'m>,
    /// What goes along with it; the engine's own. At most 64 KiB.
    pub context: &'m [u8],
}

/// A call whose reply will not come any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost<T> {
    /// What it is remembered by.
    pub ticket: T,
    /// Whether any of it may have reached the peer; if not, it can be sent elsewhere.
    pub was_sent: bool,
}
