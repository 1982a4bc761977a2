//! A session between two sides, without its connection: frames in, frames out, and what time does.
//!
//! The dialer says [`Hello`](Kind::Hello), the acceptor answers with [`Welcome`](Kind::Welcome) or
//! [`Refused`](Kind::Refused); from then on both may call and tell. What is under way is bounded
//! by the [`Window`] that each side gave: a reply gives its call's room back, a
//! [`Credit`](Kind::Credit) that of one-way messages.

mod asked;
mod error;
mod event;
mod open;
mod receive;
mod room;
mod serving;
mod terms;

use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use quark_shards::time::Time;

use self::asked::{Asked, AskedCall};
pub use self::error::{SendError, SessionError};
pub use self::event::{Event, Lost, Outgoing, Reply, Request};
pub use self::open::{Peer, Way};
use self::room::Room;
use self::serving::Serving;
pub use self::terms::{
    ACTORS_MOST, FRAME_LEAST, NAME_MOST, Node, Offer, SHARDS_MOST, Terms, Who, Window,
};
use crate::frame::{FrameError, Header, Integrity, Kind, write_frame};
use crate::message::{MessageParts, fits, write_message};

/// The longest frame before a session is open, in bytes behind the length; and of those that are
/// about the session itself.
pub const HANDSHAKE_FRAME_MOST: u32 = FRAME_LEAST;

/// Questions about schemas whose answers have not left, at most.
const SCHEMAS_MOST: u32 = 16;

/// The longest refusal that is read, in bytes.
const REFUSAL_MOST: usize = 1024;

/// How long a session waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the handshake's end.
    pub handshake: Duration,
    /// Until it asks a silent peer whether it is there.
    pub ping: Duration,
    /// Until it gives a silent peer up.
    pub silence: Duration,
}

impl Patience {
    /// How long after it was asked a silent peer is given up.
    fn after_ping(&self) -> Duration {
        self.silence.saturating_sub(self.ping)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            handshake: Duration::from_secs(5),
            ping: Duration::from_secs(2),
            silence: Duration::from_secs(10),
        }
    }
}

/// One side of a session. `T` is what its calls are remembered by.
pub struct Session<T> {
    terms: Rc<Terms>,
    patience: Patience,
    phase: Phase,
    /// This side's part of the salt.
    salt: u64,
    integrity: Integrity,
    /// What has been written and not been taken.
    out: BytesMut,
    /// Bytes ever written.
    written: u64,
    /// What this side has under way.
    room: Room,
    asked: Asked<T>,
    /// What the peer has under way.
    theirs: Room,
    serving: Serving,
    /// One-way messages that are dealt with and not credited: how many, and their bytes.
    consumed: (u32, u64),
    began: Time,
    heard: Time,
    /// When the silent peer was asked whether it is there.
    pinged: Option<Time>,
    /// Schemas told that have not left.
    schemas_told: u32,
    /// The peer sends no more messages.
    is_obeyed: bool,
}

enum Phase {
    /// Has dialed, and waits for the answer.
    Dialed,
    /// Waits for the dialer's first.
    Accepted,
    Open(Box<Peer>),
    /// The peer wants no more messages, but answers.
    Leaving(Box<Peer>),
    /// It has said or been told why not.
    Closed,
}

impl<T> Session<T> {
    /// The side that has connected. `salt` is drawn by chance; `protection` says whether the
    /// connection itself keeps what is sent from harm (TLS).
    #[must_use]
    pub fn dial(
        terms: Rc<Terms>,
        patience: Patience,
        protection: Protection,
        salt: u64,
        now: Time,
    ) -> Self {
        let mut session = Session::new(terms, patience, protection, salt, now, Phase::Dialed);
        session.introduce(Kind::Hello);
        session
    }

    /// The side that was connected to.
    #[must_use]
    pub fn accept(
        terms: Rc<Terms>,
        patience: Patience,
        protection: Protection,
        salt: u64,
        now: Time,
    ) -> Self {
        Session::new(terms, patience, protection, salt, now, Phase::Accepted)
    }

