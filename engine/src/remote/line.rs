//! The line to one shard of a peer: its link, and what waits for that.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use quark_net::schema::ActorSchema;
use quark_net::session::{Session, SessionError, Who};
use quark_net::tls::TlsError;
use quark_net::transport::{Link, LinkError, Shield};
use quark_shards::io::TcpStream;
use quark_shards::shard::Shard;
use quark_shards::time::Time;

use super::Remote;
use super::handler::RemoteHandler;
use super::lines::Identity;
use super::speech::Speech;
use crate::actor::Actor;
use crate::error::Refusal;
use crate::mailbox::{Letter, Mailbox, Waiting};
use crate::runtime::{Runtime, with_runtime};

/// Messages that may wait for one line.
const WAITING_MOST: usize = 4096;

/// How long a connection may take, without its handshake.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a peer may take to say what one of its types looks like.
const ANSWER: Duration = Duration::from_secs(3);

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
    /// Another process answers there than the cluster's table says.
    #[error(
        "at {addr} answers another process than the cluster's table says: it may have been started again"
    )]
    SomebodyElse {
        /// Where.
        addr: SocketAddr,
    },
    /// The two nodes would not agree where actors live.
    #[error("{addr} places keys by another seed: give all nodes of a cluster the same (.seed(…))")]
    OtherSeed {
        /// Where.
        addr: SocketAddr,
    },
    /// Who answered hosts no actors.
    #[error("{0} is no node: it hosts no actors")]
    NotANode(SocketAddr),
    /// Its certificates can't be used.
    #[error(transparent)]
    Tls(Arc<TlsError>),
    /// There is nobody to be reached.
    #[error("this engine was given no peer")]
    NoPeer,
}

