use std::collections::BTreeMap;
use std::net::SocketAddr;

use quark::Engine;
use serde::{Deserialize, Serialize};

use super::counter;

/// How a node is doing: `quark node --figures` prints this as JSON, a line each time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figures {
    /// The node's name.
    pub name: String,
    /// Where its shards listen.
    pub addresses: Vec<SocketAddr>,
    /// Whether it serves what it owns: it has a lease.
    pub serves: bool,
    /// Whether the cluster can't change, because its table can't be reached.
    pub is_degraded: bool,
    /// The version of the table that it lives by.
    pub version: u64,
    /// How many slots each member owns, by that.
    pub owners: BTreeMap<String, usize>,
    /// How many calls it has served so far.
    pub calls: u64,
    /// How many actors it has in memory.
    pub actors: usize,
}

impl Figures {
    /// Asks `engine`, the node called `name`.
    pub(super) fn of(name: &str, engine: &Engine) -> Self {
        let mut figures = Figures {
            name: name.to_owned(),
            addresses: engine.addresses().to_vec(),
            calls: counter::calls(),
            actors: engine.count(),
            ..Figures::default()
        };
        if let Some(status) = engine.cluster() {
            figures.serves = status.serves;
            figures.is_degraded = status.is_degraded;
            figures.version = status.version;
            let owners = status.members.into_iter();
            figures.owners = owners.map(|member| (member.name, member.slots)).collect();
        }
        figures
    }

    /// How many slots it owns.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.owners.get(&self.name).copied().unwrap_or(0)
    }

    /// Whether it serves some.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.serves && self.slots() > 0
    }
}
