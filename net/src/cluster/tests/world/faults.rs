//! What goes wrong in a world.

use super::{Event, SECOND, STORE, World};

impl World {
    /// Has something go wrong, or be mended; and again, later.
    pub(super) fn fault(&mut self) {
        if !self.faults {
            return;
        }
        let node = self.below(self.nodes.len() as u64) as usize;
        match self.below(9) {
            0 | 1 => {
                if self.nodes[node].process.take().is_some() {
                    self.counts.crashes += 1;
                    let at = self.below(3 * SECOND);
                    self.after(at, node, Event::Start);
                }
            }
            2 => {
                let until = self.now + self.below(2 * SECOND);
                if let Some(process) = &mut self.nodes[node].process {
                    self.counts.pauses += 1;
                    process.paused_until = until;
                }
            }
            3 => {
                self.counts.partitions += 1;
                let is_beyond = self.below(2) == 0;
                for a in 0..self.nodes.len() {
                    for b in 0..self.nodes.len() {
                        if (a <= node) != (b <= node) {
                            self.cut.insert((a, b));
                        }
                    }
                    if (a <= node) == is_beyond {
                        self.cut.insert((a, STORE));
                    }
                }
            }
            4 => {
                self.counts.one_way += 1;
                let to = self.below(self.nodes.len() as u64) as usize;
                if self.below(2) == 0 {
                    self.cut.insert((node, to));
                } else {
                    let all = 0..self.nodes.len();
                    self.cut.extend(all.map(|other| (other, node)));
                }
            }
            5 => {
                self.counts.outages += 1;
                if self.below(2) == 0 {
                    self.store_out_until = self.now + self.below(2 * SECOND);
                } else {
                    self.cut.insert((node, STORE));
                }
            }
            6 => {
                if let Some(process) = &mut self.nodes[node].process
                    && process.membership.me().is_some()
                {
                    self.counts.leaves += 1;
                    process.is_leaving = true;
                    process.membership.leave();
                }
            }
            _ => self.cut.clear(),
        }
        let next = self.below(SECOND);
        self.after(next, 0, Event::Fault);
    }
}
