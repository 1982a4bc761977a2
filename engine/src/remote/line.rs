//! The line to one shard of a peer: its link, and what waits for that.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use quark_net::schema::ActorSchema;
use quark_net::session::{Protection, Session, SessionError};
use quark_net::transport::{Link, LinkError};
use quark_shards::io::TcpStream;
use quark_shards::shard::Shard;
use quark_shards::time::Time;

use super::Remote;
use super::handler::RemoteHandler;
use super::speech::Speech;
use crate::actor::Actor;
use crate::error::Refusal;
use crate::mailbox::{Letter, Mailbox, Waiting};
use crate::runtime::{Runtime, with_runtime};

/// Messages that may wait for one line.
const WAITING_MOST: usize = 4096;

/// How long a connection and its handshake may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a line rests after its first failure; twice as long after each further one.
const FIRST_REST: Duration = Duration::from_millis(10);

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Why a line can't be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LineError {
    /// Nobody answers there, or the connection broke.
    #[error("{addr} can't be reached: {why}")]
    Unreachable {
        /// Where.
        addr: SocketAddr,
        /// Why.
        why: String,
    },
    /// The peer does not let this side in, or the other way round.
    #[error("{addr} can't be talked to: {why}")]
    Refused {
        /// Where.
        addr: SocketAddr,
        /// Why.
        why: SessionError,
    },
    /// Who answered hosts no actors.
    #[error("{0} is no node: it hosts no actors")]
    NotANode(SocketAddr),
    /// There is nobody to be reached.
    #[error("this engine was given no peer")]
    NoPeer,
}

/// The line to one shard of a peer.
pub(super) struct Line {
    addr: SocketAddr,
    state: RefCell<State>,
    waiting: Mailbox,
    /// What goes before all that waits.
    first: Mailbox,
    /// How the actor types that were called by this link are spoken to, by their tokens' numbers.
    speeches: RefCell<Vec<Option<Speech>>>,
    /// Which of them the peer was asked about, and this side's idea of it.
    asked: Cell<Option<(usize, &'static ActorSchema)>>,
    /// How often it has failed in a row.
    failures: Cell<u32>,
    resting_until: Cell<Time>,
}

enum State {
    /// Nobody needs it yet, or any more.
    Idle,
    Dialing,
    Open(Rc<Link<RemoteHandler>>),
}

impl Line {
    pub(super) fn new(addr: SocketAddr) -> Self {
        Line {
            addr,
            state: RefCell::new(State::Idle),
            waiting: Mailbox::default(),
            first: Mailbox::default(),
            speeches: RefCell::default(),
            asked: Cell::new(None),
            failures: Cell::new(0),
            resting_until: Cell::new(Time::ZERO),
        }
    }

    /// The link, if messages may be sent on it.
    #[inline]
    pub(super) fn link(&self) -> Option<Rc<Link<RemoteHandler>>> {
        match &*self.state.borrow() {
            State::Open(link) if link.is_open() => Some(link.clone()),
            _ => None,
        }
    }

    /// How `A` is spoken to by its link. Asks for what is not known yet.
    pub(super) fn speech<A: Actor>(&self, link: &Link<RemoteHandler>) -> Speech {
        let place = A::token().index();
        if let Some(Some(known)) = self.speeches.borrow().get(place) {
            return known.clone();
        }
        let ours = A::token().schema::<A>();
        let way = link.with_peer(|peer| peer.way(A::NAME, ours.fingerprint()));
        let speech = match way.flatten() {
            None => Speech::Missing,
            Some(way) if way.is_exact => Speech::Same(way),
            Some(way) => {
                link.ask_schema(way.actor);
                self.asked.set(Some((place, ours)));
                Speech::Asked(way)
            }
        };
        self.set_speech(place, speech.clone());
        speech
    }

    fn set_speech(&self, place: usize, speech: Speech) {
        let mut speeches = self.speeches.borrow_mut();
        if speeches.len() <= place {
            speeches.resize(place + 1, None);
        }
        speeches[place] = Some(speech);
    }

    /// The peer has said what its type at the place `actor` looks like.
    fn learn(&self, actor: u16, schema: &[u8]) {
        let Some((place, ours)) = self.asked.get() else {
            return;
        };
        let asked = self.speeches.borrow().get(place).cloned().flatten();
        let Some(Speech::Asked(way)) = asked else {
            return;
        };
        if way.actor != actor {
            return;
        }
        self.asked.set(None);
        let speech = match ActorSchema::decode(schema) {
            Ok(theirs) => Speech::learn(way, ours, &theirs),
            Err(error) => {
                tracing::warn!(actor = ours.name(), %error, "a peer's schema can't be read");
                Speech::Missing
            }
        };
        self.set_speech(place, speech);
        self.go_on();
    }

    /// Whether others wait.
    #[inline]
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.len() + self.first.len() > 0
    }

