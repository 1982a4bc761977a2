//! The hash ring of two levels: which node of a cluster a key belongs to, and which of the node's
//! shards.
//!
//! A key's hash names one of 65,536 slots by its low bits and a shard by its high bits. The slot
//! table says which node owns each slot. It is made by consistent hashing over virtual nodes with
//! bounded loads, and from then on changed only by joins and leaves, each of which moves no slot
//! that it need not: so it depends on its history, and is kept with its epoch.

use crate::slots::circle::Circle;

mod circle;
mod hash;

pub use hash::{Key, KeyHasher, hash_key};

/// Slots of a cluster.
pub const SLOTS: usize = 65_536;

/// The slot of a key, by its hash.
#[inline]
#[must_use]
pub const fn slot_of(hash: u64) -> u16 {
    hash as u16
}

/// The shard of a key on a node of `shards` shards, by its hash; zero if there are none.
#[inline]
#[must_use]
pub const fn shard_of(hash: u64, shards: u16) -> u16 {
    (((hash >> 32) * shards as u64) >> 32) as u16
}

/// A node's number in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// Which node owns each slot. No node owns more than one slot more than another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotTable {
    epoch: u64,
    owners: Box<[NodeId]>,
    /// Ascending.
    nodes: Vec<NodeId>,
}

/// Why a slot table can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotTableError {
    /// A table needs an owner for its slots.
    #[error("a slot table needs a node: keep at least one in the cluster")]
    NoNode,
    /// More nodes than slots.
    #[error("a cluster has slots for {SLOTS} nodes: remove one before adding another")]
    TooManyNodes,
    /// The node is named twice, or joins what it is in.
    #[error("node {} is in the slot table already: join it once", .0.0)]
    AlreadyIn(NodeId),
    /// The node leaves what it is not in.
    #[error("node {} is not in the slot table: only a member can leave", .0.0)]
    NotIn(NodeId),
    /// A stored table that names owners for another number of slots.
    #[error("a slot table has {SLOTS} owners, not {0}: store it again from a running node")]
    WrongLength(usize),
}

impl SlotTable {
    /// The table of a node alone. Its epoch is 1.
    #[must_use]
    pub fn single(node: NodeId) -> Self {
        SlotTable {
            epoch: 1,
            owners: vec![node; SLOTS].into(),
            nodes: vec![node],
        }
    }

