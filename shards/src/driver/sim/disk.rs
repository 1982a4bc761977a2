//! A node's disk, and what goes wrong with it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};

use super::SimConfig;
use super::counts::DiskCounts;
use super::file::{Change, File, SECTOR};
use super::names::Names;
use crate::driver::random::SplitMix64;
use crate::driver::{DIRECT_ALIGN, OpenOptions};

/// Names, and the files that have them or had them.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) names: Names,
    pub(super) counts: DiskCounts,
    files: BTreeMap<usize, File>,
    /// The last number given to a file or a directory.
    last: usize,
}

/// A file as it was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) file: usize,
    pub(super) direct: bool,
}

/// What decides over luck.
pub(super) struct Fate<'a> {
    pub(super) random: &'a mut SplitMix64,
    pub(super) config: &'a SimConfig,
}

impl Disk {
    /// The file at `path`, made or cut as `options` say.
    pub(super) fn open(&mut self, path: &Path, options: OpenOptions) -> io::Result<usize> {
        let file = match self.names.find(path)? {
            Some(_) if options.create_new => return Err(errno(libc::EEXIST)),
            Some(node) if self.names.is_directory(node) => return Err(errno(libc::EISDIR)),
            Some(file) => file,
            None if options.create || options.create_new => {
                self.last += 1;
                self.names.add(path, self.last, false)?;
                self.files.insert(self.last, File::default());
                self.last
            }
            None => return Err(errno(libc::ENOENT)),
        };
        if options.truncate {
            self.file(file)?.change(Change::Truncate);
        }
        Ok(file)
    }

    /// Fills `buffer`'s spare capacity from `offset` on.
    pub(super) fn read(
        &mut self,
        target: Target,
        buffer: &mut BytesMut,
        offset: u64,
        Fate { random, config }: Fate<'_>,
    ) -> io::Result<()> {
        let (failed, short) = (
            random.chance(config.read_error_probability),
            random.chance(config.short_probability),
        );
        if failed {
            self.counts.read_errors += 1;
            return Err(errno(libc::EIO));
        }
        let current = self.files.get(&target.file).map_or(&[][..], File::bytes);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = current.get(start..).unwrap_or_default();
        let most = there.len().min(buffer.capacity() - buffer.len());
        let len = target.shorten(most, short, random);
        self.counts.short += u64::from(len < most);
        buffer.put_slice(&there[..len]);
        Ok(())
    }

    /// Writes `data` at `offset`; says how much of it.
    pub(super) fn write(
        &mut self,
        target: Target,
        data: &Bytes,
        offset: u64,
        Fate { random, config }: Fate<'_>,
    ) -> io::Result<usize> {
        let (failed, full, short, astray) = (
            random.chance(config.write_error_probability),
            random.chance(config.no_space_probability),
            random.chance(config.short_probability),
            random.chance(config.misdirected_write_probability),
        );
        if failed {
            self.counts.write_errors += 1;
            return Err(errno(libc::EIO));
        }
        let room = if full { 0 } else { self.room(config) };
        let file = self.file(target.file)?;
        // What lies within the file, and what the disk has room for behind its end.
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let fits = (file.bytes().len() + room).saturating_sub(offset);
        if fits == 0 && !data.is_empty() {
            self.counts.no_space += 1;
            return Err(errno(libc::ENOSPC));
        }
        let most = data.len().min(fits);
        let len = target.shorten(most, short, random);
        let end = offset + len;
        let mut data = data.slice(..len);
        let mut at = offset;
        let sectors = file.bytes().len().max(end) / SECTOR;
        let astray = astray && len > 0 && sectors > 1;
        if astray {
            let sector = random.within(0..=sectors as u64 - 1) as usize;
            let sector = if sector == offset / SECTOR {
                (sector + 1) % sectors
            } else {
                sector
            };
            at = sector * SECTOR + offset % SECTOR;
            file.change(Change::Grow(end));
            data.truncate(file.bytes().len().saturating_sub(at));
        }
        file.change(Change::Write { offset: at, data });
        self.counts.short += u64::from(len < most);
        self.counts.misdirected += u64::from(astray);
        Ok(len)
    }

    /// Sets room aside, if there is enough.
    pub(super) fn allocate(
        &mut self,
        file: usize,
        offset: u64,
        len: u64,
        Fate { random, config }: Fate<'_>,
    ) -> io::Result<()> {
        let full = random.chance(config.no_space_probability);
        if len == 0 {
            return Err(errno(libc::EINVAL));
        }
        let room = if full { 0 } else { self.room(config) };
        let file = self.file(file)?;
        let end = offset.checked_add(len).and_then(|end| end.try_into().ok());
        let end: usize = end.ok_or_else(|| errno(libc::EFBIG))?;
        let before = file.bytes().len();
        if end.saturating_sub(before) > room {
            self.counts.no_space += 1;
            return Err(errno(libc::ENOSPC));
        }
        if end > before {
            file.change(Change::Grow(end));
        }
        Ok(())
    }

