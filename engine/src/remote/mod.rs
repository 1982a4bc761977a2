//! Actors in other processes: how messages get there, and how those that come are served here.
//!
//! A shard where an actor can't live hands its messages to its [`Remote`], which has a [line](line)
//! to each shard of a peer that it has anything to say to. A line waits for nobody: messages wait in
//! it, in order and within bounds, until its link is open and has room. What goes out is remembered
//! by whom its reply is for, so that it does not matter whether the caller is on this shard, on
//! another or on a thread outside.

mod acquaintance;
mod along;
mod client;
mod connections;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handler;
mod incoming;
mod limbo;
mod line;
mod lines;
mod listening;
mod members;
mod moved;
mod outgoing;
mod settings;
mod speech;
mod status;

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use quark_net::session::{Node, Offer, Terms, Who};
use quark_net::transport::{Acceptor, Link};
use quark_shards::io::TcpListener;
use quark_shards::shard::Shard;
use quark_shards::time::Time;

pub(crate) use self::acquaintance::Acquaintance;
pub use self::client::{Client, ClientBuilder, ConnectError};
pub use self::connections::Connections;
pub(crate) use self::incoming::{Invoke, Served, invoke};
pub(crate) use self::settings::RemoteSettings;
pub use self::settings::{Listen, ListenError};
use crate::cluster::{self, View, Whereabouts};
use crate::engine::Engine;
pub(crate) use handler::RemoteHandler;
use limbo::Limbo;
use line::Line;
pub use line::LineError;
use lines::Lines;

/// One shard's part of all that leaves the process or comes from outside.
pub(crate) struct Remote {
    shard: Weak<Shard>,
    engine: Engine,
    handler: Rc<RemoteHandler>,
    lines: RefCell<Lines>,
    /// To where a client began to look, for when nobody that it knows is left.
    first: OnceCell<Rc<Line>>,
    /// What can't be sent for the moment.
    limbo: Limbo,
    /// Who serves which slots, where that is not this process alone.
    view: Option<View>,
    /// The node's part in its cluster, on the shard that keeps it.
    node: OnceCell<cluster::Node>,
    /// Clients that are told when the table has changed.
    watchers: RefCell<Vec<Weak<Link<RemoteHandler>>>>,
    /// Actors are leaving whose slots were lost.
    pub(crate) is_emptying: Cell<bool>,
    terms: OnceCell<Rc<Terms>>,
    /// Bound and not yet listened to.
    listener: RefCell<Option<TcpListener>>,
    /// Once it listens.
    acceptor: OnceCell<Rc<Acceptor<RemoteHandler>>>,
}

impl Remote {
    pub(crate) fn new(shard: &Rc<Shard>, engine: Engine) -> Self {
        let settings = &engine.settings().remote;
        let is_one_of_many = settings.joins.is_some() || settings.peer.is_some();
        let view = is_one_of_many.then(|| View::new(engine.acquaintance().lease().clone()));
        Remote {
            handler: Rc::new(RemoteHandler::new(engine.served())),
            shard: Rc::downgrade(shard),
            engine,
            lines: RefCell::default(),
            first: OnceCell::new(),
            limbo: Limbo::default(),
            view,
            node: OnceCell::new(),
            watchers: RefCell::default(),
            is_emptying: Cell::new(false),
            terms: OnceCell::new(),
            listener: RefCell::default(),
            acceptor: OnceCell::new(),
        }
    }

    /// The shard, which has this.
    pub(crate) fn shard(&self) -> Rc<Shard> {
        self.shard.upgrade().expect("what a shard has runs on it")
    }

    fn settings(&self) -> &RemoteSettings {
        &self.engine.settings().remote
    }

    /// Whether actors of this hash live in this process, and may be called here now.
    #[inline]
    pub(crate) fn serves(&self, hash: u64, now: Time) -> bool {
        self.view.as_ref().is_none_or(|view| view.serves(hash, now))
    }

    /// Whether this process hosts actors.
    #[inline]
    pub(crate) fn hosts(&self) -> bool {
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
                    name: settings
                        .joins
                        .as_ref()
                        .map_or_else(String::new, |cluster| cluster.name.clone()),
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

    /// What is to be done with a message to an actor of this hash.
    fn course(&self, hash: u64, now: Time) -> Course {
        let Some(view) = &self.view else {
            return Course::Nowhere;
        };
        match view.whereabouts(hash, now) {
            Whereabouts::Here => Course::Here,
            Whereabouts::CutOff => Course::CutOff,
            Whereabouts::Member(id) => match self.lines.borrow().to_key(id, hash) {
                Some(line) => Course::By(line),
                None => Course::Wait,
            },
            Whereabouts::Wait => match self.lines.borrow().to_key_there(hash) {
                Some(line) => Course::By(line),
                // Nobody owns it for the moment, or a node knows nobody yet.
                None if self.hosts() || view.version() > 0 => Course::Wait,
                None => Course::Nowhere,
            },
        }
    }

    /// [Meets](Self::meet) the peer, as often as it takes.
    pub(crate) async fn meet_at_last(self: Rc<Self>) {
        const REST: Duration = Duration::from_millis(50);
        while self.clone().meet().await.is_err() {
            crate::sleep(REST).await;
        }
    }

    /// Gets to know the peer: its shards, and what it hashes keys with.
    ///
    /// # Errors
    /// Why it can't be reached, or does not let this side in.
    pub(crate) async fn meet(self: Rc<Self>) -> Result<(), LineError> {
        let addr = self.settings().peer.ok_or(LineError::NoPeer)?;
        let link = self.connect(addr, None).await?;
        let node = link.with_peer(|peer| match &peer.terms.who {
            Who::Node(node) if !node.ports.is_empty() => Some(node.clone()),
            Who::Node(_) | Who::Client => None,
        });
        let node = node.flatten().ok_or(LineError::NotANode(addr))?;
        let shards = node.ports.iter();
        let shards = shards.map(|port| SocketAddr::new(addr.ip(), *port));
        self.engine.set_seed(node.seed);
        let shards: Vec<_> = shards.collect();
        let mut lines = self.lines.borrow_mut();
        match self.view.as_ref().and_then(View::table) {
            // It has said at once who its members are.
            Some(table) => {
                lines.take_member(&table, link);
            }
            None => {
                lines.meet(&shards);
                if let Some(line) = lines.to_shard_there(node.shard) {
                    line.take(link);
                }
            }
        }
        Ok(())
    }
}

/// What is to be done with a message that does not belong here, as far as is known.
enum Course {
    /// It does.
    Here,
    By(Rc<Line>),
    /// For what is not known yet.
    Wait,
    CutOff,
    /// Nobody was met.
    Nowhere,
}
