//! The first shard's part: it keeps the node's part in its cluster, and tells the other shards.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::sync::{Arc, OnceLock};

use quark_net::cluster::{
    Address, Keeper, Member, Membership, Message, Newcomer, SlotSet, Surroundings, TableStore,
};
use quark_net::session::Who;
use quark_net::transport::Link;
use quark_shards::ring::Message as Post;
use quark_shards::shard::Shard;
use quark_shards::slots::NodeId;
use quark_shards::time::Time;

use super::{Cluster, Lease, Ownership};
use crate::engine::Engine;
use crate::errand::run_on;
use crate::remote::{Remote, RemoteHandler};
use crate::runtime::{RUNTIME, Runtime, with_runtime};

/// The node's part in its cluster, on the shard that keeps it.
pub(crate) struct Node {
    keeper: Rc<Keeper<EngineSurroundings>>,
    /// The last version whose lost slots every shard has let go of, by shard.
    let_go: RefCell<Vec<u64>>,
    has_left: Rc<Cell<bool>>,
    /// Nodes have to show who they are.
    wants_certificates: bool,
    /// Names whose certificates were not shown, each told of once.
    uncertified: RefCell<BTreeSet<String>>,
}

/// Names that are told of at most.
const UNCERTIFIED_MOST: usize = 64;

/// What the keeper has to do with.
pub(crate) struct EngineSurroundings {
    remote: Weak<Remote>,
    engine: Engine,
    lease: Lease,
}

impl Node {
    /// Begins to be a node.
    pub(crate) fn start(
        remote: &Rc<Remote>,
        engine: &Engine,
        cluster: &Cluster,
        store: &Arc<dyn TableStore>,
        lease: &Lease,
        incarnation: u64,
    ) -> Self {
        let addresses = engine.addresses();
        let who = Newcomer {
            name: cluster.name.clone(),
            incarnation,
            address: Address {
                ip: cluster.advertised.unwrap_or(addresses[0].ip()),
                ports: addresses.iter().map(|addr| addr.port()).collect(),
            },
        };
        let shard = remote.shard();
        let office = EngineSurroundings {
            remote: Rc::downgrade(remote),
            engine: engine.unowned(),
            lease: lease.clone(),
        };
        let keeper = Keeper::new(
            shard.clone(),
            store.clone(),
            Membership::new(who, cluster.timing),
            cluster.poll_every,
            office,
        );
        // Called by whoever hears of it first, on any thread.
        let rings = engine.unowned();
        store.watch(Box::new(move || {
            run_on(&rings, 0, |_, runtime| {
                if let Some(node) = runtime.remote().and_then(|remote| remote.node()) {
                    node.keeper.look();
                }
            });
        }));
        let has_left = Rc::new(Cell::new(false));
        let (runs, leaves) = (keeper.clone(), has_left.clone());
        shard.spawn(async move {
            runs.run().await;
            leaves.set(true);
        });
        Node {
            keeper,
            let_go: RefCell::new(vec![0; usize::from(engine.shards())]),
            has_left,
            wants_certificates: engine.speaks_tls(),
            uncertified: RefCell::default(),
        }
    }

    /// Has it leave the cluster, once others have its slots.
    pub(crate) fn leave(&self) {
        self.keeper.leave();
    }

    /// Whether it has left.
    pub(crate) fn has_left(&self) -> bool {
        self.has_left.get()
    }

    /// Whether the table can't be changed at present.
    pub(crate) fn is_degraded(&self) -> bool {
        self.keeper.is_degraded()
    }

    /// There may be a newer table.
    pub(crate) fn look(&self) {
        self.keeper.look();
    }