    pub(super) fn size(&mut self, file: usize) -> io::Result<u64> {
        self.file(file).map(|file| file.bytes().len() as u64)
    }

    /// How many changes `file` has seen: what an fdatasync submitted now will cover.
    pub(super) fn mark(&self, file: usize) -> u64 {
        self.files.get(&file).map_or(0, File::mark)
    }

    /// Makes the changes before `mark` durable, or fails to.
    pub(super) fn sync(&mut self, file: usize, mark: u64, mut fate: Fate<'_>) -> io::Result<()> {
        let (failed, lost) = fate.of_a_sync();
        let file = self.file(file)?;
        if lost && !failed {
            let dirty = file.is_dirty(mark);
            self.counts.syncs_lost += u64::from(dirty);
            return Ok(());
        }
        file.sync(mark, || fate.keeps(failed));
        self.synced(failed)
    }

    pub(super) fn make_dir(&mut self, path: &Path) -> io::Result<()> {
        self.names.add(path, self.last + 1, true)?;
        self.last += 1;
        Ok(())
    }

    /// Makes the names in the directory at `path` durable, or fails to.
    pub(super) fn sync_dir(&mut self, path: &Path, mut fate: Fate<'_>) -> io::Result<()> {
        let (failed, lost) = fate.of_a_sync();
        let directory = self.names.directory(path)?;
        if lost && !failed {
            self.counts.syncs_lost += u64::from(self.names.is_dirty(directory));
            return Ok(());
        }
        self.names.sync(directory, || fate.keeps(failed));
        self.synced(failed)
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
            file.delay(Change::Write { offset, data });
        }
    }

    /// Loses power: what was not synced is kept, torn or lost.
    pub(super) fn crash(&mut self, random: &mut SplitMix64) {
        for file in self.files.values_mut() {
            file.crash(random, &mut self.counts);
        }
        self.counts.names_lost += self.names.crash(random);
        self.forget(|_| false);
    }

    /// Lets go of the files that have no name and are not open.
    pub(super) fn forget(&mut self, is_open: impl Fn(usize) -> bool) {
        let names = &self.names;
        self.files
            .retain(|file, _| names.knows(*file) || is_open(*file));
    }

    /// The file at `path` as it is seen now.
    pub(super) fn at(&mut self, path: &Path) -> Option<&mut File> {
        let file = self.names.find(path).ok()??;
        self.files.get_mut(&file)
    }

    /// Whether `node` is a file.
    pub(super) fn is_file(&self, node: usize) -> bool {
        self.files.contains_key(&node)
    }

    /// Bytes that are free. The room of a removed file is free at once.
    fn room(&self, config: &SimConfig) -> usize {
        let files = self.names.nodes().filter_map(|node| self.files.get(&node));
        let used = files.map(|file| file.bytes().len()).sum();
        config.disk_bytes.saturating_sub(used)
    }

    fn synced(&mut self, failed: bool) -> io::Result<()> {
        if failed {
            self.counts.sync_errors += 1;
            return Err(errno(libc::EIO));
        }
        Ok(())
    }

    fn file(&mut self, file: usize) -> io::Result<&mut File> {
        self.files.get_mut(&file).ok_or_else(|| errno(libc::EBADF))
    }
}

impl Target {
    fn shorten(self, len: usize, short: bool, random: &mut SplitMix64) -> usize {
        let less = shorten(len, short, random);
        if !self.direct || less == len {
            return less;
        }
        match less / DIRECT_ALIGN * DIRECT_ALIGN {
            0 => len,
            whole => whole,
        }
    }
}

impl Fate<'_> {
    /// Whether a sync fails, and whether it does nothing.
    fn of_a_sync(&mut self) -> (bool, bool) {
        (
            self.random.chance(self.config.sync_error_probability),
            self.random.chance(self.config.sync_lost_probability),
        )
    }

    /// After a failure nobody knows what has reached the medium, and nobody tries again.
    fn keeps(&mut self, failed: bool) -> bool {
        !failed || self.random.chance(0.5)
    }
}

/// At least one byte of what could be moved.
pub(super) fn shorten(len: usize, short: bool, random: &mut SplitMix64) -> usize {
    if short && len > 1 {
        random.within(1..=len as u64 - 1) as usize
    } else {
        len
    }
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
