//! The machine as Quark sees it: one form, whoever read it.

use std::collections::{BTreeMap, BTreeSet};

use crate::CpuList;

/// A processor package: what sits in one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Package {
    /// The system's number of the package.
    pub id: usize,
    /// Its online cpus.
    pub cpus: CpuList,
}

/// A NUMA node: memory, and the cpus near to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// The system's number of the node, as `numactl` takes it.
    pub id: usize,
    /// The package its cpus belong to; none for memory without cpus.
    pub package: Option<usize>,
    /// Its memory, in bytes.
    pub memory: u64,
    /// Its online cpus; none for memory without cpus.
    pub cpus: CpuList,
}

/// Cores that share one L3 cache, within one node.
///
/// A cache that spans nodes counts once for each. Where the machine has no L3 (or hides it), the
/// cores of a node are one group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct L3Group {
    /// Its place in [`Topology::l3_groups`](crate::Topology::l3_groups).
    pub index: usize,
    /// The node it belongs to, by the system's number.
    pub node: usize,
    /// The package it belongs to, by the system's number.
    pub package: usize,
    /// The size of the cache in bytes; none where there is no L3.
    pub size: Option<u64>,
    /// Its online cpus.
    pub cpus: CpuList,
}

/// A physical core with its hardware threads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Core {
    /// Its place in [`Topology::cores`](crate::Topology::cores): neighbours share caches.
    pub index: usize,
    /// The index of its L3 group.
    pub l3: usize,
    /// Its node, by the system's number.
    pub node: usize,
    /// Its package, by the system's number.
    pub package: usize,
    /// Its online cpus (hardware threads).
    pub cpus: CpuList,
}

/// A logical cpu, which is what a thread is pinned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cpu {
    /// The system's number of the cpu.
    pub id: usize,
    /// The index of its core.
    pub core: usize,
    /// The index of its L3 group.
    pub l3: usize,
    /// Its node, by the system's number.
    pub node: usize,
    /// Its package, by the system's number.
    pub package: usize,
    /// Its rank among the hardware threads of its core: 0 is the first.
    pub smt: usize,
}

/// What a reader of machines found, before groups are numbered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) cpus: Vec<FoundCpu>,
    pub(crate) nodes: Vec<FoundNode>,
}

/// A cpu and the groups it is in. Cores and caches are named by the lowest cpu in them, since the
/// system's own numbers for them are neither unique nor always there.
#[derive(Clone, Debug)]
pub(crate) struct FoundCpu {
    pub(crate) id: usize,
    pub(crate) core: usize,
    pub(crate) l3: Option<FoundL3>,
    pub(crate) node: usize,
    pub(crate) package: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundL3 {
    pub(crate) first_cpu: usize,
    pub(crate) size: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct FoundNode {
    pub(crate) id: usize,
    pub(crate) memory: u64,
    /// One entry per node, in the order of `Found::nodes`.
    pub(crate) distances: Vec<u32>,
}

/// A machine, its groups numbered so that neighbours are near.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    pub(crate) packages: Vec<Package>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) distances: Vec<Vec<u32>>,
    pub(crate) l3_groups: Vec<L3Group>,
    pub(crate) cores: Vec<Core>,
    /// Ascending by cpu number.
    pub(crate) cpus: Vec<Cpu>,
}

impl Machine {
    /// Numbers what was found: package by package, node by node, cache by cache, core by core.
    /// `found.nodes` must be sorted by number.
    pub(crate) fn number(found: Found) -> Self {
        let mut cpus = found.cpus;
        let near = |cpu: &FoundCpu| {
            let l3 = cpu.l3.map_or(usize::MAX, |l3| l3.first_cpu);
            (cpu.package, cpu.node, l3, cpu.core, cpu.id)
        };
        cpus.sort_unstable_by_key(near);

        let mut machine = Self {
            packages: packages(&cpus),
            nodes: Vec::with_capacity(found.nodes.len()),
            distances: Vec::with_capacity(found.nodes.len()),
            l3_groups: Vec::new(),
            cores: Vec::new(),
            cpus: Vec::with_capacity(cpus.len()),
        };
        let same_l3 = |a: &FoundCpu, b: &FoundCpu| {
            let (a, b) = (near(a), near(b));
            (a.0, a.1, a.2) == (b.0, b.1, b.2)
        };
        for group in cpus.chunk_by(same_l3) {
            let l3 = machine.l3_groups.len();
            let FoundCpu { node, package, .. } = group[0];
            let size = group[0].l3.and_then(|l3| l3.size);
            let all = group.iter().map(|cpu| cpu.id).collect();
            machine.l3_groups.push(L3Group {
                index: l3,
                node,
                package,
                size,
                cpus: all,
            });
            for siblings in group.chunk_by(|a, b| a.core == b.core) {
                let core = machine.cores.len();
                let all = siblings.iter().map(|cpu| cpu.id).collect();
                machine.cores.push(Core {
                    index: core,
                    l3,
                    node,
                    package,
                    cpus: all,
                });
                machine
                    .cpus
                    .extend(siblings.iter().enumerate().map(|(smt, cpu)| Cpu {
                        id: cpu.id,
                        core,
                        l3,
                        node,
                        package,
                        smt,
                    }));
            }
        }
        machine.cpus.sort_unstable_by_key(|cpu| cpu.id);
        for node in found.nodes {
            let mut near = machine
                .cpus
                .iter()
                .filter(|cpu| cpu.node == node.id)
                .peekable();
            let package = near.peek().map(|cpu| cpu.package);
            let cpus = near.map(|cpu| cpu.id).collect();
            machine.nodes.push(Node {
                id: node.id,
                package,
                memory: node.memory,
                cpus,
            });
            machine.distances.push(node.distances);
        }
        machine
    }

    /// The cpu of that number, if it is online.
    pub(crate) fn cpu(&self, id: usize) -> Option<&Cpu> {
        let at = self.cpus.binary_search_by_key(&id, |cpu| cpu.id).ok()?;
        self.cpus.get(at)
    }

    /// The cores with a cpu among `usable`, in order, each with those cpus.
    pub(crate) fn usable_cores<'a>(
        &'a self,
        usable: &'a CpuList,
    ) -> impl Iterator<Item = (usize, CpuList)> + 'a {
        self.cores
            .iter()
            .map(|core| (core.index, core.cpus.intersection(usable)))
            .filter(|(_, cpus)| !cpus.is_empty())
    }

    /// Every online cpu.
    pub(crate) fn online(&self) -> CpuList {
        self.cpus.iter().map(|cpu| cpu.id).collect()
    }
}

fn packages(cpus: &[FoundCpu]) -> Vec<Package> {
    let mut packages: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for cpu in cpus {
        packages.entry(cpu.package).or_default().insert(cpu.id);
    }
    let package = |(id, cpus): (usize, BTreeSet<usize>)| Package {
        id,
        cpus: cpus.into_iter().collect(),
    };
    packages.into_iter().map(package).collect()
}
