//! Which shard runs where.

use std::collections::BTreeSet;

use crate::{
    CpuList, Housekeeping, TopologyError,
    limits::Limits,
    machine::{Cpu, Machine},
    topology::Selection,
};

/// Where each shard runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The shards, in order of their numbers.
    pub shards: Vec<ShardPlace>,
    /// The cpu left free of shards for everything else, if any.
    pub housekeeping: Option<usize>,
    /// Whether shards share cores, for want of enough of them.
    pub oversubscribed: bool,
    /// What the user should know about how this came out, a line each.
    pub notes: Vec<String>,
}

/// Where one shard runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardPlace {
    /// The shard's number.
    pub shard: u16,
    /// The cpu to pin it to; none when it is not to be pinned. The other fields then name the
    /// place it is counted under, and the system may run it anywhere.
    pub cpu: Option<usize>,
    /// The index of its core.
    pub core: usize,
    /// The index of its L3 group.
    pub l3: usize,
    /// Its NUMA node, by the system's number.
    pub node: usize,
    /// Its package, by the system's number.
    pub package: usize,
}

/// From this many usable cores on, one is left for housekeeping.
const CORES_TO_SPARE_ONE: usize = 4;

/// Shard numbers have 16 bits.
const MOST_SHARDS: usize = u16::MAX as usize;

pub(crate) fn place(
    machine: &Machine,
    limits: &Limits,
    selection: &Selection,
) -> Result<Placement, TopologyError> {
    let chooser = Chooser {
        machine,
        limits,
        selection,
    };
    chooser.check()?;
    let (candidates, keeper) = chooser.candidates()?;
    let wanted = chooser.wanted(&candidates, keeper);
    if wanted > MOST_SHARDS {
        return Err(TopologyError::TooManyShards {
            asked: wanted,
            limit: MOST_SHARDS,
        });
    }
    let oversubscribed = wanted > candidates.len();
    if oversubscribed && (!selection.oversubscribe || candidates.is_empty()) {
        return Err(TopologyError::TooFewCores {
            asked: wanted,
            usable: candidates.len(),
            cpus: candidates.iter().map(|cpu| cpu.id).collect(),
        });
    }
    let (chosen, housekeeping) = chooser.spare(candidates, wanted, keeper);
    let place = |(shard, cpu): (u16, &Cpu)| ShardPlace {
        shard,
        cpu: (!oversubscribed).then_some(cpu.id),
        core: cpu.core,
        l3: cpu.l3,
        node: cpu.node,
        package: cpu.package,
    };
    let shards: Vec<_> = (0..)
        .zip(chosen.iter().cycle())
        .take(wanted)
        .map(place)
        .collect();
    let notes = chooser.notes(&shards, chosen.len(), housekeeping);
    Ok(Placement {
        shards,
        housekeeping,
        oversubscribed,
        notes,
    })
}

struct Chooser<'a> {
    machine: &'a Machine,
    limits: &'a Limits,
    selection: &'a Selection,
}