/// The line to one shard of a peer.
pub(super) struct Line {
    addr: SocketAddr,
    /// Who has to answer there.
    who: Option<Identity>,
    state: RefCell<State>,
    waiting: Mailbox,
    /// What goes before all that waits.
    first: Mailbox,
    /// How the actor types that were called by this link are spoken to, by their tokens' numbers.
    speeches: RefCell<Vec<Option<Speech>>>,
    /// Which of them the peer was asked about, and this side's idea of it.
    asked: Cell<Option<(usize, &'static ActorSchema)>>,
    /// Questions so far.
    questions: Cell<u64>,
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
    pub(super) fn new(addr: SocketAddr, who: Option<Identity>) -> Self {
        Line {
            addr,
            who,
            state: RefCell::new(State::Idle),
            waiting: Mailbox::default(),
            first: Mailbox::default(),
            speeches: RefCell::default(),
            asked: Cell::new(None),
            questions: Cell::new(0),
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
    pub(super) fn speech<A: Actor>(
        self: &Rc<Self>,
        shard: &Shard,
        link: &Rc<Link<RemoteHandler>>,
    ) -> Speech {
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
                self.wait_for_answer(shard, link.clone());
                Speech::Asked(way)
            }
        };
        self.set_speech(place, speech.clone());
        speech
    }

    /// All that the line carries waits for the answer: a peer that gives none is not to be kept.
    fn wait_for_answer(self: &Rc<Self>, shard: &Shard, link: Rc<Link<RemoteHandler>>) {
        let question = self.questions.get() + 1;
        self.questions.set(question);
        let (line, limit) = (self.clone(), shard.sleep(ANSWER));
        shard.spawn(async move {
            limit.await;
            if line.asked.get().is_some() && line.questions.get() == question {
                tracing::warn!(peer = %line.addr, "a question about a schema was not answered");
                link.close();
            }
        });
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

    /// The link, if a message can leave by it now.
    #[inline]
    pub(super) fn ready(&self) -> Option<Rc<Link<RemoteHandler>>> {
        match &*self.state.borrow() {
            State::Open(link) if self.asked.get().is_none() && link.has_room() => {
                Some(link.clone())
            }
            _ => None,
        }
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

    /// Another has its link.
    pub(super) fn give_up(&self) {
        *self.state.borrow_mut() = State::Idle;
    }

    /// It leads nowhere any more; another may have its link, and asks there for itself.
    pub(super) fn retire(&self) {
        self.asked.set(None);
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn go_on(&self) {
        with_runtime(|shard, runtime| {
            while self.ready().is_some() {
                let Some(letter) = self.pop(runtime) else {
                    return;
                };
                letter.start(shard, runtime);
            }
        });
    }

    /// Whether it is open, or about to be.
    fn is_in_use(&self) -> bool {
        match &*self.state.borrow() {
            State::Idle => false,
            State::Dialing => true,
            State::Open(link) => link.is_open(),
        }
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

    /// Who serves what has changed: those that wait may have to go elsewhere.
    pub(super) fn look_again(&self, shard: &Shard, runtime: &Runtime) {
        for _ in 0..self.waiting.len() + self.first.len() {
            let Some(letter) = self.pop(runtime) else {
                return;
            };
            letter.start(shard, runtime);
        }
    }

    /// Nobody answers: those that wait do so elsewhere until more is known, or it is time to try
    /// again.
    fn hold_waiting(&self, shard: &Shard, runtime: &Runtime) {
        while let Some(letter) = self.pop(runtime) {
            letter.forward(shard, runtime, shard.id());
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
                State::Open(link) if link.is_open() => return,
                State::Idle | State::Open(_) => *state = State::Dialing,
            }
        }
        let (line, remote) = (self.clone(), remote.clone());
        let shard = remote.shard();
        shard.spawn(async move {
            let shard = remote.shard();
            shard.sleep_until(line.resting_until.get()).await;
            match remote.connect(line.addr, line.who.as_ref()).await {
                Ok(link) => {
                    line.take(link);
                    line.go_on();
                }
                Err(error) => {
                    line.fail(&shard);
                    *line.state.borrow_mut() = State::Idle;
                    match (&line.who, &error) {
                        // They may have another node before long, and have not been sent.
                        (
                            Some(_),
                            LineError::Unreachable { .. } | LineError::SomebodyElse { .. },
                        ) => {
                            with_runtime(|shard, runtime| line.hold_waiting(shard, runtime));
                        }
                        _ => line.refuse_waiting(&Refusal::Unreachable(error.to_string())),
                    }
                    remote.keep_in_touch();
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
        who: Option<&Identity>,
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
        let settings = self.settings();
        let own = settings
            .listen
            .as_ref()
            .and_then(|listen| listen.tls.as_ref());
        let shield = match (&settings.dials_by, own, who) {
            (Some((tls, name)), ..) => tls.dial(name),
            // What a node's certificate says is its name.
            (None, Some(tls), Some(who)) => tls.dial(&who.name),
            _ => Ok(Shield::Plain),
        };
        let shield = shield.map_err(|error| LineError::Tls(Arc::new(error)))?;
        let session = Session::dial(
            self.terms(),
            self.settings().patience,
            shield.protection(),
            shard.unique(),
            shard.read_clock(),
        );
        let link = Link::start(shard.clone(), stream, shield, session, self.handler.clone());
        match link.opened().await {
            Ok(()) => self.check_peer(addr, who, link),
            Err(LinkError::Session(why)) => Err(LineError::Refused { addr, why }),
            Err(why) => Err(unreachable(why.to_string())),
        }
    }

    /// Whether it is who it has to be, and places keys as this side does.
    fn check_peer(
        &self,
        addr: SocketAddr,
        who: Option<&Identity>,
        link: Rc<Link<RemoteHandler>>,
    ) -> Result<Rc<Link<RemoteHandler>>, LineError> {
        let seed = link.with_peer(|peer| match &peer.terms.who {
            Who::Node(node) => Some(node.seed),
            Who::Client => None,
        });
        if who.is_some_and(|who| who.answers(&link).is_none()) {
            if self.hosts() {
                link.close();
            } else {
                // It says who is who now, whoever it is.
                let (shard, told) = (self.shard(), self.shard().sleep(ANSWER));
                shard.spawn(async move {
                    told.await;
                    link.close();
                });
            }
            return Err(LineError::SomebodyElse { addr });
        }
        if self.hosts() && seed.flatten() != Some(self.engine.seed()) {
            link.close();
            return Err(LineError::OtherSeed { addr });
        }
        Ok(link)
    }

    /// The peer at the other end of `link` has said what one of its types looks like.
    pub(super) fn learn(&self, link: &Rc<Link<RemoteHandler>>, actor: u16, schema: &[u8]) {
        for line in self.all_lines() {
            if line.link().is_some_and(|its| Rc::ptr_eq(&its, link)) {
                line.learn(actor, schema);
            }
        }
    }

    /// Lines as they are now: what is done with them may change them.
    pub(super) fn all_lines(&self) -> Vec<Rc<Line>> {
        let lines = self.lines.borrow();
        lines.iter().chain(self.first.get()).cloned().collect()
    }

    /// A client that lost its last session opens another one to somebody, so that it hears who
    /// belongs to the cluster: to somebody that it knows, or to whoever is where it began.
    pub(super) fn keep_in_touch(self: &Rc<Self>) {
        let knows_many = || self.view.as_ref().is_some_and(|view| view.version() > 0);
        if self.hosts() || !knows_many() {
            return;
        }
        if let Some(addr) = self.settings().peer {
            self.first.get_or_init(|| Rc::new(Line::new(addr, None)));
        }
        let lines = self.all_lines();
        if lines.is_empty() || lines.iter().any(|line| line.is_in_use()) {
            return;
        }
        let any = self.shard().random() % lines.len() as u64;
        lines[any as usize].wake(self);
    }

    /// Has the lines go on in which something waits.
    pub(super) fn go_on(self: &Rc<Self>) {
        if !self.lines.borrow().iter().any(|line| line.has_waiting()) {
            return;
        }
        for line in self.all_lines() {
            if line.has_waiting() {
                line.wake(self);
                line.go_on();
            }
        }
    }
}
