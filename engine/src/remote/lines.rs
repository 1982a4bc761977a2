//! The lines of one shard, by whom they lead to.

use std::net::SocketAddr;
use std::rc::Rc;

use quark_net::cluster::{Member, Table};
use quark_net::session::Who;
use quark_net::transport::Link;
use quark_shards::slots::{NodeId, shard_of};

use super::handler::RemoteHandler;
use super::line::Line;

/// Whoever was met before it was known which members there are.
const MET: NodeId = NodeId(0);

/// Lines to every member of a cluster, or to the one engine that a client has met.
#[derive(Default)]
pub(super) struct Lines(Vec<To>);

/// Lines to one process, one for each of its shards.
struct To {
    id: NodeId,
    who: Option<Identity>,
    lines: Vec<Rc<Line>>,
}

/// Which process it has to be that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    incarnation: u64,
}

impl Identity {
    fn of(member: &Member) -> Self {
        Identity {
            name: member.name.clone(),
            incarnation: member.incarnation,
        }
    }

    /// Whether that is who is at the other end of `link`, and which of its shards.
    pub(super) fn answers(&self, link: &Link<RemoteHandler>) -> Option<u16> {
        let shard = link.with_peer(|peer| match &peer.terms.who {
            Who::Node(node) => {
                // In a list that does not change, processes are not told apart.
                let is_it = self.incarnation == 0 || node.incarnation == self.incarnation;
                let is = node.name == self.name && is_it;
                is.then_some(node.shard)
            }
            Who::Client => None,
        });
        shard.flatten()
    }
}

impl To {
    fn new(member: &Member) -> Self {
        let who = Identity::of(member);
        let ports = member.address.ports.iter();
        let lines = ports.map(|port| {
            let addr = SocketAddr::new(member.address.ip, *port);
            Rc::new(Line::new(addr, Some(who.clone())))
        });
        To {
            id: member.id,
            lines: lines.collect(),
            who: Some(who),
        }
    }
}

impl Lines {
    /// To the only process that a client knows of.
    pub(super) fn meet(&mut self, shards: &[SocketAddr]) {
        let lines = shards.iter().map(|addr| Rc::new(Line::new(*addr, None)));
        self.0 = vec![To {
            id: MET,
            who: None,
            lines: lines.collect(),
        }];
    }

    fn find(&self, id: NodeId) -> Option<&To> {
        let place = self.0.binary_search_by_key(&id, |to| to.id).ok()?;
        self.0.get(place)
    }

    /// The line to where keys of this hash live on the process `id`.
    #[inline]
    pub(super) fn to_key(&self, id: NodeId, hash: u64) -> Option<Rc<Line>> {
        let lines = &self.find(id)?.lines;
        let shards = u16::try_from(lines.len()).expect("shards are numbered by u16");
        lines.get(usize::from(shard_of(hash, shards))).cloned()
    }

    /// The same while only one process is known.
    pub(super) fn to_key_there(&self, hash: u64) -> Option<Rc<Line>> {
        self.to_key(MET, hash)
    }

    /// The line to a shard of the process that was met.
    pub(super) fn to_shard_there(&self, shard: u16) -> Option<Rc<Line>> {
        self.find(MET)?.lines.get(usize::from(shard)).cloned()
    }

    /// The line to the first shard of `member`, which may not be known yet.
    pub(super) fn lead_to(&mut self, member: &Member) -> Option<Rc<Line>> {
        let who = Some(Identity::of(member));
        let place = match self.0.binary_search_by_key(&member.id, |to| to.id) {
            Ok(place) if self.0[place].who == who => place,
            Ok(place) => {
                self.0[place] = To::new(member);
                place
            }
            Err(place) => {
                self.0.insert(place, To::new(member));
                place
            }
        };
        self.0[place].lines.first().cloned()
    }

    /// Lines to the members of `table`, those that there are already among them, and no others.
    /// Gives back the others.
    pub(super) fn take_table(&mut self, table: &Table) -> Vec<Rc<Line>> {
        let mut before = std::mem::take(&mut self.0);
        for member in table.members() {
            let who = Some(Identity::of(member));
            let known = before
                .iter()
                .position(|to| to.id == member.id && to.who == who);
            self.0.push(match known {
                Some(place) => before.remove(place),
                None => To::new(member),
            });
        }
        let others: Vec<_> = before.into_iter().flat_map(|to| to.lines).collect();
        // Whoever was met may be one of the members: its links go on.
        for link in others.iter().filter_map(|line| line.link()) {
            self.take_member(table, link);
        }
        others
    }

    /// `link`, to whichever member of `table` it leads, is used by the line to there; whether it leads to
    /// one.
    pub(super) fn take_member(&mut self, table: &Table, link: Rc<Link<RemoteHandler>>) -> bool {
        for member in table.members() {
            let shard = Identity::of(member).answers(&link);
            let lines = self.find(member.id).map(|to| &to.lines);
            if let (Some(shard), Some(lines)) = (shard, lines)
                && let Some(line) = lines.get(usize::from(shard))
            {
                line.take(link);
                return true;
            }
        }
        false
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Rc<Line>> {
        self.0.iter().flat_map(|to| &to.lines)
    }
}