    /// The table of these nodes with no history: the same in whatever order they are named. Its
    /// epoch is 1.
    ///
    /// # Errors
    /// If there is no node, too many, or one twice.
    pub fn assign(nodes: &[NodeId]) -> Result<Self, SlotTableError> {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable();
        if let Some(twice) = nodes.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SlotTableError::AlreadyIn(twice[0]));
        }
        check_count(&nodes)?;
        let mut owners = vec![nodes[0]; SLOTS];
        let every = 0..=u16::MAX;
        settle(&mut owners, every, &nodes, vec![0; nodes.len()]);
        Ok(SlotTable {
            epoch: 1,
            owners: owners.into(),
            nodes,
        })
    }

    /// A table as it was stored.
    ///
    /// # Errors
    /// If it does not name an owner for each slot.
    pub fn restore(epoch: u64, owners: Vec<NodeId>) -> Result<Self, SlotTableError> {
        if owners.len() != SLOTS {
            return Err(SlotTableError::WrongLength(owners.len()));
        }
        let mut nodes = owners.clone();
        nodes.sort_unstable();
        nodes.dedup();
        Ok(SlotTable {
            epoch,
            owners: owners.into(),
            nodes,
        })
    }

    /// This table after `newcomer` has joined: it takes its fair share, and nothing else moves.
    /// The epoch is the next.
    ///
    /// # Errors
    /// If the node is in already, or there are too many.
    pub fn join(&self, newcomer: NodeId) -> Result<Self, SlotTableError> {
        let Err(place) = self.nodes.binary_search(&newcomer) else {
            return Err(SlotTableError::AlreadyIn(newcomer));
        };
        let mut nodes = self.nodes.clone();
        nodes.insert(place, newcomer);
        check_count(&nodes)?;

        let share = SLOTS / nodes.len();
        let mut surplus = self.surplus(SLOTS - share);
        let mut owners = self.owners.clone();
        // The slots that lie nearest before the newcomer's points are the newcomer's by right.
        for slot in Circle::new(&[newcomer]).slots_by_distance() {
            let owner = &mut owners[usize::from(slot)];
            let surplus = &mut surplus[self.place(*owner)];
            if *surplus > 0 {
                *surplus -= 1;
                *owner = newcomer;
            }
        }
        Ok(SlotTable {
            epoch: self.epoch + 1,
            owners,
            nodes,
        })
    }

    /// This table after `leaver` has left: its slots go to the others, and nothing else moves.
    /// The epoch is the next.
    ///
    /// # Errors
    /// If the node is not in, or is the last.
    pub fn leave(&self, leaver: NodeId) -> Result<Self, SlotTableError> {
        let place = self
            .nodes
            .binary_search(&leaver)
            .map_err(|_| SlotTableError::NotIn(leaver))?;
        let mut nodes = self.nodes.clone();
        nodes.remove(place);
        check_count(&nodes)?;

        let mut loads = self.loads();
        loads.remove(place);
        let mut owners = self.owners.to_vec();
        let left = (0..=u16::MAX).filter(|slot| self.owner(*slot) == leaver);
        settle(&mut owners, left, &nodes, loads);
        Ok(SlotTable {
            epoch: self.epoch + 1,
            owners: owners.into(),
            nodes,
        })
    }

    /// The node that owns `slot`.
    #[inline]
    #[must_use]
    pub fn owner(&self, slot: u16) -> NodeId {
        self.owners[usize::from(slot)]
    }

    /// The owner of each slot, for storing.
    #[must_use]
    pub fn owners(&self) -> &[NodeId] {
        &self.owners
    }

    /// The nodes, ascending.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// Rises with every change.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many slots each node owns.
    fn loads(&self) -> Vec<usize> {
        let mut loads = vec![0; self.nodes.len()];
        for owner in &self.owners {
            loads[self.place(*owner)] += 1;
        }
        loads
    }

    /// How many slots each node has to give for the nodes to keep `total` evenly.
    fn surplus(&self, total: usize) -> Vec<usize> {
        let mut surplus = self.loads();
        let mut heaviest_first: Vec<usize> = (0..surplus.len()).collect();
        heaviest_first.sort_by_key(|place| (std::cmp::Reverse(surplus[*place]), *place));
        let mut to_give = SLOTS - total;
        let targets = even(total, surplus.len());
        for (place, target) in heaviest_first.into_iter().zip(targets) {
            let gives = surplus[place].saturating_sub(target).min(to_give);
            surplus[place] = gives;
            to_give -= gives;
        }
        surplus
    }

    fn place(&self, node: NodeId) -> usize {
        self.nodes
            .binary_search(&node)
            .expect("every owner is a node of the table")
    }
}

/// Gives each of `slots` to the first node behind it on the circle that has room, so that all
/// nodes end up with the same load, or one more.
fn settle(
    owners: &mut [NodeId],
    slots: impl Iterator<Item = u16>,
    nodes: &[NodeId],
    mut loads: Vec<usize>,
) {
    let (share, mut one_more) = (SLOTS / nodes.len(), SLOTS % nodes.len());
    one_more -= loads
        .iter()
        .filter(|load| **load > share)
        .count()
        .min(one_more);
    let mut circle = Circle::new(nodes);
    close_at(
        &mut circle,
        &loads,
        if one_more == 0 { share } else { share + 1 },
    );
    for slot in slots {
        let place = circle.first_behind(slot);
        owners[usize::from(slot)] = nodes[place];
        loads[place] += 1;
        if loads[place] > share {
            circle.close(place);
            one_more -= 1;
            if one_more == 0 {
                // Nobody goes above the share any more.
                close_at(&mut circle, &loads, share);
            }
        } else if loads[place] == share && one_more == 0 {
            circle.close(place);
        }
    }
}

/// Closes the nodes of at least this `load`.
fn close_at(circle: &mut Circle, loads: &[usize], load: usize) {
    for (place, _) in loads.iter().enumerate().filter(|(_, has)| **has >= load) {
        circle.close(place);
    }
}

/// `total` in `parts` parts that differ by at most one, the larger first.
fn even(total: usize, parts: usize) -> impl Iterator<Item = usize> {
    (0..parts).map(move |part| total / parts + usize::from(part < total % parts))
}

fn check_count(nodes: &[NodeId]) -> Result<(), SlotTableError> {
    match nodes.len() {
        0 => Err(SlotTableError::NoNode),
        1..=SLOTS => Ok(()),
        _ => Err(SlotTableError::TooManyNodes),
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
