//! A file on a simulated disk: its bytes in the cache, on the medium, and on their way.

use std::collections::VecDeque;

use bytes::Bytes;

use super::counts::DiskCounts;
use crate::driver::random::SplitMix64;

/// The least that a disk writes at once: a write is torn between sectors, never inside one.
pub(super) const SECTOR: usize = 512;

#[derive(Debug, Default)]
pub(super) struct File {
    /// What is read.
    current: Vec<u8>,
    /// What the medium holds.
    durable: Vec<u8>,
    /// Changes on their way from the one to the other, with their numbers.
    pending: VecDeque<(u64, Change)>,
    /// The number of the next change.
    next: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Truncate,
    /// To so many bytes at least.
    Grow(usize),
    Write {
        offset: usize,
        data: Bytes,
    },
}

impl File {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.current
    }

    /// What programs see at once, and the medium later.
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.delay(change);
    }

    /// What only the medium may see.
    pub(super) fn delay(&mut self, change: Change) {
        self.pending.push_back((self.next, change));
        self.next += 1;
    }

    /// How many changes it has seen: what an fdatasync submitted now will cover.
    pub(super) fn mark(&self) -> u64 {
        self.next
    }

    /// Whether one before `mark` is not durable.
    pub(super) fn is_dirty(&self, mark: u64) -> bool {
        self.pending
            .front()
            .is_some_and(|(number, _)| *number < mark)
    }

    /// Makes the changes before `mark` durable, those that `kept` says.
    pub(super) fn sync(&mut self, mark: u64, mut kept: impl FnMut() -> bool) {
        while let Some((_, change)) = self.pending.pop_front_if(|(number, _)| *number < mark) {
            if kept() {
                change.apply(&mut self.durable);
            }
        }
    }

    /// Loses power: each change that was not synced is kept, torn or lost.
    pub(super) fn crash(&mut self, random: &mut SplitMix64, counts: &mut DiskCounts) {
        for (_, change) in std::mem::take(&mut self.pending) {
            match random.within(0..=2) {
                0 => counts.lost += 1,
                1 => change.apply(&mut self.durable),
                _ => change.tear(&mut self.durable, random, counts),
            }
        }
        self.current.clone_from(&self.durable);
    }

    /// Turns one bit over, in the cache and on the medium; false if there is no such byte.
    pub(super) fn flip(&mut self, byte: usize, bit: u8) -> bool {
        let mask = 1 << (bit % 8);
        let Some(there) = self.current.get_mut(byte) else {
            return false;
        };
        *there ^= mask;
        if let Some(there) = self.durable.get_mut(byte) {
            *there ^= mask;
        }
        true
    }

    /// Cuts it to `len` bytes, in the cache and on the medium, where the rest arrives first.
    pub(super) fn cut(&mut self, len: usize) {
        self.sync(self.next, || true);
        self.current.truncate(len);
        self.durable.truncate(len);
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Truncate => to.clear(),
            Change::Grow(len) => to.resize(to.len().max(*len), 0),
            Change::Write { offset, data } => put(to, *offset, data),
        }
    }

    /// Applies some of its sectors.
    fn tear(&self, to: &mut Vec<u8>, random: &mut SplitMix64, counts: &mut DiskCounts) {
        let Change::Write { offset, data } = self else {
            // Giving a file another length is one journalled step of the file system.
            return self.apply(to);
        };
        counts.torn += 1;
        let mut start = 0;
        while start < data.len() {
            let sector_end = (offset + start) / SECTOR * SECTOR + SECTOR;
            let end = (sector_end - offset).min(data.len());
            if random.chance(0.5) {
                put(to, offset + start, &data[start..end]);
            }
            start = end;
        }
    }
}

fn put(to: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let end = offset + data.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[offset..end].copy_from_slice(data);
}
