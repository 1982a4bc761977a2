use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use quark_shards::io::{TcpListener, TcpStream};
use quark_shards::shard::Shard;
use quark_shards::time::Time;

use super::{Handler, Link, Shield};
use crate::session::{Patience, Session, Terms};
use crate::tls::{Tls, TlsError};

/// How many connections a shard takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenLimits {
    /// Sessions that are open. Beyond these, connections are closed as soon as they are accepted.
    pub sessions: usize,
    /// Handshakes under way. Beyond these, the oldest is given up for the newest.
    pub handshakes: usize,
    /// Connections that the system keeps until they are accepted.
    pub backlog: u32,
}

impl Default for ListenLimits {
    fn default() -> Self {
        ListenLimits {
            sessions: 4096,
            handshakes: 256,
            backlog: 1024,
        }
    }
}

/// What has become of connections, for whoever looks.
#[derive(Debug, Default)]
pub struct ListenReport {
    /// Accepted so far.
    pub accepted: Cell<u64>,
    /// Closed at once, since there were as many sessions as may be.
    pub turned_away: Cell<u64>,
    /// Handshakes given up for newer ones.
    pub crowded_out: Cell<u64>,
}

/// How long nothing is accepted after the system has refused to: it may be out of descriptors.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// How often a flood is told of in the log, at most.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Accepts sessions on one shard, and knows those that it has accepted.
pub struct Acceptor<H: Handler> {
    terms: Rc<Terms>,
    patience: Patience,
    limits: ListenLimits,
    /// None: plain text.
    tls: Option<Tls>,
    handler: Rc<H>,
    report: ListenReport,
    links: Links<H>,
    is_leaving: Cell<bool>,
    waiting: Cell<Option<Waker>>,
}

impl<H: Handler> Acceptor<H> {
    /// Sessions by these terms, served by `handler`.
    #[must_use]
    pub fn new(
        terms: Rc<Terms>,
        patience: Patience,
        limits: ListenLimits,
        tls: Option<Tls>,
        handler: Rc<H>,
    ) -> Self {
        Acceptor {
            terms,
            patience,
            limits,
            tls,
            handler,
            report: ListenReport::default(),
            links: Links::default(),
            is_leaving: Cell::new(false),
            waiting: Cell::new(None),
        }
    }

    /// What has become of connections so far.
    #[must_use]
    pub fn report(&self) -> &ListenReport {
        &self.report
    }

    /// Accepts sessions on `listener` until this side [leaves](Self::leave).
    pub async fn run(&self, shard: Rc<Shard>, listener: TcpListener) {
        let mut arrivals = listener.incoming(&*shard);
        let mut told_until = None;
        loop {
            let arrived = poll_fn(|cx| {
                if self.is_leaving.get() {
                    return Poll::Ready(None);
                }
                self.waiting.set(Some(cx.waker().clone()));
                arrivals.poll_next(&*shard, cx).map(Some)
            });
            let Some(arrived) = arrived.await else { return };
            let taken = match arrived {
                Ok(stream) => self.take(&shard, stream).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = taken {
                tell(&shard, &mut told_until, &error);
                shard.sleep(AFTER_ERROR).await;
            }
        }
    }

    /// Takes no more sessions, and tells the peers of those there are that it takes no more messages.
    /// What is under way will be answered.
    pub fn leave(&self) {
        self.is_leaving.set(true);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
        self.links.each(|link| {
            if link.is_open() {
                link.say_goodbye();
            } else {
                // Who has not come in yet had better go elsewhere.
                link.close();
            }
        });
    }

    /// Whether, after this side has [left](Self::leave), no more messages come, all calls were
    /// answered, and the answers have left.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let mut is_quiet = true;
        self.links.each(|link| is_quiet &= link.is_quiet());
        is_quiet
    }

    fn take(&self, shard: &Rc<Shard>, stream: TcpStream) -> Result<(), TlsError> {
        add_one(&self.report.accepted);
        self.links.sort_out();
        if self.links.len() >= self.limits.sessions {
            self.links.forget_ended();
        }
        if self.links.len() >= self.limits.sessions {
            add_one(&self.report.turned_away);
            return Ok(());
        }
        while self.links.opening() >= self.limits.handshakes && self.links.crowd_out() {
            add_one(&self.report.crowded_out);
        }
        let shield = match &self.tls {
            None => Shield::Plain,
            Some(tls) => tls.accept()?,
        };
        let session = Session::accept(
            self.terms.clone(),
            self.patience,
            shield.protection(),
            shard.unique(),
            shard.read_clock(),
        );
        let handler = self.handler.clone();
        self.links.add(&Link::start(
            shard.clone(),
            stream,
            shield,
            session,
            handler,
        ));
        Ok(())
    }
}

/// The links of one acceptor, the oldest first.
struct Links<H: Handler> {
    opening: RefCell<VecDeque<Weak<Link<H>>>>,
    open: RefCell<Vec<Weak<Link<H>>>>,
}

impl<H: Handler> Default for Links<H> {
    fn default() -> Self {
        Links {
            opening: RefCell::default(),
            open: RefCell::default(),
        }
    }
}

impl<H: Handler> Links<H> {
    fn add(&self, link: &Rc<Link<H>>) {
        self.opening.borrow_mut().push_back(Rc::downgrade(link));
    }

    /// Counts those that have opened as open, and forgets handshakes that have ended.
    fn sort_out(&self) {
        let mut open = self.open.borrow_mut();
        self.opening.borrow_mut().retain(|link| {
            let Some(known) = link.upgrade().filter(|link| !link.has_ended()) else {
                return false;
            };
            let is_open = known.is_open();
            if is_open {
                open.push(link.clone());
            }
            !is_open
        });
    }

    /// Forgets sessions that have ended.
    fn forget_ended(&self) {
        let is_alive = |link: &Weak<Link<H>>| link.upgrade().is_some_and(|link| !link.has_ended());
        self.open.borrow_mut().retain(is_alive);
    }

    /// Calls `f` with each that has not ended.
    fn each(&self, mut f: impl FnMut(&Rc<Link<H>>)) {
        let all: Vec<_> = {
            let (opening, open) = (self.opening.borrow(), self.open.borrow());
            opening
                .iter()
                .chain(&*open)
                .filter_map(Weak::upgrade)
                .collect()
        };
        all.iter().filter(|link| !link.has_ended()).for_each(&mut f);
    }

    fn len(&self) -> usize {
        self.open.borrow().len() + self.opening()
    }

    fn opening(&self) -> usize {
        self.opening.borrow().len()
    }

    /// Gives the oldest handshake up; false if there is none.
    fn crowd_out(&self) -> bool {
        let oldest = self.opening.borrow_mut().pop_front();
        let Some(oldest) = oldest else { return false };
        if let Some(link) = oldest.upgrade() {
            link.close();
        }
        true
    }
}

fn add_one(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

fn tell(shard: &Shard, told_until: &mut Option<Time>, error: &str) {
    let now = shard.read_clock();
    if told_until.is_none_or(|until| now >= until) {
        *told_until = Some(now + TOLD_EVERY);
        tracing::warn!(
            error,
            "a connection can't be accepted; if descriptors are short, raise their limit (ulimit -n)"
        );
    }
}
