//! The machine as hwloc describes it.

use hwlocality::{
    Topology as Hwloc,
    object::{TopologyObject, attributes::ObjectAttributes, types::ObjectType},
    topology::builder::{BuildFlags, TypeFilter},
};

use crate::{
    TopologyError,
    machine::{Found, FoundCpu, FoundL3, FoundNode},
};

/// Asks hwloc for this machine. Cpus outside the cpuset are included, since the cpuset is read
/// apart; no thread's binding is touched on the way.
pub(crate) fn read() -> Result<Found, TopologyError> {
    let flags = BuildFlags::INCLUDE_DISALLOWED | BuildFlags::DONT_CHANGE_BINDING;
    let machine = Hwloc::builder()
        .with_flags(flags)
        .map_err(failed)?
        .with_io_type_filter(TypeFilter::KeepNone)
        .map_err(failed)?
        .build()
        .map_err(failed)?;
    found(&machine)
}

/// What Quark needs of a machine that hwloc has read.
pub(crate) fn found(machine: &Hwloc) -> Result<Found, TopologyError> {
    let mut nodes: Vec<_> = machine.objects_with_type(ObjectType::NUMANode).collect();
    nodes.sort_unstable_by_key(|node| node.os_index());
    let cpus = machine
        .objects_with_type(ObjectType::PU)
        .map(|cpu| found_cpu(cpu, &nodes))
        .collect::<Result<Vec<_>, _>>()?;
    if cpus.is_empty() {
        return Err(TopologyError::Hwloc("it names no cpu".to_owned()));
    }
    let distances = distances(machine, &nodes)?;
    let found_nodes = nodes.iter().zip(distances).map(|(node, distances)| {
        let memory = match node.attributes() {
            Some(ObjectAttributes::NUMANode(node)) => node.local_memory().map_or(0, u64::from),
            _ => 0,
        };
        Ok::<_, TopologyError>(FoundNode {
            id: number(node)?,
            memory,
            distances,
        })
    });
    Ok(Found {
        cpus,
        nodes: found_nodes.collect::<Result<_, _>>()?,
    })
}

fn found_cpu(cpu: &TopologyObject, nodes: &[&TopologyObject]) -> Result<FoundCpu, TopologyError> {
    let id = number(cpu)?;
    let l3 = cpu
        .first_ancestor_with_type(ObjectType::L3Cache)
        .map(|cache| {
            let size = match cache.attributes() {
                Some(ObjectAttributes::Cache(cache)) => cache.size().map(u64::from),
                _ => None,
            };
            FoundL3 {
                first_cpu: first_cpu(cache).unwrap_or(id),
                size,
            }
        });
    // Memory without cpus of its own (HBM, CXL) has the cpus near it in its set, and a higher
    // number than the memory those cpus call theirs.
    let home = nodes
        .iter()
        .find(|node| node.cpuset().is_some_and(|cpus| cpus.is_set(id)))
        .or(nodes.first());
    Ok(FoundCpu {
        id,
        core: cpu
            .first_ancestor_with_type(ObjectType::Core)
            .and_then(first_cpu)
            .unwrap_or(id),
        l3,
        node: home.and_then(|node| node.os_index()).unwrap_or(0),
        package: cpu
            .first_ancestor_with_type(ObjectType::Package)
            .and_then(TopologyObject::os_index)
            .unwrap_or(0),
    })
}

/// A row per node, in the order of `nodes`. hwloc keeps no matrix for a single node.
fn distances(machine: &Hwloc, nodes: &[&TopologyObject]) -> Result<Vec<Vec<u32>>, TopologyError> {
    let matrices = machine.distances_with_name("NUMALatency").map_err(failed)?;
    let distance = |from: &TopologyObject, to: &TopologyObject| {
        let known = matrices
            .iter()
            .find_map(|matrix| matrix.object_pair_distance((from, to)));
        match known {
            Some((there, _)) => u32::try_from(there).map_err(failed),
            None if from.os_index() == to.os_index() => Ok(10),
            None => Ok(20),
        }
    };
    let row = |from: &&TopologyObject| nodes.iter().map(|to| distance(from, to)).collect();
    nodes.iter().map(row).collect()
}

fn first_cpu(object: &TopologyObject) -> Option<usize> {
    object.cpuset()?.first_set().map(usize::from)
}

fn number(object: &TopologyObject) -> Result<usize, TopologyError> {
    object
        .os_index()
        .ok_or_else(|| TopologyError::Hwloc(format!("{} has no number", object.object_type())))
}

fn failed(error: impl ToString) -> TopologyError {
    TopologyError::Hwloc(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Synthetic, machine::Machine};

    #[test]
    fn hwloc_and_synthetic_describe_two_sockets_alike() {
        // hwloc counts siblings together, Linux apart: core 0 has cpus 0 and 64.
        let cpus: Vec<_> = (0..64)
            .map(|core| format!("{core},{}", core + 64))
            .collect();
        let text = format!(
            "pack:2 group:2 [numa(memory=68719476736)] l3:2(size=33554432) core:8 \
             pu:2(indexes={})",
            cpus.join(",")
        );
        let hwloc = Hwloc::builder()
            .from_synthetic(&text)
            .unwrap()
            .build()
            .unwrap();
        let mut from_hwloc = Machine::number(found(&hwloc).unwrap());
        let (synthetic, _) = Synthetic::two_sockets().build();
        // hwloc's made-up machines have no distances.
        from_hwloc.distances.clone_from(&synthetic.distances);
        assert!(from_hwloc == synthetic, "{from_hwloc:?}");
    }
}
