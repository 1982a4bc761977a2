//! Copies of `/sys` and `/proc`, written to a temporary folder.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::{collections::BTreeMap, fs, path::Path};

use quark_numa::{CpuList, Topology, TopologyError};
use tempfile::TempDir;

/// A machine as files.
pub struct Tree(TempDir);

/// A cpu to write: its number, and a name for each group it is in.
#[derive(Clone, Copy)]
pub struct CpuSpec {
    pub id: usize,
    pub core: usize,
    pub l3: Option<usize>,
    pub node: usize,
    pub package: usize,
}

impl Tree {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A whole machine; `nodes` gives the memory of each (kibibytes) and its row of distances.
    pub fn machine(cpus: &[CpuSpec], nodes: &[(usize, u64, &str)]) -> Self {
        let tree = Self::new();
        let online: CpuList = cpus.iter().map(|cpu| cpu.id).collect();
        tree.write("sys/devices/system/cpu/online", &online);
        let (mut cores, mut caches, mut of_node) = groups(cpus);
        for cpu in cpus {
            let folder = format!("sys/devices/system/cpu/cpu{}", cpu.id);
            let siblings = cores.entry(cpu.core).or_default();
            tree.write(&format!("{folder}/topology/core_cpus_list"), &*siblings);
            tree.write(
                &format!("{folder}/topology/physical_package_id"),
                cpu.package,
            );
            tree.write(&format!("{folder}/cache/index0/level"), 2);
            if let Some(l3) = cpu.l3 {
                let cache = format!("{folder}/cache/index1");
                tree.write(&format!("{cache}/level"), 3);
                tree.write(&format!("{cache}/size"), "16384K");
                tree.write(
                    &format!("{cache}/shared_cpu_list"),
                    &*caches.entry(l3).or_default(),
                );
            }
        }
        let online: CpuList = nodes.iter().map(|node| node.0).collect();
        tree.write("sys/devices/system/node/online", &online);
        for &(id, memory, distances) in nodes {
            let folder = format!("sys/devices/system/node/node{id}");
            let cpus = of_node.entry(id).or_default();
            let list = if cpus.is_empty() {
                String::new()
            } else {
                cpus.to_string()
            };
            tree.write(&format!("{folder}/cpulist"), list);
            tree.write(&format!("{folder}/distance"), distances);
            let text = format!("Node {id} MemTotal:  {memory} kB\nNode {id} MemFree:  1 kB");
            tree.write(&format!("{folder}/meminfo"), text);
        }
        tree.write("proc/meminfo", "MemTotal:   1024 kB\nMemFree:  1 kB");
        tree.allow("0-1023");
        tree
    }

    /// Two sockets, four nodes, an L3 each, 16 cores, two threads a core.
    pub fn two_sockets() -> Self {
        let cpu = |id| {
            let core = id % 16;
            CpuSpec {
                id,
                core,
                l3: Some(core / 4),
                node: core / 4,
                package: core / 8,
            }
        };
        let cpus: Vec<_> = (0..32).map(cpu).collect();
        Self::machine(
            &cpus,
            &[
                (0, 1 << 20, "10 12 32 32"),
                (1, 1 << 20, "12 10 32 32"),
                (2, 2 << 20, "32 32 10 12"),
                (3, 1 << 20, "32 32 12 10"),
            ],
        )
    }

    /// Adds what hwloc reads besides, or instead: sets as masks, kinds of caches, mounts.
    pub fn add_masks(&self) {
        let machine = self.read().unwrap();
        self.write("proc/cpuinfo", "");
        self.write("proc/mounts", "");
        for node in machine.nodes() {
            let path = format!("sys/devices/system/node/node{}/cpumap", node.id);
            self.write(&path, mask(&node.cpus));
        }
        for cpu in machine.online_cpus() {
            let folder = format!("sys/devices/system/cpu/cpu{}", cpu.id);
            let core = &machine.cores()[cpu.core].cpus;
            let package = machine
                .packages()
                .iter()
                .find(|package| package.id == cpu.package);
            self.write(&format!("{folder}/topology/core_id"), cpu.core);
            self.write(&format!("{folder}/topology/core_cpus"), mask(core));
            self.write(
                &format!("{folder}/topology/package_cpus"),
                mask(&package.unwrap().cpus),
            );
            let l3 = &machine.l3_groups()[cpu.l3].cpus;
            for (index, sharers) in [core, l3].into_iter().enumerate() {
                let cache = format!("{folder}/cache/index{index}");
                self.write(&format!("{cache}/type"), "Unified");
                self.write(&format!("{cache}/shared_cpu_map"), mask(sharers));
            }
        }
    }

    /// The cpus this process may use.
    pub fn allow(&self, list: &str) {
        let text = format!("Name:\ttest\nCpus_allowed:\tff\nCpus_allowed_list:\t{list}\nx:\t1");
        self.write("proc/self/status", text);
    }

    pub fn write(&self, path: &str, text: impl ToString) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.to_string() + "\n").unwrap();
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    pub fn remove(&self, path: &str) {
        let path = self.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }
        .unwrap();
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn read(&self) -> Result<Topology, TopologyError> {
        Topology::from_root(self.path())
    }
}

type Groups = BTreeMap<usize, CpuList>;

fn groups(cpus: &[CpuSpec]) -> (Groups, Groups, Groups) {
    let by = |name: &dyn Fn(&CpuSpec) -> Option<usize>| {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for cpu in cpus {
            if let Some(name) = name(cpu) {
                groups.entry(name).or_default().push(cpu.id);
            }
        }
        groups
            .into_iter()
            .map(|(name, cpus)| (name, cpus.into_iter().collect()))
            .collect()
    };
    (
        by(&|cpu| Some(cpu.core)),
        by(&|cpu| cpu.l3),
        by(&|cpu| Some(cpu.node)),
    )
}

/// The kernel's other form of a set: words of 32 bits in hexadecimal, the highest first.
fn mask(cpus: &CpuList) -> String {
    let words = cpus.iter().max().map_or(1, |highest| highest / 32 + 1);
    let word = |at: usize| {
        let bits = cpus
            .iter()
            .filter(|cpu| cpu / 32 == at)
            .map(|cpu| 1_u32 << (cpu % 32));
        format!("{:08x}", bits.fold(0, |all, bit| all | bit))
    };
    (0..words).rev().map(word).collect::<Vec<_>>().join(",")
}
