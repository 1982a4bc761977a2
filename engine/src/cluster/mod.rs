//! A node's part in its cluster, as its shards see it.
//!
//! The first shard keeps it ([`node`]): it reads and writes the table, asks the others for leases,
//! and tells all shards who serves what now. Each shard has its own [`view`] of that, by which it
//! serves, sends elsewhere or holds back; actors whose slots were lost [leave](leaving) before the
//! node says that it has let go of them.

mod leaving;
mod node;
#[cfg(feature = "redis")]
mod redis;
mod settings;
mod status;
mod view;

pub(crate) use self::leaving::{Leaving, leave_slots};
pub(crate) use self::node::{Node, say_let_go};
#[cfg(feature = "redis")]
pub use self::redis::RedisTable;
pub(crate) use self::settings::Source;
pub use self::settings::{Cluster, ClusterError, FixedNode};
pub use self::status::{ClusterMember, ClusterStatus};
pub(crate) use self::view::{Lease, Ownership, View, Whereabouts};
