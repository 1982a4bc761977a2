//! Who waits for whom, readable from every shard: what finds a call cycle.
//!
//! Each endpoint publishes, for every call it has in flight, which turn waits for it and which
//! call that turn itself serves. The table is written with relaxed stores on the way of a call
//! and read only where a call meets an actor that is held exclusively. A reader checks the
//! generation before and after, as with a sequence lock; a call that ended meanwhile simply ends
//! the chain.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

const CHUNK: usize = 1024;
const CHUNKS: usize = 4096;
/// Longer chains are cut off: a walk must end even if the table lies.
const MAX_DEPTH: usize = 256;

/// One endpoint's calls in flight, for others to follow.
pub struct ChainTable {
    chunks: Box<[OnceLock<Box<[Cell]>>]>,
}

/// A call as its callee sees it: which endpoint made it, and which of its calls it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// The endpoint; [`Origin::NOBODY`] where no call is served.
    pub peer: u16,
    /// The entry in that endpoint's table of calls.
    pub index: u32,
    /// Which use of the entry.
    pub generation: u32,
}

/// Names a turn among all turns of an engine; zero is no turn.
pub type TurnId = u64;

#[derive(Default)]
struct Cell {
    generation: AtomicU32,
    turn: AtomicU64,
    parent: AtomicU64,
    parent_generation: AtomicU32,
}

impl Origin {
    const NOBODY_PEER: u16 = u16::MAX;

    /// No call at all: a turn that serves a one-way message.
    pub const NOBODY: Origin = Origin {
        peer: Self::NOBODY_PEER,
        index: 0,
        generation: 0,
    };

    /// Whether somebody waits.
    #[must_use]
    #[inline]
    pub const fn is_somebody(self) -> bool {
        self.peer != Self::NOBODY_PEER
    }
}

impl Default for ChainTable {
    fn default() -> Self {
        ChainTable {
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
        }
    }
}

impl ChainTable {
    /// Publishes that `turn`, which serves `parent`, waits for the call (`index`, `generation`).
    /// Only the owner calls this. Calls beyond the table's four million are not followed.
    #[inline]
    pub(crate) fn publish(&self, index: u32, generation: u32, turn: TurnId, parent: Origin) {
        let Some(cell) = self.cell_for_write(index) else {
            return;
        };
        // Odd is "being written": a reader that sees it, or a change, gives up.
        cell.generation.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        cell.turn.store(turn, Ordering::Relaxed);
        cell.parent.store(
            (u64::from(parent.peer) << 32) | u64::from(parent.index),
            Ordering::Relaxed,
        );
        cell.parent_generation
            .store(parent.generation, Ordering::Relaxed);
        cell.generation.store(generation, Ordering::Release);
    }

    /// Ends what was published for `index`.
    #[inline]
    pub(crate) fn retract(&self, index: u32) {
        if let Some(chunk) = self
            .chunks
            .get(index as usize / CHUNK)
            .and_then(OnceLock::get)
        {
            chunk[index as usize % CHUNK]
                .generation
                .store(0, Ordering::Release);
        }
    }

    fn read(&self, index: u32, generation: u32) -> Option<(TurnId, Origin)> {
        let cell = &self.chunks.get(index as usize / CHUNK)?.get()?[index as usize % CHUNK];
        if cell.generation.load(Ordering::Acquire) != generation {
            return None;
        }
        let turn = cell.turn.load(Ordering::Relaxed);
        let parent = cell.parent.load(Ordering::Relaxed);
        let parent_generation = cell.parent_generation.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        if cell.generation.load(Ordering::Relaxed) != generation {
            return None;
        }
        let peer = (parent >> 32) as u16;
        Some((
            turn,
            Origin {
                peer,
                index: parent as u32,
                generation: parent_generation,
            },
        ))
    }

    #[inline]
    fn cell_for_write(&self, index: u32) -> Option<&Cell> {
        let chunk = self.chunks.get(index as usize / CHUNK)?;
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| Cell::default()).collect());
        Some(&chunk[index as usize % CHUNK])
    }
}

/// Whether any turn for which `wanted` holds waits, directly or through others, for `origin`.
///
/// `table` finds an endpoint's table; endpoints without one (ports) begin their chains.
pub fn chain_has<'a>(
    table: impl Fn(u16) -> Option<&'a ChainTable>,
    mut origin: Origin,
    wanted: impl Fn(TurnId) -> bool,
) -> bool {
    for _ in 0..MAX_DEPTH {
        if !origin.is_somebody() {
            return false;
        }
        let Some(found) = table(origin.peer).and_then(|t| t.read(origin.index, origin.generation))
        else {
            return false;
        };
        if found.0 != 0 && wanted(found.0) {
            return true;
        }
        origin = found.1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_followed_to_its_beginning() {
        let tables = [ChainTable::default(), ChainTable::default()];
        let table = |peer: u16| tables.get(usize::from(peer));
        tables[0].publish(3, 7, 100, Origin::NOBODY);
        tables[1].publish(
            5,
            9,
            200,
            Origin {
                peer: 0,
                index: 3,
                generation: 7,
            },
        );
        let origin = Origin {
            peer: 1,
            index: 5,
            generation: 9,
        };
        assert!(chain_has(table, origin, |turn| turn == 200));
        assert!(chain_has(table, origin, |turn| turn == 100));
        assert!(!chain_has(table, origin, |turn| turn == 300));
        tables[0].retract(3);
        assert!(
            !chain_has(table, origin, |turn| turn == 100),
            "an ended call ends the chain"
        );
        assert!(!chain_has(table, Origin::NOBODY, |_| true));
    }

    #[test]
    fn a_chain_that_bites_its_tail_ends() {
        let tables = [ChainTable::default()];
        let me = Origin {
            peer: 0,
            index: 1,
            generation: 1,
        };
        tables[0].publish(1, 1, 5, me);
        assert!(!chain_has(
            |peer| tables.get(usize::from(peer)),
            me,
            |turn| turn == 6
        ));
    }
}
