//! What a session makes of the frames that come.

use std::time::Duration;

use quark_shards::time::Time;

use super::{
    CONTEXT, EXACT, Event, Phase, Reply, Request, SCHEMAS_MOST, Session, SessionError, TOLD,
};
use crate::frame::{Frame, Header, Kind};
use crate::message::read_message;

impl<T> Session<T> {
    /// Takes a frame in.
    ///
    /// # Errors
    /// [`SessionError`]: what is written by then is to be sent, and the connection closed.
    #[inline]
    pub fn receive<'f>(
        &mut self,
        frame: Frame<'f>,
        now: Time,
    ) -> Result<Event<'f, T>, SessionError> {
        match frame.header.kind {
            Kind::Call => self.receive_call(frame, now).map(Event::Call),
            Kind::Reply => self.receive_reply(frame, now).map(Event::Reply),
            _ => self.receive_other(frame, now),
        }
    }

    /// [`receive`](Self::receive) for a frame that is a call. Those that have many of them go by this, where
    /// it stays in registers: what is put together in memory by halves and moved on as a whole
    /// costs several nanoseconds each time.
    ///
    /// # Errors
    /// As there; also if it is no call.
    #[inline(always)]
    pub fn receive_call<'f>(
        &mut self,
        frame: Frame<'f>,
        now: Time,
    ) -> Result<Request<'f>, SessionError> {
        self.hear(now);
        if self.peer().is_none() || frame.header.kind != Kind::Call {
            return Err(SessionError::OutOfTurn(frame.header.kind));
        }
        let request = self.request(frame)?;
        if !self.theirs.is_free() {
            return Err(SessionError::Flood("calls"));
        }
        if !self.serving.insert(request.number, request.frame_bytes) {
            return Err(SessionError::WrongCall(request.number));
        }
        self.theirs.take(request.frame_bytes);
        Ok(request)
    }

    /// [`receive`](Self::receive) for a frame that is a reply.
    ///
    /// # Errors
    /// As there; also if it is no reply.
    #[inline(always)]
    pub fn receive_reply<'f>(
        &mut self,
        frame: Frame<'f>,
        now: Time,
    ) -> Result<Reply<'f, T>, SessionError> {
        self.hear(now);
        let header = frame.header;
        if self.peer().is_none() || header.kind != Kind::Reply {
            return Err(SessionError::OutOfTurn(header.kind));
        }
        let call = self
            .asked
            .remove(header.call)
            .ok_or(SessionError::WrongCall(header.call))?;
        self.room.give_back(1, call.bytes.into());
        Ok(Reply {
            ticket: call.ticket,
            status: header.actor,
            is_exact: header.flags & EXACT != 0,
            body: frame.body,
        })
    }

    fn receive_other<'f>(
        &mut self,
        frame: Frame<'f>,
        now: Time,
    ) -> Result<Event<'f, T>, SessionError> {
        self.hear(now);
        let header = frame.header;
        if self.peer().is_none() {
            return self.shake_hands(frame);
        }
        match header.kind {
            Kind::Tell => {
                let request = self.request(frame)?;
                if !self.theirs.is_free() {
                    return Err(SessionError::Flood("one-way messages"));
                }
                self.theirs.take(request.frame_bytes);
                Ok(Event::Tell(request))
            }
            Kind::Credit => {
                // As many messages as bytes could be: both were counted by this side.
                let messages = u32::from(header.actor) << 16 | u32::from(header.method);
                if !self.room.give_back(messages, header.call) {
                    return Err(SessionError::Flood("credit"));
                }
                Ok(Event::Room)
            }
            Kind::Ping => {
                self.write_bare(Header::of(Kind::Pong));
                Ok(Event::Nothing)
            }
            Kind::Pong => Ok(Event::Nothing),
            Kind::Goodbye if header.flags & TOLD != 0 => {
                self.is_obeyed = true;
                Ok(Event::Nothing)
            }
            Kind::Goodbye => {
                // Behind all that was sent before: nothing more comes.
                self.write_bare(Header {
                    flags: TOLD,
                    ..Header::of(Kind::Goodbye)
                });
                self.phase = match std::mem::replace(&mut self.phase, Phase::Closed) {
                    Phase::Open(peer) | Phase::Leaving(peer) => Phase::Leaving(peer),
                    other => other,
                };
                Ok(Event::Leaving)
            }
            Kind::Schema if header.flags & TOLD != 0 => Ok(Event::SchemaTold {
                actor: header.actor,
                body: frame.body,
            }),
            Kind::Schema => {
                self.check_actor(header.actor)?;
                // Each costs its asker nothing and this side much.
                self.schemas_told += 1;
                if self.schemas_told > SCHEMAS_MOST {
                    return Err(SessionError::Flood("questions about schemas"));
                }
                Ok(Event::SchemaAsked(header.actor))
            }
            Kind::Cluster if self.peer().is_some_and(|peer| peer.terms.is_node()) => {
                Ok(Event::Cluster(frame.body))
            }
            Kind::Cluster
            | Kind::Hello
            | Kind::Welcome
            | Kind::Refused
            | Kind::Call
            | Kind::Reply => Err(SessionError::OutOfTurn(header.kind)),
        }
    }

    #[inline(always)]
    fn request<'f>(&self, frame: Frame<'f>) -> Result<Request<'f>, SessionError> {
        let header = frame.header;
        self.check_actor(header.actor)?;
        let has_context = header.flags & CONTEXT != 0;
        let (parts, args) =
            read_message(frame.body, has_context).map_err(SessionError::malformed(header.kind))?;
        Ok(Request {
            number: header.call,
            frame_bytes: frame.len(self.integrity),
            left: header
                .left_us
                .map(|left| Duration::from_micros(left.into())),
            actor: header.actor,
            method: header.method,
            is_exact: header.flags & EXACT != 0,
            key: parts.key,
            context: parts.context,
            args,
        })
    }

    fn check_actor(&self, index: u16) -> Result<(), SessionError> {
        let has = self.terms.actors.len();
        if usize::from(index) < has {
            return Ok(());
        }
        Err(SessionError::WrongIndex {
            what: "actor type",
            index,
            has,
        })
    }
}
