use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use quark_shards::shard::Shard;

use super::Served;
use crate::registry::Registry;

/// What an engine and other processes know of each other: each thing once, from when it is known.
#[derive(Default)]
pub(crate) struct Acquaintance {
    incarnation: OnceLock<u64>,
    addresses: OnceLock<Vec<SocketAddr>>,
    peers: OnceLock<Vec<SocketAddr>>,
    served: OnceLock<Arc<[Served]>>,
}

impl Acquaintance {
    /// What tells this launch from others; drawn by the first shard that asks.
    pub(super) fn incarnation(&self, shard: &Shard) -> u64 {
        *self.incarnation.get_or_init(|| shard.unique())
    }

    /// Where its shards listen.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.addresses.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn listens_at(&self, addresses: Vec<SocketAddr>) {
        let _ = self.addresses.set(addresses);
    }

    /// Where the shards of its peer listen.
    pub(super) fn peers(&self) -> &[SocketAddr] {
        self.peers.get().map_or(&[], Vec::as_slice)
    }

    pub(super) fn meet(&self, peers: Vec<SocketAddr>) -> &[SocketAddr] {
        self.peers.get_or_init(|| peers)
    }

    pub(crate) fn served(&self, registry: &Registry) -> Arc<[Served]> {
        self.served.get_or_init(|| registry.served()).clone()
    }
}
