//! What a node knows of its cluster, for whoever runs it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quark_net::cluster::{Member, Status};

use crate::engine::Engine;
use crate::errand::ask_all;

/// A node's view of its cluster: see [`Engine::cluster`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// The version of the table that this node lives by; zero while it has none.
    pub version: u64,
    /// The members, ascending by their numbers.
    pub members: Vec<ClusterMember>,
    /// This node's number, while it is a member.
    pub me: Option<u32>,
    /// How many slots it may serve.
    pub slots: usize,
    /// Whether it serves them: it has a lease.
    pub serves: bool,
    /// Whether the table can't be read or written at present: the cluster goes on as it is, and
    /// can't change.
    pub is_degraded: bool,
}

/// One of a cluster's nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterMember {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Where its shards listen.
    pub addresses: Vec<SocketAddr>,
    /// Whether it is about to leave.
    pub is_draining: bool,
    /// How many slots it owns.
    pub slots: usize,
}

impl ClusterMember {
    pub(crate) fn of(member: &Member, slots: Option<&usize>) -> Self {
        let Member { address, .. } = member;
        let ports = address.ports.iter();
        ClusterMember {
            id: member.id.0,
            name: member.name.clone(),
            addresses: ports
                .map(|port| SocketAddr::new(address.ip, *port))
                .collect(),
            is_draining: member.status == Status::Draining,
            slots: slots.copied().unwrap_or(0),
        }
    }
}

impl Engine {
    /// What this node knows of its cluster; nothing if the engine is no [node](crate::Cluster).
    /// Asks its first shard and blocks for the answer: not for use on a shard.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterStatus> {
        self.settings().remote.joins.as_ref()?;
        let all = ask_all(self, |shard, runtime| {
            (shard.id() == 0).then(|| runtime.remote().map(|remote| remote.status(shard.now())))
        })?;
        all.into_iter().flatten().flatten().next()
    }

    /// Waits until this node serves its part of the cluster's keys; false if it does not within
    /// `limit`. Not for use on a shard.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "runs on threads outside")]
    pub fn wait_until_serving(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let status = self.cluster();
            if status.is_some_and(|status| status.serves && status.slots > 0) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
