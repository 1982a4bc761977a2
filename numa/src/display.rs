//! The machine and the placement as text for people.

use std::fmt;

use crate::{CpuList, Placement, Topology};

impl fmt::Display for Topology {
    /// A summary of several lines: totals, then packages, nodes, L3 groups and distances.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        let totals = [
            count(machine.packages.len(), "package"),
            count(machine.nodes.len(), "NUMA node"),
            count(machine.l3_groups.len(), "L3 group"),
            count(machine.cores.len(), "core"),
            count(machine.cpus.len(), "cpu"),
        ];
        writeln!(f, "{}", totals.join(", "))?;
        let cores = count(self.usable_cores(), "core");
        write!(
            f,
            "usable by this process: cpus {} on {cores}",
            self.limits.cpus
        )?;
        match self.limits.quota {
            Some(quota) => writeln!(f, ", cgroup quota {quota:.2} cores")?,
            None => writeln!(f, ", no cgroup quota")?,
        }
        for package in &machine.packages {
            writeln!(f, "package {}: cpus {}", package.id, package.cpus)?;
            for node in machine
                .nodes
                .iter()
                .filter(|node| node.package == Some(package.id))
            {
                let memory = size(node.memory);
                writeln!(f, "  node {}: {memory}, cpus {}", node.id, node.cpus)?;
                let near = |(l3, at): (usize, usize)| (l3, at) == (node.id, package.id);
                for l3 in machine
                    .l3_groups
                    .iter()
                    .filter(|l3| near((l3.node, l3.package)))
                {
                    let cache = l3.size.map_or_else(|| "no L3".to_owned(), size);
                    let cores = machine.cores.iter().filter(|core| core.l3 == l3.index);
                    let cores: CpuList = cores.map(|core| core.index).collect();
                    writeln!(
                        f,
                        "    L3 {}: {cache}, cores {cores}, cpus {}",
                        l3.index, l3.cpus
                    )?;
                }
            }
        }
        for node in machine.nodes.iter().filter(|node| node.package.is_none()) {
            writeln!(f, "node {}: {}, no cpus", node.id, size(node.memory))?;
        }
        if machine.nodes.len() > 1 {
            writeln!(f, "distances between nodes:")?;
            write!(f, "      ")?;
            for node in &machine.nodes {
                write!(f, "{:>5}", node.id)?;
            }
            for (node, row) in machine.nodes.iter().zip(&machine.distances) {
                write!(f, "\n{:>6}", node.id)?;
                for distance in row {
                    write!(f, "{distance:>5}")?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Placement {
    /// A table with a line per shard, then the housekeeping cpu and the notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>5}  {:>5}  {:>5}  {:>4}  {:>4}  package",
            "shard", "cpu", "core", "L3", "node"
        )?;
        for at in &self.shards {
            let cpu = at
                .cpu
                .map_or_else(|| "any".to_owned(), |cpu| cpu.to_string());
            writeln!(
                f,
                "{:>5}  {cpu:>5}  {:>5}  {:>4}  {:>4}  {:>7}",
                at.shard, at.core, at.l3, at.node, at.package
            )?;
        }
        match self.housekeeping {
            Some(cpu) => writeln!(f, "housekeeping: cpu {cpu}")?,
            None => writeln!(f, "housekeeping: no core of its own")?,
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Bytes as a person would write them: the largest unit that leaves a whole number or one digit
/// behind the point.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) if bytes.is_multiple_of(*unit) => format!("{} {name}", bytes / unit),
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}
