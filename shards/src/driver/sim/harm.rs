//! What a test may look at and do to a simulated disk, and to the weather in general.

use std::path::{Path, PathBuf};

use super::{DiskCounts, SimConfig, SimWorld};

impl SimWorld {
    /// The paths of all files on `node`'s disk, in order.
    #[must_use]
    pub fn files(&self, node: u16) -> Vec<PathBuf> {
        self.inner.borrow_mut().on_disk(node, |disk| {
            let mut all = disk.names.all();
            all.retain(|(_, node)| disk.is_file(*node));
            all.into_iter().map(|(path, _)| path).collect()
        })
    }

    /// What `node`'s programs would read in the file at `path`, if there is one.
    #[must_use]
    pub fn contents(&self, node: u16, path: &Path) -> Option<Vec<u8>> {
        self.inner
            .borrow_mut()
            .on_disk(node, |disk| disk.at(path).map(|file| file.bytes().to_vec()))
    }

    /// Turns over one bit (0 to 7, the lowest first) of a file, in the cache and on the medium.
    /// False if the file has no such byte.
    pub fn flip_bit(&self, node: u16, path: &Path, byte: usize, bit: u8) -> bool {
        self.inner.borrow_mut().on_disk(node, |disk| {
            disk.at(path).is_some_and(|file| file.flip(byte, bit))
        })
    }

    /// Cuts a file to `len` bytes, durably. False if there is none.
    pub fn cut(&self, node: u16, path: &Path, len: usize) -> bool {
        self.inner.borrow_mut().on_disk(node, |disk| {
            disk.at(path).map(|file| file.cut(len)).is_some()
        })
    }

    /// How friendly the world is just now.
    #[must_use]
    pub fn config(&self) -> SimConfig {
        self.inner.borrow().config.clone()
    }

    /// Has the world be like `config` from now on.
    pub fn set_config(&self, config: SimConfig) {
        self.inner.borrow_mut().config = config;
    }

    /// Gives every disk room for so many bytes. Files that are larger together stay.
    pub fn set_disk_bytes(&self, bytes: usize) {
        self.inner.borrow_mut().config.disk_bytes = bytes;
    }

    /// Sets `node`'s time of day so many nanoseconds fast, or slow.
    pub fn set_wall_skew(&self, node: u16, nanos: i64) {
        self.inner.borrow_mut().skews.insert(node, nanos);
    }

    /// The faults of all disks so far.
    #[must_use]
    pub fn counts(&self) -> DiskCounts {
        let world = self.inner.borrow();
        world.disks.values().map(|disk| disk.counts).sum()
    }
}
