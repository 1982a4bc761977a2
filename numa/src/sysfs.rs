//! The machine as Linux's sysfs describes it.

use crate::{
    CpuList, TopologyError,
    files::Files,
    machine::{Found, FoundCpu, FoundL3, FoundNode},
};

const CPUS: &str = "sys/devices/system/cpu";
const NODES: &str = "sys/devices/system/node";

/// What the kernel puts between a node and itself, and a guess for nodes it says nothing of.
const LOCAL_DISTANCE: u32 = 10;
const REMOTE_DISTANCE: u32 = 20;

/// Caches per cpu that are looked at; real ones have four.
const MOST_CACHES: usize = 16;

/// Nodes that are believed; Linux builds for at most 1,024.
const MOST_NODES: usize = 1024;

/// Reads the online cpus and their groups. What older kernels and sandboxes leave out is taken
/// in the plainest way (a core of its own, one package, one node); what is there must make sense.
pub(crate) fn read(files: Files<'_>) -> Result<Found, TopologyError> {
    let online: CpuList = files.value(&format!("{CPUS}/online"))?;
    if online.is_empty() {
        return Err(files.malformed(&format!("{CPUS}/online"), "it names no cpu"));
    }
    let nodes = read_nodes(files)?;
    let cpus = online
        .iter()
        .map(|id| read_cpu(files, id, &online, &nodes))
        .collect::<Result<_, _>>()?;
    Ok(Found {
        cpus,
        nodes: nodes.into_iter().map(|(node, _)| node).collect(),
    })
}

fn read_cpu(
    files: Files<'_>,
    id: usize,
    online: &CpuList,
    nodes: &[(FoundNode, CpuList)],
) -> Result<FoundCpu, TopologyError> {
    let topology = format!("{CPUS}/cpu{id}/topology");
    // The second name is the one that kernels before 5.1 know.
    let siblings = match files.optional_value::<CpuList>(&format!("{topology}/core_cpus_list"))? {
        Some(siblings) => Some(siblings),
        None => files.optional_value(&format!("{topology}/thread_siblings_list"))?,
    };
    let package_file = format!("{topology}/physical_package_id");
    let package = match files.optional_value::<i64>(&package_file)? {
        // A kernel that doesn't know says -1.
        None | Some(-1) => 0,
        Some(package) => usize::try_from(package)
            .map_err(|_| files.malformed(&package_file, format!("{package} is no package")))?,
    };
    let home = nodes
        .iter()
        .find(|(_, cpus)| cpus.contains(id))
        .or(nodes.first());
    Ok(FoundCpu {
        id,
        core: siblings
            .and_then(|cpus| lowest(&cpus, online, id))
            .unwrap_or(id),
        l3: read_l3(files, id, online)?,
        node: home.map_or(0, |(node, _)| node.id),
        package,
    })
}

fn read_l3(
    files: Files<'_>,
    id: usize,
    online: &CpuList,
) -> Result<Option<FoundL3>, TopologyError> {
    for index in 0..MOST_CACHES {
        let cache = format!("{CPUS}/cpu{id}/cache/index{index}");
        let Some(level) = files.optional_value::<u32>(&format!("{cache}/level"))? else {
            break;
        };
        if level != 3 {
            continue;
        }
        let Some(sharers) = files.optional_value(&format!("{cache}/shared_cpu_list"))? else {
            continue;
        };
        let size_file = format!("{cache}/size");
        let size = match files.optional_text(&size_file)? {
            Some(text) => Some(
                bytes(text.trim())
                    .ok_or_else(|| files.malformed(&size_file, "it is no size like 32768K"))?,
            ),
            None => None,
        };
        let first_cpu = lowest(&sharers, online, id).unwrap_or(id);
        return Ok(Some(FoundL3 {
            first_cpu,
            size: size.filter(|&size| size > 0),
        }));
    }
    Ok(None)
}

/// The nodes, ascending, each with the cpus it claims.
fn read_nodes(files: Files<'_>) -> Result<Vec<(FoundNode, CpuList)>, TopologyError> {
    let Some(online) = files.optional_value::<CpuList>(&format!("{NODES}/online"))? else {
        // A kernel without NUMA support: all memory is one node's.
        let memory = memory(files, "proc/meminfo")?;
        let node = FoundNode {
            id: 0,
            memory,
            distances: vec![LOCAL_DISTANCE],
        };
        return Ok(vec![(node, CpuList::default())]);
    };
    if online.is_empty() {
        return Err(files.malformed(&format!("{NODES}/online"), "it names no node"));
    }
    if online.len() > MOST_NODES {
        let reason = format!(
            "it names {} nodes, and {MOST_NODES} is the most",
            online.len()
        );
        return Err(files.malformed(&format!("{NODES}/online"), reason));
    }
    let mut nodes = Vec::with_capacity(online.len());
    for (place, id) in online.iter().enumerate() {
        let folder = format!("{NODES}/node{id}");
        let cpus = files.value(&format!("{folder}/cpulist"))?;
        let memory = memory(files, &format!("{folder}/meminfo"))?;
        let distances = distances(files, &format!("{folder}/distance"), place, online.len())?;
        nodes.push((
            FoundNode {
                id,
                memory,
                distances,
            },
            cpus,
        ));
    }
    Ok(nodes)
}

/// A row of the distance matrix, with one entry per online node.
fn distances(
    files: Files<'_>,
    path: &str,
    place: usize,
    nodes: usize,
) -> Result<Vec<u32>, TopologyError> {
    let Some(text) = files.optional_text(path)? else {
        let guess = |to| {
            if to == place {
                LOCAL_DISTANCE
            } else {
                REMOTE_DISTANCE
            }
        };
        return Ok((0..nodes).map(guess).collect());
    };
    let row = text
        .split_whitespace()
        .take(MOST_NODES + 1)
        .map(|word| files.parse(path, word))
        .collect::<Result<Vec<u32>, _>>()?;
    if row.len() != nodes {
        let reason = format!("{} distances for {nodes} nodes", row.len());
        return Err(files.malformed(path, reason));
    }
    Ok(row)
}

/// `MemTotal` of a meminfo file, in bytes. A node's own has `Node 0` before the name.
fn memory(files: Files<'_>, path: &str) -> Result<u64, TopologyError> {
    let text = files.text(path)?;
    let kibibytes = text.lines().find_map(|line| {
        let (_, rest) = line.split_once("MemTotal:")?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    });
    kibibytes
        .and_then(|kibibytes| kibibytes.checked_mul(1024))
        .ok_or_else(|| files.malformed(path, "it has no line like `MemTotal: 1024 kB`"))
}

/// The lowest cpu of a group. Offline cpus name no group, and a group without the cpu whose file
/// it stands in is not believed.
fn lowest(group: &CpuList, online: &CpuList, member: usize) -> Option<usize> {
    let group = group.intersection(online);
    if group.contains(member) {
        group.first()
    } else {
        None
    }
}

/// A size as the kernel writes caches: `32768K`.
fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (text.strip_suffix('K')?, 10),
        b'M' => (text.strip_suffix('M')?, 20),
        b'G' => (text.strip_suffix('G')?, 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}
