//! Which shards are near a place of the machine.

use std::collections::BTreeMap;

use quark_numa::{ShardPlace, Topology};

use crate::options::Near;

/// The shards near each node and each CPU: those that share the CPU's L3 cache, else those on its
/// node, else those on the nearest node that has some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Neighbourhoods {
    nodes: BTreeMap<usize, Vec<u16>>,
    cpus: BTreeMap<usize, Vec<u16>>,
}

impl Neighbourhoods {
    pub(crate) fn of(topology: &Topology, places: &[ShardPlace]) -> Self {
        let on = |is_near: &dyn Fn(&ShardPlace) -> bool| -> Vec<u16> {
            let near = places.iter().filter(|place| is_near(place));
            near.map(|place| place.shard).collect()
        };
        let near_node = |node: usize| {
            let mut nodes: Vec<_> = topology.nodes().iter().map(|other| other.id).collect();
            let distance = |other: &usize| topology.distance(node, *other).unwrap_or(u32::MAX);
            // Itself first, whatever the system says of distances.
            nodes.sort_by_key(|other| (*other != node, distance(other), *other));
            let mut shards = nodes.iter().map(|node| on(&|place| place.node == *node));
            shards.find(|shards| !shards.is_empty()).unwrap_or_default()
        };
        let nodes: BTreeMap<_, _> = topology
            .nodes()
            .iter()
            .map(|node| (node.id, near_node(node.id)))
            .collect();
        let cpus = topology.online_cpus().iter().map(|cpu| {
            let sharing = on(&|place| place.l3 == cpu.l3);
            let near = if sharing.is_empty() {
                nodes.get(&cpu.node).cloned().unwrap_or_default()
            } else {
                sharing
            };
            (cpu.id, near)
        });
        Neighbourhoods {
            cpus: cpus.collect(),
            nodes,
        }
    }

    /// Shards nobody knows the places of: all on one node, each on the CPU of its number.
    pub(crate) fn flat(shards: u16) -> Self {
        Neighbourhoods {
            nodes: BTreeMap::from([(0, (0..shards).collect())]),
            cpus: (0..shards)
                .map(|shard| (usize::from(shard), vec![shard]))
                .collect(),
        }
    }

    /// The shards near `place`; none if the machine has no such place.
    pub(crate) fn near(&self, place: Near) -> &[u16] {
        let near = match place {
            Near::Node(node) => self.nodes.get(&usize::from(node)),
            Near::Core(cpu) => self.cpus.get(&usize::from(cpu)),
        };
        near.map_or(&[], Vec::as_slice)
    }

    /// What there is, in words.
    pub(crate) fn places(&self) -> String {
        let list = |numbers: Vec<&usize>| match numbers[..] {
            [] => "none".to_owned(),
            [only] => only.to_string(),
            [first, .., last] => format!("{first} to {last}"),
        };
        format!(
            "nodes {}, cpus {}",
            list(self.nodes.keys().collect()),
            list(self.cpus.keys().collect())
        )
    }
}
