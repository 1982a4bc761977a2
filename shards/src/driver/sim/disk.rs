//! A node's disk: what programs see, what would survive a loss of power, and what lies between.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;

use bytes::{BufMut, Bytes, BytesMut};

use super::SimConfig;
use crate::driver::OpenOptions;
use crate::driver::random::SplitMix64;

/// The least that a disk writes at once: a write is torn between sectors, never inside one.
const SECTOR: usize = 512;

/// Files by path.
#[derive(Debug, Default)]
pub(super) struct Disk {
    names: BTreeMap<PathBuf, usize>,
    files: BTreeMap<usize, File>,
    used: usize,
}

#[derive(Debug, Default)]
struct File {
    /// What is read.
    current: Vec<u8>,
    /// What the medium holds; `None` while not even the name is on it.
    durable: Option<Vec<u8>>,
    /// Changes on their way from the one to the other, with their numbers.
    pending: VecDeque<(u64, Change)>,
    /// The number of the next change.
    next: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Truncate,
    Write { offset: usize, data: Bytes },
}

impl Disk {
    /// The file at `path`, made or cut as `options` say.
    pub(super) fn open(&mut self, path: PathBuf, options: OpenOptions) -> io::Result<usize> {
        let file = match self.names.get(&path) {
            Some(&file) => file,
            None if options.create => {
                let file = self.files.keys().next_back().map_or(0, |last| last + 1);
                self.names.insert(path, file);
                self.files.insert(file, File::default());
                file
            }
            None => return Err(io::Error::from_raw_os_error(libc::ENOENT)),
        };
        if options.truncate {
            let file = self.file(file)?;
            let len = file.current.len();
            file.current.clear();
            file.change(Change::Truncate);
            self.used -= len;
        }
        Ok(file)
    }

    /// Fills `buffer`'s spare capacity from `offset` on.
    pub(super) fn read(
        &mut self,
        file: usize,
        buffer: &mut BytesMut,
        offset: u64,
        random: &mut SplitMix64,
        config: &SimConfig,
    ) -> io::Result<()> {
        let (failed, short) = (
            random.chance(config.read_error_probability),
            random.chance(config.short_probability),
        );
        if failed {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let current = &self.file(file)?.current;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = current.get(start..).unwrap_or_default();
        let room = buffer.capacity() - buffer.len();
        let len = shorten(there.len().min(room), short, random);
        buffer.put_slice(&there[..len]);
        Ok(())
    }

    /// Writes `data` at `offset`; says how much of it.
    pub(super) fn write(
        &mut self,
        file: usize,
        data: &Bytes,
        offset: u64,
        random: &mut SplitMix64,
        config: &SimConfig,
    ) -> io::Result<usize> {
        let (failed, full, short) = (
            random.chance(config.write_error_probability),
            random.chance(config.no_space_probability),
            random.chance(config.short_probability),
        );
        if failed {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let room = config.disk_bytes.saturating_sub(self.used);
        let target = self.file(file)?;
        // What lies within the file, and what the disk has room for behind its end.
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let fits = (target.current.len() + room).saturating_sub(offset);
        if full || (fits == 0 && !data.is_empty()) {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let len = shorten(data.len().min(fits), short, random);
        let data = data.slice(..len);
        let before = target.current.len();
        put(&mut target.current, offset, &data);
        let grown = target.current.len() - before;
        target.change(Change::Write { offset, data });
        self.used += grown;
        Ok(len)
    }

    /// How many changes `file` has seen: what an fdatasync submitted now will cover.
    pub(super) fn mark(&mut self, file: usize) -> u64 {
        self.file(file).map_or(0, |file| file.next)
    }

    /// Makes the changes before `mark` durable, or fails to.
    pub(super) fn sync(
        &mut self,
        file: usize,
        mark: u64,
        random: &mut SplitMix64,
        config: &SimConfig,
    ) -> io::Result<()> {
        let failed = random.chance(config.sync_error_probability);
        let file = self.file(file)?;
        let mut durable = file.durable.take().unwrap_or_default();
        while let Some((_, change)) = file.pending.pop_front_if(|(number, _)| *number < mark) {
            // After a failure nobody knows what has reached the medium, and nobody tries again.
            if !failed || random.chance(0.5) {
                change.apply(&mut durable);
            }
        }
        file.durable = Some(durable);
        if failed {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        Ok(())
    }

    /// A write that the loss of power interrupts: it may have reached the medium in part.
    pub(super) fn interrupt(&mut self, file: usize, data: Bytes, offset: u64, config: &SimConfig) {
        let (Ok(file), Ok(offset)) = (self.file(file), usize::try_from(offset)) else {
            return;
        };
        if offset
            .checked_add(data.len())
            .is_some_and(|end| end <= config.disk_bytes)
        {
            file.change(Change::Write { offset, data });
        }
    }

    /// Loses power: what was not synced is kept, torn or lost.
    pub(super) fn crash(&mut self, random: &mut SplitMix64) {
        for file in self.files.values_mut() {
            file.crash(random);
        }
        self.files.retain(|_, file| file.durable.is_some());
        self.names.retain(|_, file| self.files.contains_key(file));
        self.used = self.files.values().map(|file| file.current.len()).sum();
    }

    fn file(&mut self, file: usize) -> io::Result<&mut File> {
        self.files
            .get_mut(&file)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }
}

impl File {
    fn change(&mut self, change: Change) {
        self.pending.push_back((self.next, change));
        self.next += 1;
    }

    fn crash(&mut self, random: &mut SplitMix64) {
        // A name that was never synced may be gone with all it held.
        if self.durable.is_none() && random.chance(0.5) {
            self.durable = Some(Vec::new());
        }
        let pending = std::mem::take(&mut self.pending);
        if let Some(durable) = &mut self.durable {
            for (_, change) in pending {
                match random.within(0..=2) {
                    0 => {}
                    1 => change.apply(durable),
                    _ => change.tear(durable, random),
                }
            }
            self.current.clone_from(durable);
        }
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Truncate => to.clear(),
            Change::Write { offset, data } => put(to, *offset, data),
        }
    }

    /// Applies some of its sectors.
    fn tear(&self, to: &mut Vec<u8>, random: &mut SplitMix64) {
        let Change::Write { offset, data } = self else {
            // Cutting a file is one journalled step of the file system.
            return self.apply(to);
        };
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

/// At least one byte of what could be moved.
pub(super) fn shorten(len: usize, short: bool, random: &mut SplitMix64) -> usize {
    if short && len > 1 {
        random.within(1..=len as u64 - 1) as usize
    } else {
        len
    }
}
