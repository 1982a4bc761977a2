//! The machine, and what is wanted of it.

use std::path::Path;

use crate::{
    Core, Cpu, CpuList, L3Group, Node, Package, Placement, Synthetic, TopologyError,
    files::Files,
    limits::Limits,
    machine::{Found, Machine},
    place, sysfs,
};

/// The machine, with the selection made on it by builder methods.
///
/// Unless told otherwise, every usable core gets one shard: SMT siblings stay idle, a cgroup quota
/// is kept, and from four usable cores on, one is left for [housekeeping](Self::housekeeping).
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    pub(crate) machine: Machine,
    pub(crate) limits: Limits,
    pub(crate) selection: Selection,
}

/// Which core, if any, is left to threads that are not shards (the control thread, the kernel).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Housekeeping {
    /// None: every core may get a shard.
    None,
    /// The core next after the last shard's, on machines of four usable cores or more, as long
    /// as the shards asked for leave one.
    #[default]
    Auto,
    /// This cpu. No shard is put on its core, unless an explicit list says so.
    Cpu(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selection {
    pub(crate) shards: Option<usize>,
    pub(crate) cpus: Option<Vec<usize>>,
    pub(crate) skip_smt: bool,
    pub(crate) housekeeping: Housekeeping,
    pub(crate) oversubscribe: bool,
}

/// Where the machine comes from.
impl Topology {
    /// Reads this machine, and what of it this process may use: through hwloc with the feature
    /// `hwloc`, else from sysfs.
    ///
    /// The usable cpus are those of the process's first thread: detect before pinning that one.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Unreadable`] or [`TopologyError::Malformed`], naming the file of `/sys` or
    /// `/proc`; with the feature, also when hwloc fails.
    pub fn detect() -> Result<Self, TopologyError> {
        let files = Files::under(Path::new("/"));
        #[cfg(feature = "hwloc")]
        let found = crate::hwloc::read()?;
        #[cfg(not(feature = "hwloc"))]
        let found = sysfs::read(files)?;
        Self::limited(files, found)
    }

    /// Reads a machine from a copy of its `/sys` and `/proc` under `root`, always as sysfs
    /// describes it. Useful to look into the placement on a machine that is elsewhere.
    ///
    /// # Errors
    ///
    /// [`TopologyError::Unreadable`] or [`TopologyError::Malformed`], naming the file.
    pub fn from_root(root: impl AsRef<Path>) -> Result<Self, TopologyError> {
        let files = Files::under(root.as_ref());
        Self::limited(files, sysfs::read(files)?)
    }

    /// A machine made up for tests.
    ///
    /// # Panics
    ///
    /// When the machine would have more than [`MAX_CPUS`](crate::MAX_CPUS) cpus.
    #[must_use]
    pub fn synthetic(spec: Synthetic) -> Self {
        let (machine, limits) = spec.build();
        Self {
            machine,
            limits,
            selection: Selection::default(),
        }
    }

    fn limited(files: Files<'_>, found: Found) -> Result<Self, TopologyError> {
        let machine = Machine::number(found);
        let limits = Limits::read(files, &machine.online())?;
        Ok(Self {
            machine,
            limits,
            selection: Selection::default(),
        })
    }
}

/// What is wanted of it.
impl Topology {
    /// How many shards to place, instead of one for each usable core.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        self.selection.shards = Some(shards);
        self
    }

    /// The cpus to put shards on, in this order: shard 0 on the first. SMT siblings on the list
    /// are taken at their word.
    #[must_use]
    pub fn cpus(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.selection.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Whether only one hardware thread of each core gets a shard. It is so unless set to false.
    #[must_use]
    pub fn skip_smt(mut self, skip: bool) -> Self {
        self.selection.skip_smt = skip;
        self
    }

    /// Which core to leave free of shards.
    #[must_use]
    pub fn housekeeping(mut self, housekeeping: Housekeeping) -> Self {
        self.selection.housekeeping = housekeeping;
        self
    }

    /// Whether more shards than cores may be asked for. Then none of them is pinned: only the
    /// system's scheduler sees which core is free at the moment.
    #[must_use]
    pub fn oversubscribe(mut self, oversubscribe: bool) -> Self {
        self.selection.oversubscribe = oversubscribe;
        self
    }

    /// Decides which shard goes where: package by package, node by node, L3 by L3, so that
    /// neighbouring shards share caches and few shards keep close together.
    ///
    /// # Errors
    ///
    /// When the machine lacks what was asked for; the error says what it has.
    pub fn place(&self) -> Result<Placement, TopologyError> {
        place::place(&self.machine, &self.limits, &self.selection)
    }
}

/// What it has.
impl Topology {
    /// The packages, ascending by number.
    #[must_use]
    pub fn packages(&self) -> &[Package] {
        &self.machine.packages
    }

    /// The NUMA nodes, ascending by number.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.machine.nodes
    }

    /// How far each node is from each, in the system's unit (10 is a node to itself): a row and a
    /// column per node, in the order of [`nodes`](Self::nodes).
    #[must_use]
    pub fn distances(&self) -> &[Vec<u32>] {
        &self.machine.distances
    }

    /// How far node `to` is from node `from`, by the system's numbers; none when there is no such
    /// node.
    #[must_use]
    pub fn distance(&self, from: usize, to: usize) -> Option<u32> {
        let place = |id| self.machine.nodes.iter().position(|node| node.id == id);
        self.machine
            .distances
            .get(place(from)?)?
            .get(place(to)?)
            .copied()
    }

    /// The L3 groups; neighbours are near each other.
    #[must_use]
    pub fn l3_groups(&self) -> &[L3Group] {
        &self.machine.l3_groups
    }

    /// The cores, in the order in which shards are put on them.
    #[must_use]
    pub fn cores(&self) -> &[Core] {
        &self.machine.cores
    }

    /// The online cpus, ascending by number, whether usable or not.
    #[must_use]
    pub fn online_cpus(&self) -> &[Cpu] {
        &self.machine.cpus
    }

    /// The cpu of that number, if it is online.
    #[must_use]
    pub fn cpu(&self, id: usize) -> Option<&Cpu> {
        self.machine.cpu(id)
    }

    /// The cpus this process may use: online, in its cpuset, in its affinity.
    #[must_use]
    pub fn usable_cpus(&self) -> &CpuList {
        &self.limits.cpus
    }

    /// How many cores have a cpu that this process may use.
    #[must_use]
    pub fn usable_cores(&self) -> usize {
        self.machine.usable_cores(&self.limits.cpus).count()
    }

    /// The processor time that cgroups leave to this process, in cores; none when unbounded.
    #[must_use]
    pub fn cpu_quota(&self) -> Option<f64> {
        self.limits.quota
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            shards: None,
            cpus: None,
            skip_smt: true,
            housekeeping: Housekeeping::Auto,
            oversubscribe: false,
        }
    }
}
