use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use quark_shards::shard::Shard;

use super::Served;
use crate::cluster::Lease;
use crate::registry::Registry;

/// What an engine and other processes know of each other: each thing once, from when it is known.
#[derive(Default)]
pub(crate) struct Acquaintance {
    incarnation: OnceLock<u64>,
    addresses: OnceLock<Vec<SocketAddr>>,
    lease: Lease,
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

    /// Until when the engine serves its part of a cluster.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn served(&self, registry: &Registry) -> Arc<[Served]> {
        self.served.get_or_init(|| registry.served()).clone()
    }
}
