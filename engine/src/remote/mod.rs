//! Actors in other processes: how messages get there, and how those that come are served here.
//!
//! A shard where an actor can't live hands its messages to its [`Remote`], which has a [line](line)
//! to each shard of a peer that it has anything to say to. A line waits for nobody: messages wait in
//! it, in order and within bounds, until its link is open and has room. What goes out is remembered
//! by whom its reply is for, so that it does not matter whether the caller is on this shard, on
//! another or on a thread outside.

mod acquaintance;
mod client;
mod handler;
mod incoming;
mod line;
mod listening;
mod outgoing;
mod settings;
mod speech;
mod status;

use std::cell::{OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use quark_net::session::{Node, Offer, Terms, Who};
use quark_net::transport::ListenReport;
use quark_shards::io::TcpListener;
use quark_shards::shard::Shard;
use quark_shards::slots::shard_of;

pub(crate) use self::acquaintance::Acquaintance;
pub use self::client::{Client, ClientBuilder, ConnectError};
pub(crate) use self::incoming::{Invoke, Served, invoke};
pub(crate) use self::settings::RemoteSettings;
pub use self::settings::{Listen, ListenError};
use crate::engine::Engine;
use crate::error::Refusal;
use handler::RemoteHandler;
use line::Line;
pub use line::LineError;

/// One shard's part of all that leaves the process or comes from outside.
pub(crate) struct Remote {
    shard: Weak<Shard>,
    engine: Engine,
    handler: Rc<RemoteHandler>,
    lines: RefCell<Vec<Rc<Line>>>,
    terms: OnceCell<Rc<Terms>>,
    /// Bound and not yet listened to.
    listener: RefCell<Option<TcpListener>>,
    report: Rc<ListenReport>,
}

impl Remote {
    pub(crate) fn new(shard: &Rc<Shard>, engine: Engine) -> Self {
        Remote {
            handler: Rc::new(RemoteHandler::new(engine.served())),
            shard: Rc::downgrade(shard),
            engine,
            lines: RefCell::default(),
            terms: OnceCell::new(),
            listener: RefCell::default(),
            report: Rc::default(),
        }
    }

    /// The shard, which has this.
    fn shard(&self) -> Rc<Shard> {
        self.shard.upgrade().expect("what a shard has runs on it")
    }

    fn settings(&self) -> &RemoteSettings {
        &self.engine.settings().remote
    }

    /// Whether actors of this hash live in this process.
    #[inline]
    pub(crate) fn owns(&self, _hash: u64) -> bool {
        self.settings().peer.is_none()
    }

    /// What this shard says of itself.
    fn terms(&self) -> Rc<Terms> {
        let make = || {
            let settings = self.settings();
            let known = self.engine.acquaintance();
            let who = match &settings.listen {
                None => Who::Client,
                Some(_) => Who::Node(Node {
                    id: 0,
                    incarnation: known.incarnation(&self.shard()),
                    seed: self.engine.seed(),
                    shard: self.shard().id(),
                    ports: known.addresses().iter().map(SocketAddr::port).collect(),
                }),
            };
            let offers = self.handler.served().iter().map(|served| Offer {
                name: served.schema.name().to_owned(),
                fingerprint: served.schema.fingerprint(),
            });
            Rc::new(Terms {
                cluster: settings.cluster.clone(),
                who,
                epoch: 0,
                actors: offers.collect(),
                window: settings.window,
                max_frame: settings.max_frame,
            })
        };
        self.terms.get_or_init(make).clone()
    }

    /// The line to where an actor of this hash lives; nothing if nobody knows yet.
    fn line_to(&self, hash: u64) -> Option<Rc<Line>> {
        let known = self.engine.acquaintance().peers();
        if known.is_empty() {
            return None;
        }
        let shards = u16::try_from(known.len()).expect("shards are numbered by u16");
        self.line(shard_of(hash, shards), known)
    }

    /// The line to this shard of the peer.
    fn line(&self, shard: u16, known: &[SocketAddr]) -> Option<Rc<Line>> {
        let mut lines = self.lines.borrow_mut();
        if lines.is_empty() {
            lines.extend(known.iter().map(|addr| Rc::new(Line::new(*addr))));
        }
        lines.get(usize::from(shard)).cloned()
    }

    /// Whether all that was to leave has left, and was answered.
    pub(crate) fn is_quiet(&self) -> bool {
        self.lines.borrow().iter().all(|line| line.is_quiet())
    }

    /// Answers all who wait for a line: the shard ends.
    pub(crate) fn refuse_waiting(&self) {
        let lines = self.lines.borrow().clone();
        for line in &lines {
            line.refuse_waiting(&Refusal::Stopped);
        }
    }

    /// Gets to know the peer: its shards, and what it hashes keys with.
    ///
    /// # Errors
    /// Why it can't be reached, or does not let this side in.
    pub(crate) async fn meet(self: Rc<Self>) -> Result<(), LineError> {
        let addr = self.settings().peer.ok_or(LineError::NoPeer)?;
        let link = self.connect(addr).await?;
        let node = link.with_peer(|peer| match &peer.terms.who {
            Who::Node(node) if !node.ports.is_empty() => Some(node.clone()),
            Who::Node(_) | Who::Client => None,
        });
        let node = node.flatten().ok_or(LineError::NotANode(addr))?;
        let shards = node.ports.iter();
        let shards = shards.map(|port| SocketAddr::new(addr.ip(), *port));
        self.engine.set_seed(node.seed);
        let known = self.engine.acquaintance().meet(shards.collect());
        if let Some(line) = self.line(node.shard, known) {
            line.take(link);
        }
        Ok(())
    }
}