    /// A node has said this over `link`. It is who it says only if the session's peer is.
    pub(crate) fn hear(&self, link: &Rc<Link<RemoteHandler>>, from: NodeId, message: Message) {
        let is_said_by = |name: &str, incarnation: u64| {
            if self.wants_certificates && !link.is_certified_as(name) {
                self.tell_of_uncertified(name);
                return false;
            }
            let is = link.with_peer(|peer| match &peer.terms.who {
                Who::Node(node) => node.name == name && node.incarnation == incarnation,
                Who::Client => false,
            });
            is == Some(true)
        };
        let is_known = match &message {
            Message::Join(newcomer) => is_said_by(&newcomer.name, newcomer.incarnation),
            _ => self.keeper.with(|membership| {
                let member = membership.table().and_then(|table| table.member(from));
                member.is_some_and(|member| is_said_by(&member.name, member.incarnation))
            }),
        };
        if is_known {
            self.keeper.hear(from, message);
        } else {
            // It may be in a newer table.
            self.keeper.look();
        }
    }

    /// Says once that somebody has called himself so: he will go on to.
    fn tell_of_uncertified(&self, name: &str) {
        let mut told = self.uncertified.borrow_mut();
        if told.len() < UNCERTIFIED_MOST && told.insert(name.to_owned()) {
            tracing::warn!(name, "who calls itself so has no certificate that says it");
        }
    }

    /// The shard `by` has let go of all that `version` took from this node.
    fn heard_let_go(&self, by: u16, version: u64) {
        let mut all = self.let_go.borrow_mut();
        if let Some(known) = all.get_mut(usize::from(by)) {
            *known = version.max(*known);
        }
        let least = all.iter().copied().min().unwrap_or(0);
        drop(all);
        self.keeper.let_go(least);
    }
}

impl Surroundings for EngineSurroundings {
    fn say(&self, from: NodeId, to: &Member, message: Message) {
        let Some(remote) = self.remote.upgrade() else {
            return;
        };
        let mut bytes = Vec::new();
        message.write(from, &mut bytes);
        remote.say_of_cluster(to, &bytes);
    }

    fn changed(&self, membership: &Membership, lease_until: Time) {
        let Some(table) = membership.table() else {
            return;
        };
        let now = self
            .remote
            .upgrade()
            .map(|remote| remote.shard().read_clock());
        let me = membership.me();
        tracing::info!(
            version = table.version(),
            members = table.members().len(),
            me = me.map(|me| me.0),
            "the cluster's table has changed, or what this node serves"
        );
        let ownership = Arc::new(Ownership {
            table: table.clone(),
            me,
            mine: now.map_or_else(SlotSet::new, |now| membership.mine(now)),
            lease_until,
            encoded: OnceLock::new(),
        });
        with_runtime(|shard, runtime| {
            for lane in 0..self.engine.shards() {
                runtime.post(shard, lane, Told(ownership.clone()));
            }
        });
    }

    fn leased(&self, until: Time) {
        self.lease.renew(until);
    }

    fn replaced(&self) {
        tracing::error!(
            "another process runs under this node's name, and has taken its place: this one serves \
             nothing any more; give every node a name of its own"
        );
    }
}

/// Tells a shard who serves what.
struct Told(Arc<Ownership>);

impl Post<Shard> for Told {
    fn deliver(self, shard: &Shard, _: u16) {
        let Some(runtime) = shard.attached(&RUNTIME) else {
            return;
        };
        if let Some(remote) = runtime.remote() {
            remote.take_ownership(shard, runtime, self.0);
        }
    }
}

/// Tells the shard that keeps the node's part that nobody is left here of what `version`, and those
/// before it, have taken from this node.
pub(crate) fn say_let_go(shard: &Shard, runtime: &Runtime, version: u64) {
    runtime.post(shard, 0, LetGo(version));
}

struct LetGo(u64);

impl Post<Shard> for LetGo {
    fn deliver(self, shard: &Shard, from: u16) {
        let runtime = shard.attached(&RUNTIME);
        let remote = runtime.and_then(|runtime| runtime.remote());
        if let Some(node) = remote.and_then(|remote| remote.node()) {
            node.heard_let_go(from, self.0);
        }
    }
}