    fn new(
        terms: Rc<Terms>,
        patience: Patience,
        protection: Protection,
        salt: u64,
        now: Time,
        phase: Phase,
    ) -> Self {
        let nothing = Window {
            messages: 0,
            bytes: 0,
        };
        Session {
            patience,
            phase,
            salt,
            integrity: match protection {
                Protection::Plain => Integrity::Checksum { salt: 0 },
                Protection::Tls => Integrity::Connection,
            },
            out: BytesMut::new(),
            written: 0,
            room: Room::new(nothing),
            asked: Asked::new(0),
            theirs: Room::new(terms.window),
            serving: Serving::new(terms.window.messages),
            consumed: (0, 0),
            began: now,
            heard: now,
            pinged: None,
            schemas_told: 0,
            is_obeyed: false,
            terms,
        }
    }

    /// What keeps frames whole, for whoever reads them.
    #[must_use]
    pub fn integrity(&self) -> Integrity {
        self.integrity
    }

    /// The longest frame that this side reads just now.
    #[must_use]
    pub fn frame_most(&self) -> u32 {
        if self.peer().is_some() {
            self.terms.max_frame
        } else {
            HANDSHAKE_FRAME_MOST
        }
    }

    /// The other side, once the session is open.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        match &self.phase {
            Phase::Open(peer) | Phase::Leaving(peer) => Some(peer),
            _ => None,
        }
    }

    /// Whether messages may be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Whether one more message of any size may be sent now.
    #[must_use]
    #[inline]
    pub fn has_room(&self) -> bool {
        self.is_open() && self.room.is_free() && self.asked.has_place()
    }

    /// Something of the peer was noticed, be it half a frame, or that it takes what it is sent.
    #[inline]
    pub fn hear(&mut self, now: Time) {
        self.heard = now;
        self.pinged = None;
    }

    /// Calls. `args` appends the arguments, encoded as the way says.
    ///
    /// # Errors
    /// [`SendError`], or what `args` says; nothing was written then.
    #[inline]
    pub fn call<E: From<SendError>>(
        &mut self,
        message: Outgoing<'_>,
        ticket: T,
        args: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.is_open() {
            return Err(SendError::Closed.into());
        }
        if !self.room.is_free() {
            return Err(SendError::NoRoom.into());
        }
        let number = self.asked.next().ok_or(SendError::NoRoom)?;
        let bytes = self.send(Kind::Call, number, message, args)?;
        self.asked.insert(AskedCall {
            ticket,
            bytes,
            ends_at: self.written,
        });
        Ok(())
    }

    /// Sends a one-way message.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    #[inline]
    pub fn tell<E: From<SendError>>(
        &mut self,
        message: Outgoing<'_>,
        args: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.is_open() {
            return Err(SendError::Closed.into());
        }
        if !self.room.is_free() {
            return Err(SendError::NoRoom.into());
        }
        self.send(Kind::Tell, 0, message, args)?;
        Ok(())
    }

    /// Answers the peer's call `number`. One that the peer has not under way is ignored: its
    /// session may have been another.
    ///
    /// # Errors
    /// What `body` says, or that it has become too long: the call is to be answered otherwise.
    #[inline]
    pub fn reply<E: From<SendError>>(
        &mut self,
        number: u64,
        status: u16,
        is_exact: bool,
        body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let (Some(peer), Some(bytes)) = (self.peer(), self.serving.bytes(number)) else {
            return Ok(());
        };
        let most = peer.terms.max_frame;
        let header = Header {
            flags: if is_exact { EXACT } else { 0 },
            call: number,
            actor: status,
            ..Header::of(Kind::Reply)
        };
        let start = self.out.len();
        let failed = write_frame(&mut self.out, header, self.integrity, most, |out| {
            body(out).map_err(Failed::Above)
        });
        self.written += (self.out.len() - start) as u64;
        failed.map_err(Failed::into_above)?;
        self.serving.remove(number);
        self.theirs.give_back(1, bytes.into());
        Ok(())
    }

    /// The one-way message whose frame had so many bytes is dealt with: the peer may send another
    /// in its place.
    pub fn consume(&mut self, frame_bytes: u32) {
        self.consumed.0 += 1;
        self.consumed.1 += u64::from(frame_bytes);
        let window = self.theirs.window();
        if self.consumed.0 >= window.messages.div_ceil(4)
            || self.consumed.1 >= u64::from(window.bytes / 4)
        {
            let (messages, bytes) = std::mem::take(&mut self.consumed);
            self.theirs.give_back(messages, bytes);
            self.write_bare(Header {
                call: bytes,
                actor: (messages >> 16) as u16,
                method: messages as u16,
                ..Header::of(Kind::Credit)
            });
        }
    }

    /// Asks what the peer's type at this place looks like.
    pub fn ask_schema(&mut self, actor: u16) {
        if self.peer().is_some() {
            self.write_bare(Header {
                actor,
                ..Header::of(Kind::Schema)
            });
        }
    }

    /// Tells what this side's type at this place looks like; `schema` has no more bytes than
    /// [any schema](crate::schema::ActorSchema::encode).
    pub fn tell_schema(&mut self, actor: u16, schema: &[u8]) {
        if self.peer().is_some() {
            let header = Header {
                flags: TOLD,
                actor,
                ..Header::of(Kind::Schema)
            };
            self.write_with(header, schema);
        }
    }

    /// Says something about the cluster: as [`Message::write`](crate::cluster::Message::write) has
    /// written it. Nothing is said by clients.
    pub fn say_of_cluster(&mut self, message: &[u8]) {
        if self.terms.is_node() && self.peer().is_some() {
            self.write(Kind::Cluster, message);
        }
    }

    /// Takes no more messages, and tells the peer. What is under way will be answered.
    pub fn say_goodbye(&mut self) {
        if self.peer().is_some() {
            self.write_bare(Header::of(Kind::Goodbye));
        }
    }

    /// Whether the peer has heard the goodbye, so that no messages come any more.
    #[must_use]
    pub fn is_obeyed(&self) -> bool {
        self.is_obeyed
    }

    /// Ends a handshake with the reason in words.
    pub fn refuse(&mut self, why: &str) {
        let most = why.floor_char_boundary(REFUSAL_MOST);
        let mut body = Vec::new();
        body.extend_from_slice(&why.as_bytes()[..most]);
        self.write(Kind::Refused, &body);
        self.phase = Phase::Closed;
    }

    /// Does what is due.
    ///
    /// # Errors
    /// If the peer has been silent, or in its handshake, for too long.
    pub fn tick(&mut self, now: Time) -> Result<(), SessionError> {
        if self.peer().is_none() {
            if now >= self.began + self.patience.handshake {
                return Err(SessionError::SlowHandshake);
            }
        } else if let Some(pinged) = self.pinged {
            if now >= pinged + self.patience.after_ping() {
                return Err(SessionError::Silent { since: self.heard });
            }
        } else if now >= self.heard + self.patience.ping {
            // However long nobody looked: it is asked first.
            self.pinged = Some(now);
            self.write_bare(Header::of(Kind::Ping));
        }
        Ok(())
    }

    /// When [`tick`](Self::tick) is to be called next.
    #[must_use]
    pub fn next_tick(&self) -> Time {
        if self.peer().is_none() {
            self.began + self.patience.handshake
        } else if let Some(pinged) = self.pinged {
            pinged + self.patience.after_ping()
        } else {
            self.heard + self.patience.ping
        }
    }

    /// What is to be sent next, at most so many bytes; it counts as sent now.
    #[must_use]
    #[inline]
    pub fn take_outgoing(&mut self, most: usize) -> BytesMut {
        let taken = self.out.split_to(self.out.len().min(most));
        if self.out.is_empty() {
            self.schemas_told = 0;
        }
        taken
    }

    /// Bytes written and not taken.
    #[must_use]
    #[inline]
    pub fn outgoing_len(&self) -> usize {
        self.out.len()
    }

    /// The peer's calls that wait for this side's answers.
    #[must_use]
    pub fn serving(&self) -> usize {
        self.serving.len()
    }

    /// This side's calls that wait for the peer's answers.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.len()
    }

    /// Ends the session: these calls will have no replies.
    pub fn lose(&mut self) -> impl Iterator<Item = Lost<T>> + use<T> {
        self.phase = Phase::Closed;
        let taken = self.written - self.out.len() as u64;
        self.out.clear();
        self.asked.drain().map(move |call| Lost {
            // A frame that has begun to leave may be there whole.
            was_sent: call.ends_at - u64::from(call.bytes) < taken,
            ticket: call.ticket,
        })
    }

    #[inline]
    fn send<E: From<SendError>>(
        &mut self,
        kind: Kind,
        number: u64,
        message: Outgoing<'_>,
        args: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<u32, E> {
        if !fits(message.key, message.context) {
            return Err(SendError::TooLong.into());
        }
        let most = self.peer().map_or(0, |peer| peer.terms.max_frame);
        let mut flags = if message.way.is_exact { EXACT } else { 0 };
        if !message.context.is_empty() {
            flags |= CONTEXT;
        }
        let header = Header {
            kind,
            flags,
            call: number,
            left_us: message.left.map(micros),
            actor: message.way.actor,
            method: message.method,
        };
        let parts = MessageParts {
            context: message.context,
            key: message.key,
        };
        let bytes = write_frame(&mut self.out, header, self.integrity, most, |out| {
            write_message(out, parts);
            args(out).map_err(Failed::Above)
        });
        let bytes = bytes.map_err(Failed::into_above)? as u32;
        self.written += u64::from(bytes);
        self.room.take(bytes);
        Ok(bytes)
    }

    /// Writes a frame without a body.
    fn write_bare(&mut self, header: Header) {
        self.write_with(header, &[]);
    }

    fn write(&mut self, kind: Kind, body: &[u8]) {
        self.write_with(Header::of(kind), body);
    }

    fn write_with(&mut self, header: Header, body: &[u8]) {
        let written = write_frame::<FrameError>(
            &mut self.out,
            header,
            self.integrity,
            HANDSHAKE_FRAME_MOST,
            |out| {
                out.extend_from_slice(body);
                Ok(())
            },
        );
        self.written += written.expect("what a side says of itself is checked at launch") as u64;
    }
}

/// Whether a connection keeps what is sent from harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It does not: frames carry checksums, and anyone may listen.
    Plain,
    /// It does, by TLS.
    Tls,
}

/// The arguments or the answer are encoded by the exact codec.
const EXACT: u16 = 1;

/// There is a context.
const CONTEXT: u16 = 2;

/// A schema is told, not asked for; a goodbye was heard, not said.
const TOLD: u16 = 4;

/// Why a frame was not written.
enum Failed<E> {
    Frame(FrameError),
    Above(E),
}

impl<E> From<FrameError> for Failed<E> {
    fn from(error: FrameError) -> Self {
        Failed::Frame(error)
    }
}

impl<E: From<SendError>> Failed<E> {
    fn into_above(self) -> E {
        match self {
            Failed::Frame(error) => E::from(SendError::Frame(error)),
            Failed::Above(error) => error,
        }
    }
}

/// As a frame carries it: at most the longest that is a deadline at all.
fn micros(left: Duration) -> u32 {
    u32::try_from(left.as_micros()).map_or(u32::MAX - 1, |left| left.min(u32::MAX - 1))
}

#[cfg(test)]
mod tests;
