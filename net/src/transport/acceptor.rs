use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use quark_shards::io::{TcpListener, TcpStream};
use quark_shards::shard::Shard;

use super::door::Door;
use super::report::add_one;
use super::{Handler, Link, ListenReport, Shield};
use crate::seldom::Seldom;
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
    /// Bytes that all sessions together may hold: of frames that have come in part, of calls that
    /// wait for their answers, and of answers that have not left. Beyond these, whoever holds the
    /// most is cut off.
    pub memory: u64,
}

impl Default for ListenLimits {
    fn default() -> Self {
        ListenLimits {
            sessions: 4096,
            handshakes: 256,
            backlog: 1024,
            memory: 1 << 30,
        }
    }
}

/// How long nothing is accepted after the system has refused to: it may be out of descriptors.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Accepts sessions on one shard, and knows those that it has accepted.
pub struct Acceptor<H: Handler> {
    terms: Rc<Terms>,
    patience: Patience,
    limits: ListenLimits,
    /// None: plain text.
    tls: Option<Tls>,
    handler: Rc<H>,
    door: Rc<Door<H>>,
    told: Seldom,
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
            door: Rc::new(Door::new(limits.memory)),
            told: Seldom::default(),
            is_leaving: Cell::new(false),
            waiting: Cell::new(None),
        }
    }

    /// What has become of connections so far.
    #[must_use]
    pub fn report(&self) -> &ListenReport {
        &self.door.report
    }

    /// Accepts sessions on `listener` until this side [leaves](Self::leave).
    pub async fn run(&self, shard: Rc<Shard>, listener: TcpListener) {
        let mut arrivals = listener.incoming(&*shard);
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
                if let Some(times) = self.told.now(shard.read_clock()) {
                    tracing::warn!(
                        times,
                        error,
                        "a connection can't be accepted; if descriptors are short, raise their limit \
                         (ulimit -n)"
                    );
                }
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
        self.door.links.each(|link| {
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
        self.door.links.each(|link| is_quiet &= link.is_quiet());
        is_quiet
    }

    fn take(&self, shard: &Rc<Shard>, stream: TcpStream) -> Result<(), TlsError> {
        let Door { report, links, .. } = &*self.door;
        add_one(&report.accepted);
        if links.len() >= self.limits.sessions {
            report.turn_away(&self.limits, shard.now());
            return Ok(());
        }
        while links.opening() >= self.limits.handshakes && links.crowd_out() {
            report.crowd_out(shard.now());
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
        let door = Some(self.door.clone());
        links.add(&Link::start_at(
            door,
            shard.clone(),
            stream,
            shield,
            session,
            handler,
        ));
        Ok(())
    }
}
