//! What of the machine this process may really use.

use crate::{CpuList, TopologyError, cgroup, files::Files};

/// The bounds the system has put on this process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    /// The cpus that its cpuset and affinity allow.
    pub(crate) cpus: CpuList,
    /// The processor time its cgroups allow, in cores.
    pub(crate) quota: Option<f64>,
}

impl Limits {
    pub(crate) fn read(files: Files<'_>, online: &CpuList) -> Result<Self, TopologyError> {
        Ok(Self {
            cpus: affinity(files)?.intersection(online),
            quota: cgroup::quota(files)?,
        })
    }
}

/// The affinity of the process's first thread, which the kernel keeps within the cpuset.
///
/// Not the calling thread's: a thread that pinned itself still belongs to a wider process.
fn affinity(files: Files<'_>) -> Result<CpuList, TopologyError> {
    const STATUS: &str = "proc/self/status";
    let text = files.text(STATUS)?;
    let Some(list) = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
    else {
        return Err(files.malformed(STATUS, "it has no line `Cpus_allowed_list:`"));
    };
    files.parse(STATUS, list)
}
