//! What can go wrong when the machine is read, asked for shards, or pinned to.

use std::{io, path::PathBuf};

use crate::cpulist::{CpuList, CpuListError};

/// Why the machine could not be read, or cannot give what was asked of it.
///
/// Every variant displays as one line that says what, where, and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// A file of sysfs, procfs or cgroupfs that must be there could not be read.
    #[error("cannot read {}: {source} (are /sys and /proc mounted and readable?)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// A file of sysfs, procfs or cgroupfs does not hold what its format promises.
    #[error("{} does not make sense: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with its text.
        reason: String,
    },

    /// hwloc could not describe this machine.
    #[cfg(feature = "hwloc")]
    #[error(
        "hwloc cannot describe this machine: {0} (building without the feature `hwloc` reads sysfs instead)"
    )]
    Hwloc(String),

    /// No shard at all was asked for.
    #[error("zero shards asked for: at least one is needed (this machine can give {usable})")]
    ZeroShards {
        /// How many shards the machine could give, one per core.
        usable: usize,
    },

    /// More shards were asked for than there are cores to give them.
    #[error(
        "{asked} shards asked for, but there are cores for {usable} (cpus {cpus}): ask for no \
         more than that, or let shards share cores with `--oversubscribe` \
         (`.oversubscribe(true)`)"
    )]
    TooFewCores {
        /// The number of shards asked for.
        asked: usize,
        /// How many the selection can give.
        usable: usize,
        /// The cpus they would be on.
        cpus: CpuList,
    },

    /// More shards were asked for than shard numbers can tell apart.
    #[error("{asked} shards asked for: a process holds at most {limit}")]
    TooManyShards {
        /// The number of shards asked for.
        asked: usize,
        /// The most there can be.
        limit: usize,
    },

    /// A cpu was named that is not online on this machine.
    #[error("there is no cpu {cpu} online on this machine: it has cpus {online}")]
    UnknownCpu {
        /// The cpu named.
        cpu: usize,
        /// Those that exist.
        online: CpuList,
    },

    /// A cpu was named that this process is not allowed to run on.
    #[error(
        "cpu {cpu} is outside the cpuset or affinity of this process: it may use cpus {usable} \
         (choose from those, or widen the cpuset)"
    )]
    CpuNotAllowed {
        /// The cpu named.
        cpu: usize,
        /// Those the process may use.
        usable: CpuList,
    },

    /// A cpu was named twice in the explicit list, or there and for housekeeping.
    #[error("cpu {cpu} is asked for twice: name each cpu once, and keep housekeeping off the list")]
    DuplicateCpu {
        /// The cpu named twice.
        cpu: usize,
    },

    /// An explicit list of cpus was given, and it is empty.
    #[error("the list of cpus is empty: name at least one of {usable}")]
    NoCpus {
        /// The cpus the process may use.
        usable: CpuList,
    },

    /// A list of cpus, such as `0-3,8`, could not be read.
    #[error(transparent)]
    CpuList(#[from] CpuListError),

    /// The thread could not be pinned, or the pin did not hold.
    #[error("cannot pin this thread to cpu {cpu}: {reason}")]
    Pin {
        /// The cpu wanted.
        cpu: usize,
        /// Why it failed.
        reason: String,
    },
}
