//! Consistent hashing: every node has many points on a circle of 64-bit numbers, and a slot
//! belongs to the first point behind its own.

use xxhash_rust::xxh3::xxh3_64;

use super::NodeId;

/// Points of a node. More spread its neighbours better, and cost time to make a table.
const POINTS: u32 = 64;

/// The points of some nodes, told apart by their place in the list given.
pub(super) struct Circle {
    /// Ascending: where, and whose.
    points: Vec<(u64, u32)>,
    /// For each point the next that may still be open, itself if it is.
    next: Vec<u32>,
    closed: Vec<bool>,
    open: usize,
}

impl Circle {
    pub(super) fn new(nodes: &[NodeId]) -> Self {
        let mut points = Vec::with_capacity(nodes.len() * POINTS as usize);
        for (place, node) in (0..).zip(nodes) {
            points.extend((0..POINTS).map(|copy| (point(1, node.0, copy), place)));
        }
        points.sort_unstable();
        let next = (0..points.len() as u32).collect();
        Circle {
            points,
            next,
            closed: vec![false; nodes.len()],
            open: nodes.len(),
        }
    }

    /// Takes a node's points out.
    pub(super) fn close(&mut self, place: usize) {
        self.open -= usize::from(!self.closed[place]);
        self.closed[place] = true;
    }

    /// The place of the open node whose point is the first behind that of `slot`.
    ///
    /// # Panics
    /// If all are closed.
    pub(super) fn first_behind(&mut self, slot: u16) -> usize {
        assert!(self.open > 0, "no node on the circle has room");
        let begin = self.begin(slot);
        let mut at = begin;
        loop {
            let next = self.next[at] as usize;
            if next != at {
                at = next;
            } else if self.closed[self.points[at].1 as usize] {
                self.next[at] = ((at + 1) % self.points.len()) as u32;
            } else {
                break;
            }
        }
        // Those that come this way again need not look at the closed ones.
        let mut walked = begin;
        while walked != at {
            walked = std::mem::replace(&mut self.next[walked], at as u32) as usize;
        }
        self.points[at].1 as usize
    }

    /// All slots, those first that lie nearest before a point.
    pub(super) fn slots_by_distance(&self) -> Vec<u16> {
        let distance = |slot| self.points[self.begin(slot)].0.wrapping_sub(of_slot(slot));
        let mut slots: Vec<u16> = (0..=u16::MAX).collect();
        slots.sort_by_cached_key(|slot| (distance(*slot), *slot));
        slots
    }

    /// The first point behind that of `slot`.
    fn begin(&self, slot: u16) -> usize {
        let of_slot = of_slot(slot);
        self.points.partition_point(|(point, _)| *point < of_slot) % self.points.len()
    }
}

fn of_slot(slot: u16) -> u64 {
    point(2, u32::from(slot), 0)
}

/// Where something lies on the circle: the same in every version of the program.
fn point(kind: u8, number: u32, copy: u32) -> u64 {
    let mut bytes = [kind; 9];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..8].copy_from_slice(&copy.to_le_bytes());
    xxh3_64(&bytes)
}
