use std::io::{self, BufRead, Write};
use std::rc::Rc;

use quark::tls::Tls;
use quark_net::codec::{Arguments, Codec, decode_answer};
use quark_net::frame::FrameReader;
use quark_net::session::{
    Event, FRAME_LEAST, Outgoing, Patience, Reply, Session, Terms, Way, Who, Window,
};
use quark_net::transport::Shield;
use quark_shards::slots::Key;
use quark_shards::time::Time;

use super::{LoadError, Speech};

/// The actors that are called: the workloads' counters, by their method `add`.
const ACTOR: &str = "bench.counter";
/// Which of their methods that is: they are numbered by name.
const ADD: u16 = 0;
/// The status of a call that was answered.
const ANSWERED: u16 = 0;

/// Whom sessions are opened with.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// What it is called.
    pub name: String,
    /// By which certificates it is spoken to, and what its own say; in plain text without.
    pub tls: Option<(Tls, String)>,
}

/// Quark's sessions, as its clients have them.
pub struct Sessions {
    session: Session<u64>,
    frames: FrameReader,
    shield: Shield,
    way: Option<Way>,
}

impl Sessions {
    /// One to be opened at `now`. `salt` is drawn by chance.
    ///
    /// # Errors
    ///
    /// [`LoadError::Tls`].
    pub fn dial(cluster: &Cluster, salt: u64, now: u64) -> Result<Self, LoadError> {
        let shield = match &cluster.tls {
            None => Shield::Plain,
            Some((tls, name)) => tls.dial(name)?,
        };
        let terms = Terms {
            cluster: cluster.name.clone(),
            who: Who::Client,
            epoch: 0,
            actors: Vec::new(),
            window: Window::default(),
            max_frame: FRAME_LEAST,
        };
        let session = Session::dial(
            Rc::new(terms),
            Patience::default(),
            shield.protection(),
            salt,
            Time::from_nanos(now),
        );
        Ok(Sessions {
            frames: FrameReader::new(session.integrity(), session.frame_most()),
            session,
            shield,
            way: None,
        })
    }
}

impl Speech for Sessions {
    fn is_open(&self) -> bool {
        self.way.is_some()
    }

    #[inline]
    fn ask(&mut self, key: u64, now: u64) -> Result<(), LoadError> {
        let message = Outgoing {
            way: self.way.ok_or(LoadError::NoSuchActor(ACTOR))?,
            method: ADD,
            left: Some(PATIENCE),
            key: Key::Int(key),
            context: &[],
        };
        self.session.call(message, now, |out| {
            (1_u64,).encode_arguments(&["more"], Codec::Exact, out)?;
            Ok(())
        })
    }

    #[inline]
    fn hear(
        &mut self,
        mut bytes: &[u8],
        now: u64,
        mut answered: impl FnMut(u64),
    ) -> Result<(), LoadError> {
        let Sessions {
            session,
            frames,
            shield,
            way,
        } = self;
        let mut take = |plain: &[u8]| take_in(session, frames, way, plain, now, &mut answered);
        let Shield::Tls(connection) = shield else {
            return take(bytes);
        };
        while !bytes.is_empty() {
            connection.read_tls(&mut bytes)?;
            connection.process_new_packets()?;
            let mut reader = connection.reader();
            loop {
                let plain = match reader.fill_buf() {
                    Ok([]) => return Err(LoadError::Closed),
                    Ok(plain) => plain,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                let length = plain.len();
                take(plain)?;
                reader.consume(length);
            }
        }
        Ok(())
    }

    #[inline]
    fn say(&mut self, out: &mut Vec<u8>) -> Result<(), LoadError> {
        let plain = self.session.take_outgoing(usize::MAX);
        match &mut self.shield {
            Shield::Plain => out.extend_from_slice(&plain),
            Shield::Tls(connection) => {
                connection.writer().write_all(&plain)?;
                while connection.wants_write() {
                    connection.write_tls(out)?;
                }
            }
        }
        Ok(())
    }
}

/// How long a call waits, as clients' calls do.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

#[inline]
fn take_in(
    session: &mut Session<u64>,
    frames: &mut FrameReader,
    way: &mut Option<Way>,
    mut plain: &[u8],
    now: u64,
    mut answered: impl FnMut(u64),
) -> Result<(), LoadError> {
    while let Some(frame) = frames.next(&mut plain)? {
        match session.receive(frame, Time::from_nanos(now))? {
            Event::Reply(Reply {
                ticket,
                status: ANSWERED,
                is_exact: true,
                body,
            }) => {
                // Whatever it is: the counters are everybody's.
                let _: u64 = decode_answer(body, Codec::Exact)?;
                answered(ticket);
            }
            Event::Reply(reply) => return Err(LoadError::Refused(reply.status)),
            Event::Opened => {
                let offers = session.peer().map(|peer| &peer.terms.actors);
                let offer = offers.and_then(|all| all.iter().find(|offer| offer.name == ACTOR));
                // It is this program's own actor: there is no other idea of it.
                let exact = offer.map(|offer| offer.fingerprint);
                *way = exact.and_then(|exact| session.peer()?.way(ACTOR, exact));
                if way.is_none() {
                    return Err(LoadError::NoSuchActor(ACTOR));
                }
                frames.set_integrity(session.integrity());
                frames.set_most(session.frame_most());
            }
            Event::Leaving => return Err(LoadError::Closed),
            _ => {}
        }
    }
    Ok(())
}
