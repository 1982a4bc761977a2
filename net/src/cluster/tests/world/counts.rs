//! What has happened to a world.

/// How many of each kind of fault there were, and what came of all.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) crashes: u64,
    pub(crate) pauses: u64,
    pub(crate) partitions: u64,
    pub(crate) one_way: u64,
    pub(crate) leaves: u64,
    pub(crate) outages: u64,
    pub(crate) lost: u64,
    pub(crate) twice: u64,
    pub(crate) late: u64,
    pub(crate) versions: u64,
    pub(crate) removals: u64,
    /// Times that a watched slot has found another server.
    pub(crate) moves: u64,
}

impl Counts {
    fn each(&mut self) -> [&mut u64; 13] {
        [
            &mut self.events,
            &mut self.crashes,
            &mut self.pauses,
            &mut self.partitions,
            &mut self.one_way,
            &mut self.leaves,
            &mut self.outages,
            &mut self.lost,
            &mut self.twice,
            &mut self.late,
            &mut self.versions,
            &mut self.removals,
            &mut self.moves,
        ]
    }

    pub(crate) fn add(&mut self, other: &Counts) {
        let mut other = other.clone();
        for (sum, more) in self.each().into_iter().zip(other.each()) {
            *sum += *more;
        }
    }

    pub(crate) fn has_all(&self) -> bool {
        self.clone().each().into_iter().all(|count| *count > 0)
    }
}
