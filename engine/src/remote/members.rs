//! What a shard does when it hears who belongs to the cluster and who serves what.

use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use quark_net::cluster::{Member, Message, SlotSet, Table};
use quark_net::session::Who;
use quark_net::transport::Link;
use quark_shards::shard::Shard;
use quark_shards::slots::NodeId;
use quark_shards::time::Time;

use super::handler::RemoteHandler;
use super::{Remote, View};
use crate::actor::Method;
use crate::cluster::{
    self, ClusterMember, ClusterStatus, Ownership, Source, Whereabouts, say_let_go,
};
use crate::key::Key;
use crate::message::Incoming;
use crate::runtime::{RUNTIME, Runtime};

impl Remote {
    /// The node's part in its cluster, if this shard keeps it.
    pub(crate) fn node(&self) -> Option<&cluster::Node> {
        self.node.get()
    }

    /// Begins to be a node, if this shard is the one that keeps that.
    pub(super) fn join(self: &Rc<Self>) {
        let Some(cluster) = &self.settings().joins else {
            return;
        };
        let shard = self.shard();
        let known = self.engine.acquaintance();
        if let Source::Store(_) = &cluster.table {
            self.watch_lease(known.lease().clone());
        }
        match &cluster.table {
            Source::Fixed(table) => {
                let me = table.named(&cluster.name).map(|member| member.id);
                let mut mine = SlotSet::new();
                (0..=u16::MAX)
                    .filter(|slot| table.owner(*slot) == me)
                    .for_each(|slot| mine.insert(slot));
                known.lease().renew(Time::MAX);
                let ownership = Arc::new(Ownership {
                    table: table.clone(),
                    me,
                    mine,
                    lease_until: Time::MAX,
                    encoded: OnceLock::new(),
                });
                shard.enter(|shard| {
                    if let Some(runtime) = shard.attached(&RUNTIME) {
                        self.take_ownership(shard, runtime, ownership);
                    }
                });
            }
            Source::Store(store) if shard.id() == 0 => {
                let incarnation = known.incarnation(&shard);
                let lease = known.lease();
                let node =
                    cluster::Node::start(self, &self.engine, cluster, store, lease, incarnation);
                let _ = self.node.set(node);
            }
            Source::Store(_) => {}
        }
    }

    /// Says something about the cluster to a member, if it can be reached just now.
    pub(crate) fn say_of_cluster(self: &Rc<Self>, to: &Member, message: &[u8]) {
        let Some(line) = self.lines.borrow_mut().lead_to(to) else {
            return;
        };
        match line.link() {
            Some(link) => link.say_of_cluster(message),
            // It will be said again.
            None => line.wake(self),
        }
    }

    /// The peer says something about the cluster.
    pub(super) fn hear_of_cluster(
        self: &Rc<Self>,
        shard: &Shard,
        runtime: &Runtime,
        link: &Rc<Link<RemoteHandler>>,
        said: &[u8],
    ) {
        let refuse = |error: &dyn std::fmt::Display| {
            let what = "of the cluster";
            link.handler().tell_unreadable(shard.now(), what, error);
            link.close();
        };
        if self.hosts() && Message::is_table(said) {
            return refuse(&"a table, which is for clients alone");
        }
        let (from, message) = match Message::read(said) {
            Ok(said) => said,
            Err(error) => return refuse(&error),
        };
        match message {
            Message::Table(table) if !self.hosts() => {
                let version = self.view.as_ref().map_or(0, View::version);
                // Where nobody is left, whoever comes next will be looked for where the last were.
                if table.version() > version && !table.members().is_empty() {
                    let ownership = Ownership {
                        table,
                        me: None,
                        mine: SlotSet::new(),
                        lease_until: Time::ZERO,
                        encoded: OnceLock::new(),
                    };
                    self.take_ownership(shard, runtime, Arc::new(ownership));
                }
            }
            message => {
                if let Some(node) = self.node() {
                    node.hear(link, from, message);
                }
            }
        }
    }

    /// Who serves what has changed: messages that wait may have to go elsewhere now, and actors.
    pub(crate) fn take_ownership(
        self: &Rc<Self>,
        shard: &Shard,
        runtime: &Runtime,
        ownership: Arc<Ownership>,
    ) {
        let Some(view) = &self.view else {
            return;
        };
        let table = ownership.table.clone();
        let is_emptying = view.take(ownership);
        let before: Vec<_> = self.lines.borrow().iter().cloned().collect();
        let others = self.lines.borrow_mut().take_table(&table);
        others.iter().for_each(|line| line.retire());
        // Who told this may be one of the members.
        if let Some(first) = self.first.get()
            && let Some(link) = first.link()
            && self.lines.borrow_mut().take_member(&table, link)
        {
            first.give_up();
        }
        for line in before.iter().chain(&others) {
            line.look_again(shard, runtime);
        }
        self.tell_watchers();
        if is_emptying {
            self.have_them_leave();
        } else {
            self.say_let_go(shard, runtime);
        }
        self.release(shard, runtime);
    }

