//! Machines made up for tests.

use crate::{
    CpuList, MAX_CPUS,
    limits::Limits,
    machine::{Found, FoundCpu, FoundL3, FoundNode, Machine},
};

/// A machine to make up: every package, node, cache and core like the others.
///
/// Cpus are numbered as Linux does it: first one hardware thread of every core, then the second
/// of every core. Distances are those of a two-socket server: 10 within a node, 12 within a
/// package, 32 beyond. A count of zero is taken as one.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    /// Packages in the machine.
    pub packages: usize,
    /// NUMA nodes in each package.
    pub nodes_per_package: usize,
    /// L3 caches in each node.
    pub l3_per_node: usize,
    /// Cores that share each L3.
    pub cores_per_l3: usize,
    /// Hardware threads in each core.
    pub threads_per_core: usize,
    /// Memory of each node, in bytes.
    pub memory_per_node: u64,
    /// Size of each L3, in bytes.
    pub l3_size: u64,
    /// The cpus the process may use; all of them when none are named.
    pub usable: Option<CpuList>,
    /// The processor time the process may use, in cores.
    pub quota: Option<f64>,
}

impl Synthetic {
    /// Two sockets, four NUMA nodes, eight L3 caches, 64 cores, 128 hardware threads, 256 GiB.
    #[must_use]
    pub fn two_sockets() -> Self {
        Self {
            packages: 2,
            nodes_per_package: 2,
            l3_per_node: 2,
            cores_per_l3: 8,
            threads_per_core: 2,
            memory_per_node: 64 << 30,
            ..Self::default()
        }
    }

    pub(crate) fn build(self) -> (Machine, Limits) {
        let per_l3 = self.cores_per_l3.max(1);
        let per_node = self.l3_per_node.max(1).saturating_mul(per_l3);
        let per_package = self.nodes_per_package.max(1).saturating_mul(per_node);
        let cores = self.packages.max(1).saturating_mul(per_package);
        let total = self.threads_per_core.max(1).saturating_mul(cores);
        assert!(
            total <= MAX_CPUS,
            "a machine of {total} cpus: there can be {MAX_CPUS} at most"
        );

        let cpu = |id| {
            let core = id % cores;
            let l3 = FoundL3 {
                first_cpu: core / per_l3 * per_l3,
                size: Some(self.l3_size),
            };
            let (node, package) = (core / per_node, core / per_package);
            FoundCpu {
                id,
                core,
                l3: Some(l3),
                node,
                package,
            }
        };
        let nodes = cores / per_node;
        let package_of = |node| node * per_node / per_package;
        let distance = |from, to| match (from == to, package_of(from) == package_of(to)) {
            (true, _) => 10,
            (false, true) => 12,
            (false, false) => 32,
        };
        let node = |id| FoundNode {
            id,
            memory: self.memory_per_node,
            distances: (0..nodes).map(|to| distance(id, to)).collect(),
        };
        let machine = Machine::number(Found {
            cpus: (0..total).map(cpu).collect(),
            nodes: (0..nodes).map(node).collect(),
        });
        let online = machine.online();
        let cpus = self
            .usable
            .map_or_else(|| online.clone(), |cpus| cpus.intersection(&online));
        (
            machine,
            Limits {
                cpus,
                quota: self.quota,
            },
        )
    }
}

impl Default for Synthetic {
    /// One package, one node, one L3 of 32 MiB, two cores, one thread each, 8 GiB, no bounds.
    fn default() -> Self {
        Self {
            packages: 1,
            nodes_per_package: 1,
            l3_per_node: 1,
            cores_per_l3: 2,
            threads_per_core: 1,
            memory_per_node: 8 << 30,
            l3_size: 32 << 20,
            usable: None,
            quota: None,
        }
    }
}
