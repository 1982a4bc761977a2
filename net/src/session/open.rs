use std::collections::BTreeMap;

use super::{Event, Phase, REFUSAL_MOST, Session, SessionError, Terms};
use crate::frame::{Frame, Integrity, Kind};
use crate::session::asked::Asked;
use crate::session::room::Room;

/// The other side of an open session.
#[derive(Debug)]
pub struct Peer {
    /// What it says of itself.
    pub terms: Terms,
    /// The places of its actor types, by their names.
    places: BTreeMap<String, u16>,
    /// Bytes that all this takes, about.
    size: u64,
}

/// Bytes that an actor type of a peer takes beside its name, which is kept twice.
const OFFER_BYTES: usize = 128;

/// How an actor type is spoken to at a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The type's place in the peer's list.
    pub actor: u16,
    /// Both sides have the same idea of it.
    pub is_exact: bool,
}

impl Peer {
    fn new(terms: Terms) -> Self {
        let names = terms.actors.iter().map(|offer| offer.name.clone());
        let sizes = terms.actors.iter();
        let sizes = sizes.map(|offer| 2 * offer.name.len() + OFFER_BYTES);
        Peer {
            places: names.zip(0..).collect(),
            size: sizes.sum::<usize>() as u64,
            terms,
        }
    }

    /// Bytes that what it says of itself takes, about.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How the peer's type of this name is spoken to, by a side that has another idea of it unless
    /// the fingerprints are the same; nothing if the peer doesn't have it.
    #[must_use]
    pub fn way(&self, name: &str, fingerprint: u64) -> Option<Way> {
        let place = *self.places.get(name)?;
        Some(Way {
            actor: place,
            is_exact: self.terms.actors[usize::from(place)].fingerprint == fingerprint,
        })
    }
}

impl<T> Session<T> {
    /// Bytes that the peer has this side keep: of its messages that are not dealt with, of what waits
    /// to be sent, and of what it says of itself.
    #[must_use]
    pub fn held(&self) -> u64 {
        let introduced = self.peer().map_or(0, Peer::size);
        let waiting = self.theirs.bytes() - self.consumed.1;
        waiting + self.out.len() as u64 + introduced
    }

    pub(super) fn introduce(&mut self, kind: Kind) {
        let mut body = Vec::new();
        self.terms.write(self.salt, &mut body);
        self.write(kind, &body);
    }

    /// A frame before the session is open.
    pub(super) fn shake_hands<'f>(
        &mut self,
        frame: Frame<'f>,
    ) -> Result<Event<'f, T>, SessionError> {
        let kind = frame.header.kind;
        match (&self.phase, kind) {
            (Phase::Accepted, Kind::Hello) => {
                let (terms, salt) = self.introduced(frame)?;
                if terms.cluster != self.terms.cluster {
                    self.refuse(&format!("this is the cluster \"{}\"", self.terms.cluster));
                    return Err(self.wrong_cluster(terms));
                }
                // The welcome is the last that goes without the salt.
                self.introduce(Kind::Welcome);
                self.open(terms, salt, self.salt);
                Ok(Event::Opened)
            }
            (Phase::Dialed, Kind::Welcome) => {
                let (terms, salt) = self.introduced(frame)?;
                if terms.cluster != self.terms.cluster {
                    return Err(self.wrong_cluster(terms));
                }
                self.open(terms, self.salt, salt);
                Ok(Event::Opened)
            }
            (Phase::Dialed, Kind::Refused) => {
                let words = &frame.body[..frame.body.len().min(REFUSAL_MOST)];
                self.phase = Phase::Closed;
                Err(SessionError::Refused(
                    String::from_utf8_lossy(words).into_owned(),
                ))
            }
            _ => Err(SessionError::OutOfTurn(kind)),
        }
    }

    fn introduced(&self, frame: Frame<'_>) -> Result<(Terms, u64), SessionError> {
        Terms::read(frame.body).map_err(SessionError::malformed(frame.header.kind))
    }

    fn open(&mut self, theirs: Terms, dialers: u64, acceptors: u64) {
        if let Integrity::Checksum { salt } = &mut self.integrity {
            let half = crc32c::crc32c(&dialers.to_le_bytes());
            *salt = crc32c::crc32c_append(half, &acceptors.to_le_bytes());
        }
        self.room = Room::new(theirs.window);
        self.asked = Asked::new(theirs.window.messages);
        self.phase = Phase::Open(Box::new(Peer::new(theirs)));
    }

    fn wrong_cluster(&self, theirs: Terms) -> SessionError {
        SessionError::WrongCluster {
            ours: self.terms.cluster.clone(),
            theirs: theirs.cluster,
        }
    }
}