    /// The slots whose actors are to leave, and until when.
    pub(crate) fn leaving(&self) -> Option<(SlotSet, Time)> {
        self.view.as_ref()?.leaving()
    }

    /// All of them are, from now on.
    pub(crate) fn lose_all(&self) {
        if let Some(view) = &self.view {
            view.lose_all();
        }
    }

    /// They have.
    pub(crate) fn all_left(&self) {
        if let Some(view) = &self.view {
            view.all_left();
        }
    }

    /// Nobody is left here of what the table has taken from this node.
    pub(crate) fn say_let_go(&self, shard: &Shard, runtime: &Runtime) {
        if let Some(view) = self.view.as_ref().filter(|_| self.hosts()) {
            say_let_go(shard, runtime, view.version());
        }
    }

    /// Since when this node has `slot`, for its fence in the stores; nothing outside of clusters.
    pub(crate) fn deed(&self, slot: u16) -> Option<u64> {
        let view = self.view.as_ref().filter(|_| self.hosts());
        view.map(|view| view.deed_of_mine(slot))
    }

    /// The version of the table by which actors of this hash are not called here, if so: they are
    /// another node's, or nobody here can tell.
    #[inline]
    pub(super) fn moved_by(&self, hash: u64, now: Time) -> Option<u64> {
        let view = self.view.as_ref()?;
        if view.serves(hash, now) {
            return None;
        }
        match view.whereabouts(hash, now) {
            Whereabouts::Here | Whereabouts::Wait => None,
            Whereabouts::Member(_) | Whereabouts::CutOff => Some(view.version()),
        }
    }

    /// Whether what a turn for a key of this hash has answered may leave.
    #[inline]
    pub(super) fn may_answer(&self, shard: &Shard, hash: u64) -> bool {
        let view = self.view.as_ref();
        view.is_none_or(|view| view.may_answer(hash, shard.read_clock()))
    }

    /// A call has come back from a node that has the table's `version`, by which its actor is not
    /// that node's to serve.
    pub(super) fn come_back<M: Method>(
        self: &Rc<Self>,
        shard: &Shard,
        runtime: &Runtime,
        key: Key,
        hash: u64,
        incoming: Incoming<M>,
        version: u64,
    ) {
        if let Some(node) = self.node()
            && self
                .view
                .as_ref()
                .is_some_and(|view| view.version() < version)
        {
            node.look();
        }
        // By the time it is looked at again, one of the two knows better.
        self.hold_back(shard, runtime, key, hash, incoming);
    }

    /// A client is told who belongs to the cluster, now and whenever that changes.
    pub(super) fn welcome(&self, link: &Rc<Link<RemoteHandler>>) {
        let is_client = link.with_peer(|peer| peer.terms.who == Who::Client);
        let Some(view) = self.view.as_ref().filter(|_| self.hosts()) else {
            return;
        };
        if is_client == Some(true) {
            if let Some(known) = view.known() {
                tell(link, &known);
            }
            let mut watchers = self.watchers.borrow_mut();
            watchers.retain(|link| link.strong_count() > 0);
            watchers.push(Rc::downgrade(link));
        }
    }

    fn tell_watchers(&self) {
        let known = self.view.as_ref().and_then(View::known);
        let Some(known) = known.filter(|_| self.hosts()) else {
            return;
        };
        let mut watchers = self.watchers.borrow_mut();
        watchers.retain(|link| match link.upgrade() {
            Some(link) if !link.has_ended() => {
                tell(&link, &known);
                true
            }
            _ => false,
        });
    }

    /// What this node knows of its cluster.
    pub(crate) fn status(&self, now: Time) -> ClusterStatus {
        let known = self.view.as_ref().and_then(View::known);
        let members = known
            .as_ref()
            .map_or(Vec::new(), |known| list(&known.table));
        ClusterStatus {
            version: known.as_ref().map_or(0, |known| known.table.version()),
            members,
            me: known.as_ref().and_then(|known| known.me).map(|me| me.0),
            slots: known.as_ref().map_or(0, |known| known.mine.len()),
            serves: self.view.as_ref().is_some_and(|view| view.has_lease(now)),
            is_degraded: self.node().is_some_and(cluster::Node::is_degraded),
        }
    }
}

fn tell(link: &Rc<Link<RemoteHandler>>, known: &Ownership) {
    let said = known.encoded.get_or_init(|| {
        let mut said = Vec::new();
        Message::Table(known.table.clone()).write(known.me.unwrap_or(NodeId(0)), &mut said);
        said
    });
    link.say_of_cluster(said);
}

fn list(table: &Table) -> Vec<ClusterMember> {
    let mut counts = std::collections::BTreeMap::<NodeId, usize>::new();
    for slot in 0..=u16::MAX {
        if let Some(owner) = table.owner(slot) {
            *counts.entry(owner).or_default() += 1;
        }
    }
    let members = table.members().iter();
    let members = members.map(|member| ClusterMember::of(member, counts.get(&member.id)));
    members.collect()
}