    /// Whether a message could leave now.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.asked.get().is_none() && self.link().is_some_and(|link| link.has_room())
    }

    /// Has the message that is being sent wait before all others, until the peer has said what its
    /// type looks like.
    pub(super) fn wait_first<W: Waiting>(&self, shard: &Shard, runtime: &Runtime, message: W) {
        self.first.push(shard, &runtime.outliers, message);
    }

    /// Whether one more may.
    pub(super) fn has_place(&self) -> bool {
        self.waiting.len() < WAITING_MOST
    }

    /// Has a message wait until the line is open and has room.
    pub(super) fn wait<W: Waiting>(&self, shard: &Shard, runtime: &Runtime, message: W) {
        self.waiting.push(shard, &runtime.outliers, message);
    }

    /// It has this link now.
    pub(super) fn take(&self, link: Rc<Link<RemoteHandler>>) {
        self.failures.set(0);
        self.speeches.borrow_mut().clear();
        self.asked.set(None);
        *self.state.borrow_mut() = State::Open(link);
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn go_on(&self) {
        with_runtime(|shard, runtime| {
            while self.is_ready() {
                let Some(letter) = self.pop(runtime) else {
                    return;
                };
                letter.start(shard, runtime);
            }
        });
    }

    fn pop(&self, runtime: &Runtime) -> Option<Letter> {
        let first = self.first.pop(&runtime.outliers);
        first.or_else(|| self.waiting.pop(&runtime.outliers))
    }

    /// Whether nothing waits, and nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        !self.has_waiting()
            && match &*self.state.borrow() {
                State::Idle => true,
                State::Dialing => false,
                State::Open(link) => link.has_ended() || link.is_idle(),
            }
    }

    pub(super) fn refuse_waiting(&self, why: &Refusal) {
        with_runtime(|shard, runtime| {
            while let Some(letter) = self.pop(runtime) {
                letter.refuse(shard, runtime, why.clone());
            }
        });
    }

    /// Has the line dialed, unless it is open or under way.
    pub(super) fn wake(self: &Rc<Self>, remote: &Rc<Remote>) {
        {
            let mut state = self.state.borrow_mut();
            match &*state {
                State::Dialing => return,
                State::Open(link) if !link.has_ended() => return,
                State::Idle | State::Open(_) => *state = State::Dialing,
            }
        }
        let (line, remote) = (self.clone(), remote.clone());
        let shard = remote.shard();
        shard.spawn(async move {
            let shard = remote.shard();
            shard.sleep_until(line.resting_until.get()).await;
            match remote.connect(line.addr).await {
                Ok(link) => {
                    line.take(link);
                    line.go_on();
                }
                Err(error) => {
                    line.fail(&shard);
                    *line.state.borrow_mut() = State::Idle;
                    line.refuse_waiting(&Refusal::Unreachable(error.to_string()));
                }
            }
        });
    }

    /// Rests twice as long as the last time, but for a part that chance takes off.
    fn fail(&self, shard: &Shard) {
        let failures = self.failures.get();
        self.failures.set(failures + 1);
        let rest = FIRST_REST * 2_u32.saturating_pow(failures.min(10));
        let rest = rest.min(LONGEST_REST);
        let part = (shard.random() % 512) as u32;
        self.resting_until
            .set(shard.read_clock() + rest / 1024 * (1024 - part));
    }
}

impl Remote {
    /// A link to `addr` whose handshake is over.
    pub(super) async fn connect(
        self: &Rc<Self>,
        addr: SocketAddr,
    ) -> Result<Rc<Link<RemoteHandler>>, LineError> {
        let unreachable = |why: String| LineError::Unreachable { addr, why };
        let shard = self.shard();
        let mut limit = pin!(shard.sleep(CONNECT));
        let mut connecting = pin!(TcpStream::connect(&*shard, addr));
        let stream = poll_fn(|cx| match connecting.as_mut().poll(cx) {
            Poll::Ready(stream) => Poll::Ready(Some(stream)),
            Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
        });
        let stream = match stream.await {
            Some(stream) => stream.map_err(|error| unreachable(error.to_string()))?,
            None => return Err(unreachable("it does not answer".to_owned())),
        };
        let session = Session::dial(
            self.terms(),
            self.settings().patience,
            Protection::Plain,
            shard.unique(),
            shard.read_clock(),
        );
        let link = Link::start(shard.clone(), stream, session, self.handler.clone());
        match link.opened().await {
            Ok(()) => Ok(link),
            Err(LinkError::Session(why)) => Err(LineError::Refused { addr, why }),
            Err(why) => Err(unreachable(why.to_string())),
        }
    }

    /// The peer at the other end of `link` has said what one of its types looks like.
    pub(super) fn learn(&self, link: &Rc<Link<RemoteHandler>>, actor: u16, schema: &[u8]) {
        let lines = self.lines.borrow().clone();
        for line in &lines {
            if line.link().is_some_and(|its| Rc::ptr_eq(&its, link)) {
                line.learn(actor, schema);
            }
        }
    }

    /// Has the lines go on in which something waits.
    pub(super) fn go_on(self: &Rc<Self>) {
        if !self.lines.borrow().iter().any(|line| line.has_waiting()) {
            return;
        }
        let lines = self.lines.borrow().clone();
        for line in lines.iter().filter(|line| line.has_waiting()) {
            line.wake(self);
            line.go_on();
        }
    }
}
