//! The machine Quark runs on: packages, NUMA nodes and their distances, L3 groups, cores, SMT
//! siblings, and what of all that this process may really use.
//!
//! [`Topology::detect`] reads it, builder methods say what is wanted, and [`Topology::place`]
//! decides which shard runs where:
//!
//! ```
//! use quark_numa::{Synthetic, Topology};
//!
//! let machine = Topology::synthetic(Synthetic::two_sockets());
//! let placement = machine.shards(16).place()?;
//! assert_eq!(placement.shards.len(), 16);
//! // Neighbouring shards share a cache, as long as it has cores.
//! assert_eq!(placement.shards[0].l3, placement.shards[7].l3);
//! # Ok::<(), quark_numa::TopologyError>(())
//! ```
//!
//! With the feature `hwloc` the machine is read through hwloc (Debian: libhwloc-dev and
//! libudev-dev), without it from Linux's sysfs. Both give the same answer.

#![forbid(unsafe_code)]

mod cgroup;
mod cpulist;
mod display;
mod error;
mod files;
#[cfg(feature = "hwloc")]
mod hwloc;
mod limits;
mod machine;
mod pin;
mod place;
mod synthetic;
mod sysfs;
mod topology;

pub use cpulist::{CpuList, CpuListError, MAX_CPUS};
pub use error::TopologyError;
pub use machine::{Core, Cpu, L3Group, Node, Package};
pub use pin::{current_affinity, pin_current_thread};
pub use place::{Placement, ShardPlace};
pub use synthetic::Synthetic;
pub use topology::{Housekeeping, Topology};
