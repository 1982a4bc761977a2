use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quark_net::cluster::{Address, MemoryTable, Newcomer, Table, TableStore, Timing};
use quark_net::session::NAME_MOST;

use crate::remote::Listen;
use crate::state::StoreChoices;

/// Makes an engine a node of a cluster: see [`EngineBuilder::cluster`](crate::EngineBuilder::cluster).
///
/// The nodes share the keys of every actor type among them, and a call finds its actor on whichever
/// of them it lives. All of them have the same [seed](crate::EngineBuilder::seed) and the same
/// cluster's name ([`Listen::cluster`]), know the same types, and find each other by the same table.
#[derive(Clone)]
#[must_use = "an engine is no node until its builder is given this"]
pub struct Cluster {
    pub(crate) name: String,
    pub(crate) table: Source,
    pub(crate) advertised: Option<IpAddr>,
    pub(crate) timing: Timing,
    pub(crate) poll_every: Duration,
    pub(crate) leave_within: Duration,
}

/// Where the table is.
#[derive(Clone)]
pub(crate) enum Source {
    /// Where the nodes agree on it.
    Store(Arc<dyn TableStore>),
    /// Here, and it does not change.
    Fixed(Arc<Table>),
}

/// A node of a cluster whose members don't change: see [`Cluster::fixed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedNode {
    /// Its name.
    pub name: String,
    /// Where its first shard listens; each further one at the next port.
    pub addr: SocketAddr,
    /// How many shards it has.
    pub shards: u16,
}

/// Why an engine can't be a node of a cluster as it is to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The others could not talk to it.
    #[error("a node of a cluster is called by the others: tell it where to listen (.listen(…))")]
    DoesNotListen,
    /// It listens everywhere, and nobody knows where that is.
    #[error(
        "{0} is not where others can reach this node: say where (.advertise(…)), or listen at one \
         address"
    )]
    NoAddress(SocketAddr),
    /// Its name is too long, or none.
    #[error("a node's name has 1 to {NAME_MOST} bytes, not {0}")]
    Name(usize),
    /// What an actor saves on one node would be missing on the next.
    #[error(
        "the store {0:?} stays with its node, and actors don't: give the nodes of a cluster one that they \
         share (Store::redis, Store::postgres, Store::custom)"
    )]
    LocalStore(String),
    /// A list of nodes can't be a cluster's.
    #[error("the list of a cluster's nodes: {0}")]
    Fixed(String),
    /// Leases could run out between two questions.
    #[error(
        "a lease of {lease:?} has to be asked for several times while it lasts, and not every {ask_every:?} \
         (Timing::ask_every)"
    )]
    Timing {
        /// How long a lease is.
        lease: Duration,
        /// How often it is asked for.
        ask_every: Duration,
    },
}

impl Cluster {
    /// A node called `name`, as no other one of its cluster is, which finds the others by `store`. A
    /// process that is started again keeps its name.
    pub fn new(name: impl Into<String>, store: impl TableStore + 'static) -> Self {
        Cluster {
            name: name.into(),
            table: Source::Store(Arc::new(store)),
            advertised: None,
            timing: Timing::default(),
            poll_every: Duration::from_secs(1),
            leave_within: Duration::from_secs(30),
        }
    }

    /// The node called `name` among `nodes`, which are the same list for all of them and never change:
    /// nobody takes over what a node had that is gone. A client is told of them like of any others.
    ///
    /// # Errors
    /// [`ClusterError::Fixed`] if the list can't be a cluster's, or `name` is not in it.
    pub fn fixed(name: impl Into<String>, nodes: &[FixedNode]) -> Result<Self, ClusterError> {
        let name = name.into();
        if !nodes.iter().any(|node| node.name == name) {
            let why = format!("\"{name}\" is not one of its nodes");
            return Err(ClusterError::Fixed(why));
        }
        let nodes = nodes.iter().map(|node| {
            let last = node
                .shards
                .checked_sub(1)
                .and_then(|more| node.addr.port().checked_add(more));
            let last = last.ok_or_else(|| {
                ClusterError::Fixed(format!(
                    "{} has no ports for {} shards",
                    node.addr, node.shards
                ))
            })?;
            Ok(Newcomer {
                name: node.name.clone(),
                incarnation: 0,
                address: Address {
                    ip: node.addr.ip(),
                    ports: (node.addr.port()..=last).collect(),
                },
            })
        });
        let table = Table::fixed(nodes.collect::<Result<_, ClusterError>>()?);
        let table = table.map_err(|error| ClusterError::Fixed(error.to_string()))?;
        Ok(Cluster {
            table: Source::Fixed(Arc::new(table)),
            ..Cluster::new(name, MemoryTable::default())
        })
    }

    /// Where the others reach this node, if that is not the address that it listens at.
    pub fn advertise(mut self, ip: IpAddr) -> Self {
        self.advertised = Some(ip);
        self
    }

    /// How long leases are, and what follows from that: the same for all nodes of a cluster.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// How often the table is read even if nobody says that it has changed; every second by default.
    pub fn poll_every(mut self, every: Duration) -> Self {
        self.poll_every = every.max(Duration::from_millis(1));
        self
    }

    /// How long a shutdown may take to give this node's slots to others, before it goes on without;
    /// 30 seconds by default.
    pub fn leave_within(mut self, limit: Duration) -> Self {
        self.leave_within = limit;
        self
    }

    pub(crate) fn check(
        &self,
        listen: Option<&Listen>,
        stores: &StoreChoices,
    ) -> Result<(), ClusterError> {
        if let Some(local) = stores.local() {
            return Err(ClusterError::LocalStore(local.to_owned()));
        }
        let listen = listen.ok_or(ClusterError::DoesNotListen)?;
        if self.advertised.is_none() && listen.addr.ip().is_unspecified() {
            return Err(ClusterError::NoAddress(listen.addr));
        }
        if !(1..=NAME_MOST).contains(&self.name.len()) {
            return Err(ClusterError::Name(self.name.len()));
        }
        let Timing {
            lease, ask_every, ..
        } = self.timing;
        if ask_every * 2 > lease || ask_every.is_zero() {
            return Err(ClusterError::Timing { lease, ask_every });
        }
        Ok(())
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("advertised", &self.advertised)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}
