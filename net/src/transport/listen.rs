use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use quark_shards::io::TcpListener;
use quark_shards::shard::Shard;

use super::{Handler, Link, Shield};
use crate::session::{Patience, Session, Terms};
use crate::tls::Tls;

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

/// Accepts sessions on `listener` for as long as the shard runs its tasks.
pub async fn listen<H: Handler>(
    shard: Rc<Shard>,
    listener: TcpListener,
    tls: Option<Tls>,
    terms: Rc<Terms>,
    patience: Patience,
    limits: ListenLimits,
    report: Rc<ListenReport>,
    handler: impl Fn() -> Rc<H>,
) {
    let mut arrivals = listener.incoming(&*shard);
    let links = Links::<H>::default();
    let mut told_until = None;
    loop {
        let stream = match arrivals.next(&*shard).await {
            Ok(stream) => stream,
            Err(error) => {
                tell(&shard, &mut told_until, &error);
                shard.sleep(AFTER_ERROR).await;
                continue;
            }
        };
        add_one(&report.accepted);
        links.sort_out();
        if links.len() >= limits.sessions {
            links.forget_ended();
        }
        if links.len() >= limits.sessions {
            add_one(&report.turned_away);
            continue;
        }
        while links.opening() >= limits.handshakes && links.crowd_out() {
            add_one(&report.crowded_out);
        }
        let (terms, now) = (terms.clone(), shard.read_clock());
        let shield = match &tls {
            None => Shield::Plain,
            Some(tls) => match tls.accept() {
                Ok(shield) => shield,
                Err(error) => {
                    tell(&shard, &mut told_until, &error);
                    continue;
                }
            },
        };
        let session = Session::accept(terms, patience, shield.protection(), shard.unique(), now);
        links.add(&Link::start(
            shard.clone(),
            stream,
            shield,
            session,
            handler(),
        ));
    }
}

/// The links of one listener, the oldest first.
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

fn tell(
    shard: &Shard,
    told_until: &mut Option<quark_shards::time::Time>,
    error: &dyn std::fmt::Display,
) {
    let now = shard.read_clock();
    if told_until.is_none_or(|until| now >= until) {
        *told_until = Some(now + TOLD_EVERY);
        tracing::warn!(%error, "no connection can be accepted: is the limit of open files (ulimit -n) reached?");
    }
}
