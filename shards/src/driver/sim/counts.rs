//! What a simulated disk has done to those who trust it.

use std::iter::Sum;
use std::ops::Add;

/// Faults of disks that have happened, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskCounts {
    /// Reads and writes that moved less than they could.
    pub short: u64,
    /// Reads that failed with `EIO`.
    pub read_errors: u64,
    /// Writes that failed with `EIO`.
    pub write_errors: u64,
    /// Syncs, of files and directories, that failed with `EIO`.
    pub sync_errors: u64,
    /// Syncs that said yes to something and did nothing.
    pub syncs_lost: u64,
    /// Writes and allocations that found no room.
    pub no_space: u64,
    /// Writes whose bytes landed elsewhere in their file.
    pub misdirected: u64,
    /// Writes that a crash kept in part, sector by sector.
    pub torn: u64,
    /// Changes of files that a crash lost.
    pub lost: u64,
    /// Changes of names that a crash lost.
    pub names_lost: u64,
}

impl DiskCounts {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.short
            + self.read_errors
            + self.write_errors
            + self.sync_errors
            + self.syncs_lost
            + self.no_space
            + self.misdirected
            + self.torn
            + self.lost
            + self.names_lost
    }
}

impl Add for DiskCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        DiskCounts {
            short: self.short + other.short,
            read_errors: self.read_errors + other.read_errors,
            write_errors: self.write_errors + other.write_errors,
            sync_errors: self.sync_errors + other.sync_errors,
            syncs_lost: self.syncs_lost + other.syncs_lost,
            no_space: self.no_space + other.no_space,
            misdirected: self.misdirected + other.misdirected,
            torn: self.torn + other.torn,
            lost: self.lost + other.lost,
            names_lost: self.names_lost + other.names_lost,
        }
    }
}

impl Sum for DiskCounts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(DiskCounts::default(), Add::add)
    }
}