impl Chooser<'_> {
    /// Refuses what no machine of this kind could give, before anything is chosen.
    fn check(&self) -> Result<(), TopologyError> {
        if self.selection.shards == Some(0) {
            let usable = self.machine.usable_cores(&self.limits.cpus).count();
            return Err(TopologyError::ZeroShards { usable });
        }
        let mut seen = BTreeSet::new();
        let listed = self.selection.cpus.iter().flatten().copied();
        let keeper = match self.selection.housekeeping {
            Housekeeping::Cpu(cpu) => Some(cpu),
            Housekeeping::None | Housekeeping::Auto => None,
        };
        for cpu in listed.chain(keeper) {
            self.usable(cpu)?;
            if !seen.insert(cpu) {
                return Err(TopologyError::DuplicateCpu { cpu });
            }
        }
        if self.selection.cpus.as_ref().is_some_and(Vec::is_empty) {
            return Err(TopologyError::NoCpus {
                usable: self.limits.cpus.clone(),
            });
        }
        Ok(())
    }

    /// The cpus shards may get, in the order they get them, and the cpu named for housekeeping.
    fn candidates(&self) -> Result<(Vec<Cpu>, Option<Cpu>), TopologyError> {
        let keeper = match self.selection.housekeeping {
            Housekeeping::Cpu(cpu) => Some(self.usable(cpu)?),
            Housekeeping::None | Housekeeping::Auto => None,
        };
        if let Some(listed) = &self.selection.cpus {
            let listed = listed
                .iter()
                .map(|&cpu| self.usable(cpu))
                .collect::<Result<_, _>>()?;
            return Ok((listed, keeper));
        }
        let mut candidates = Vec::new();
        for (_, cpus) in self.machine.usable_cores(&self.limits.cpus) {
            let threads = if self.selection.skip_smt {
                1
            } else {
                cpus.len()
            };
            let cpus = cpus
                .iter()
                .filter_map(|cpu| self.machine.cpu(cpu))
                .take(threads);
            candidates.extend(cpus.copied().enumerate());
        }
        // Within a cache, siblings come into use after all cores have: a shard on a core of its
        // own runs faster than two on one.
        candidates.sort_by_key(|&(rank, cpu)| (cpu.l3, rank, cpu.core));
        let free = |cpu: &Cpu| keeper.is_none_or(|keeper| keeper.core != cpu.core);
        Ok((
            candidates
                .into_iter()
                .map(|(_, cpu)| cpu)
                .filter(free)
                .collect(),
            keeper,
        ))
    }

    /// How many shards to place.
    fn wanted(&self, candidates: &[Cpu], keeper: Option<Cpu>) -> usize {
        if let Some(asked) = self.selection.shards {
            return asked;
        }
        if self.selection.cpus.is_some() {
            return candidates.len();
        }
        let last = candidates.iter().map(|cpu| cpu.core).max();
        let spared = candidates
            .iter()
            .filter(|cpu| self.spares_one() && Some(cpu.core) == last);
        let room = candidates.len() - spared.count();
        // The housekeeping thread draws on the quota too, where that is large enough to share.
        let aside = usize::from(self.spares_one() || (keeper.is_some() && self.quota() > 1));
        room.min(self.quota().saturating_sub(aside)).max(1)
    }

    /// The cpus that get shards, and the one for housekeeping.
    fn spare(
        &self,
        mut candidates: Vec<Cpu>,
        wanted: usize,
        keeper: Option<Cpu>,
    ) -> (Vec<Cpu>, Option<usize>) {
        let all = candidates.clone();
        candidates.truncate(wanted);
        if keeper.is_some() || !self.spares_one() {
            return (candidates, keeper.map(|cpu| cpu.id));
        }
        let taken: BTreeSet<_> = candidates.iter().map(|cpu| cpu.core).collect();
        let free = || {
            let usable = self.machine.usable_cores(&self.limits.cpus);
            usable.filter(|(core, _)| !taken.contains(core))
        };
        let after = |&(core, _): &(usize, CpuList)| Some(&core) > taken.last();
        if let Some((_, cpus)) = free().find(after).or_else(|| free().next()) {
            return (candidates, cpus.first());
        }
        // Siblings in use may leave no core free, yet give room to empty one.
        if self.selection.cpus.is_none()
            && let Some(&last) = all
                .iter()
                .max_by_key(|cpu| (cpu.core, std::cmp::Reverse(cpu.smt)))
        {
            let mut rest: Vec<_> = all
                .into_iter()
                .filter(|cpu| cpu.core != last.core)
                .collect();
            if rest.len() >= wanted {
                rest.truncate(wanted);
                return (rest, Some(last.id));
            }
        }
        (candidates, None)
    }

    /// Whether a core is to be found for housekeeping, if the shards leave one.
    fn spares_one(&self) -> bool {
        let cores = self.machine.usable_cores(&self.limits.cpus).count();
        self.selection.housekeeping == Housekeeping::Auto
            && cores.min(self.quota()) >= CORES_TO_SPARE_ONE
    }

    /// The whole cores that the quota allows to keep busy, at least one.
    fn quota(&self) -> usize {
        // A cast of floats saturates.
        self.limits
            .quota
            .map_or(usize::MAX, |cores| (cores as usize).max(1))
    }

    fn notes(&self, shards: &[ShardPlace], on: usize, housekeeping: Option<usize>) -> Vec<String> {
        let mut notes = Vec::new();
        let online = self.machine.cpus.len();
        let usable = self.limits.cpus.len();
        if usable < online {
            notes.push(format!(
                "{usable} of {online} cpus are usable (cpuset or affinity)"
            ));
        }
        if let Some(quota) = self.limits.quota {
            let chosen = self.selection.shards.is_some() || self.selection.cpus.is_some();
            if !chosen && self.quota() < self.machine.usable_cores(&self.limits.cpus).count() {
                notes.push(format!(
                    "the number of shards is held down by a cgroup quota of {quota:.2} cores"
                ));
            } else if shards.len() as f64 > quota {
                notes.push(format!(
                    "a cgroup quota of {quota:.2} cores will throttle {} busy shards",
                    shards.len()
                ));
            }
        }
        if shards.len() > on {
            notes.push(format!(
                "{} shards share {on} cpus: none is pinned, the system runs each where one is free",
                shards.len()
            ));
        } else {
            let cores: BTreeSet<_> = shards.iter().map(|shard| shard.core).collect();
            if cores.len() < shards.len() {
                notes.push(format!(
                    "{} shards share {} cores as SMT siblings",
                    shards.len(),
                    cores.len()
                ));
            }
        }
        if self.spares_one() && housekeeping.is_none() {
            notes.push("every usable core has a shard: none is left for housekeeping".to_owned());
        }
        notes
    }

    /// The cpu of that number, if this process may use it.
    fn usable(&self, cpu: usize) -> Result<Cpu, TopologyError> {
        let Some(found) = self.machine.cpu(cpu) else {
            return Err(TopologyError::UnknownCpu {
                cpu,
                online: self.machine.online(),
            });
        };
        if !self.limits.cpus.contains(cpu) {
            let usable = self.limits.cpus.clone();
            return Err(TopologyError::CpuNotAllowed { cpu, usable });
        }
        Ok(*found)
    }
}
