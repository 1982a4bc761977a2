//! Operations on their way: taken in, given their time, and done.

use std::io;

use bytes::BytesMut;

use super::disk::{Fate, Target};
use super::world::{Event, World};
use crate::driver::{DIRECT_ALIGN, Handle, Op, Outcome, Token, check};

/// An operation on its way.
pub(super) struct Flight {
    pub(super) shard: u16,
    pub(super) token: Token,
    pub(super) op: Op,
    /// It has taken its time; from then on it may wait for others.
    pub(super) due: bool,
    /// The file it works on, which stays even if the handle is closed meanwhile.
    pub(super) file: Option<OpenFile>,
    /// For the sync behind a durable write: what was written.
    wrote: Option<usize>,
}

/// A file that a handle names.
#[derive(Clone, Copy)]
pub(super) struct OpenFile {
    pub(super) shard: u16,
    pub(super) node: u16,
    pub(super) target: Target,
    /// For an fdatasync: the changes it covers.
    mark: u64,
    locked: bool,
    read: bool,
    write: bool,
}

impl World {
    pub(super) fn submit(&mut self, shard: u16, token: Token, op: Op) {
        let number = self.number();
        if let Some(state) = self.shards.get_mut(&shard) {
            state.flying += 1;
        }
        let file = match self.admit(shard, number, &op) {
            Ok(file) => file,
            Err(error) => return self.complete(shard, token, Err(error)),
        };
        let flight = Flight {
            shard,
            token,
            op,
            due: false,
            file,
            wrote: None,
        };
        self.take_off(number, flight);
    }

    /// Asks that an operation end early; what is with the disk goes on.
    pub(super) fn cancel(&mut self, shard: u16, token: Token) {
        let wanted = |flight: &Flight| {
            flight.shard == shard && flight.token == token && waits_on_a_socket(&flight.op)
        };
        let found = self.flights.iter().find(|(_, flight)| wanted(flight));
        if let Some(number) = found.map(|(number, _)| *number) {
            self.network.forget(number);
            self.abort(number);
        }
    }

    /// Ends operation `number` as cancelled.
    pub(super) fn abort(&mut self, number: u64) {
        if let Some(flight) = self.flights.remove(&number) {
            let error = io::Error::from_raw_os_error(libc::ECANCELED);
            self.complete(flight.shard, flight.token, Err(error));
        }
    }

    /// Checks what can be checked at once, and binds a file operation to its file.
    fn admit(&mut self, shard: u16, number: u64, op: &Op) -> io::Result<Option<OpenFile>> {
        match op {
            Op::Open { options, .. } => check::options(*options).map(|()| None),
            Op::Read {
                file,
                buffer,
                offset,
            } => {
                check::spare(buffer)?;
                let open = self.file(shard, *file, |file| file.read)?;
                open.aligned(spare(buffer), *offset).map(Some)
            }
            Op::Write {
                file,
                buffer,
                offset,
            }
            | Op::WriteDurable {
                file,
                buffer,
                offset,
            } => {
                let open = self.file(shard, *file, |file| file.write)?;
                open.aligned((buffer.as_ptr(), buffer.len()), *offset)
                    .map(Some)
            }
            Op::Allocate { file, .. } => self.file(shard, *file, |file| file.write).map(Some),
            Op::Size { file } => self.file(shard, *file, |_| true).map(Some),
            Op::Fdatasync { file } => {
                let mut open = self.file(shard, *file, |_| true)?;
                open.mark = self
                    .disks
                    .entry(open.node)
                    .or_default()
                    .mark(open.target.file);
                Ok(Some(open))
            }
            Op::Rename { .. }
            | Op::Remove { .. }
            | Op::MakeDir { .. }
            | Op::SyncDir { .. }
            | Op::List { .. } => Ok(None),
            Op::Close { handle } if self.files.contains_key(handle) => {
                // The file stays open, and locked, until the operation ends.
                let open = self.file(shard, *handle, |_| true)?;
                self.files.remove(handle);
                Ok(Some(open))
            }
            Op::Recv { buffer, .. } => {
                check::spare(buffer)?;
                self.admit_socket(shard, number, op).map(|()| None)
            }
            _ => self.admit_socket(shard, number, op).map(|()| None),
        }
    }

    fn file(
        &self,
        shard: u16,
        handle: Handle,
        allowed: impl FnOnce(&OpenFile) -> bool,
    ) -> io::Result<OpenFile> {
        match self.files.get(&handle) {
            Some(file) if file.shard == shard && allowed(file) => Ok(*file),
            _ => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    /// An operation has taken its time.
    pub(super) fn due(&mut self, number: u64) {
        let Some(flight) = self.flights.get_mut(&number) else {
            return;
        };
        flight.due = true;
        if waits_on_a_socket(&flight.op) {
            return self.socket_due(number);
        }
        if let Op::Connect { addr } = flight.op {
            let shard = flight.shard;
            if self.knocks_again(shard, addr, number) {
                return;
            }
        }
        let Some(mut flight) = self.flights.remove(&number) else {
            return;
        };
        let (shard, token, wrote) = (flight.shard, flight.token, flight.wrote);
        let result = match (&flight.op, flight.file) {
            (
                &Op::WriteDurable {
                    file, ref buffer, ..
                },
                Some(mut open),
            ) => {
                let len = buffer.len();
                match self.perform(shard, flight.op, flight.file) {
                    Ok(Outcome::Wrote(count)) if count == len => {
                        open.mark = self.on_disk(open.node, |disk| disk.mark(open.target.file));
                        flight = Flight {
                            op: Op::Fdatasync { file },
                            file: Some(open),
                            wrote: Some(len),
                            due: false,
                            ..flight
                        };
                        return self.take_off(number, flight);
                    }
                    result => result,
                }
            }
            _ => self.perform(shard, flight.op, flight.file),
        };
        let result = match (result, wrote) {
            (Ok(_), Some(count)) => Ok(Outcome::Wrote(count)),
            (result, _) => result,
        };
        self.complete(shard, token, result);
    }

    fn take_off(&mut self, number: u64, flight: Flight) {
        self.flights.insert(number, flight);
        let delay = self.draw(|config| &config.io_delay);
        self.schedule(self.now() + delay, Event::Due(number));
    }

    fn perform(&mut self, shard: u16, op: Op, file: Option<OpenFile>) -> io::Result<Outcome> {
        let node = self.shards.get(&shard).map_or(0, |state| state.node);
        let disk = self.disks.entry(node).or_default();
        let fate = Fate {
            random: &mut self.random,
            config: &self.config,
        };
        match (op, file) {
            (Op::Open { path, options }, _) => {
                let file = disk.open(&path, options)?;
                if options.lock && self.is_locked(node, file) {
                    return Err(io::Error::from_raw_os_error(libc::EWOULDBLOCK));
                }
                let direct = options.direct;
                let open = OpenFile {
                    shard,
                    node,
                    target: Target { file, direct },
                    mark: 0,
                    read: options.read,
                    write: options.write,
                    locked: options.lock,
                };
                let handle = self.handle();
                self.files.insert(handle, open);
                Ok(Outcome::Opened(handle))
            }
            (
                Op::Read {
                    mut buffer, offset, ..
                },
                Some(open),
            ) => {
                disk.read(open.target, &mut buffer, offset, fate)?;
                Ok(Outcome::Filled(buffer))
            }
            (
                Op::Write { buffer, offset, .. } | Op::WriteDurable { buffer, offset, .. },
                Some(open),
            ) => disk
                .write(open.target, &buffer, offset, fate)
                .map(Outcome::Wrote),
            (Op::Allocate { offset, len, .. }, Some(open)) => {
                disk.allocate(open.target.file, offset, len, fate)?;
                Ok(Outcome::Done)
            }
            (Op::Size { .. }, Some(open)) => disk.size(open.target.file).map(Outcome::Size),
            (Op::Fdatasync { .. }, Some(open)) => {
                disk.sync(open.target.file, open.mark, fate)?;
                Ok(Outcome::Done)
            }
            (Op::MakeDir { path }, _) => disk.make_dir(&path).map(|()| Outcome::Done),
            (Op::List { path }, _) => disk.names.list(&path).map(Outcome::Names),
            (Op::Rename { from, to }, _) => {
                disk.names.rename(&from, &to)?;
                self.forget_files(node);
                Ok(Outcome::Done)
            }
            (Op::Remove { path }, _) => {
                disk.names.remove(&path)?;
                self.forget_files(node);
                Ok(Outcome::Done)
            }
            (Op::SyncDir { path }, _) => {
                let synced = disk.sync_dir(&path, fate);
                self.forget_files(node);
                synced.map(|()| Outcome::Done)
            }
            (Op::Close { .. }, Some(open)) => {
                self.forget_files(open.node);
                Ok(Outcome::Done)
            }
            (Op::Connect { addr }, _) => self.connect(shard, addr).map(Outcome::Opened),
            _ => Ok(Outcome::Done),
        }
    }

    /// Whether somebody has `file` of `node` for himself: by a handle, or by an operation that
    /// has outlived it.
    fn is_locked(&self, node: u16, file: usize) -> bool {
        self.open_files(node)
            .any(|open| open.locked && open.target.file == file)
    }

    fn forget_files(&mut self, node: u16) {
        let open: Vec<usize> = self.open_files(node).map(|open| open.target.file).collect();
        self.on_disk(node, |disk| disk.forget(|file| open.contains(&file)));
    }

    fn open_files(&self, node: u16) -> impl Iterator<Item = &OpenFile> {
        let under_way = self
            .flights
            .values()
            .filter_map(|flight| flight.file.as_ref());
        self.files
            .values()
            .chain(under_way)
            .filter(move |open| open.node == node)
    }
}

impl OpenFile {
    /// Refuses what direct I/O can't do.
    fn aligned(self, (start, len): (*const u8, usize), offset: u64) -> io::Result<Self> {
        let fits = |number: usize| number.is_multiple_of(DIRECT_ALIGN);
        let aligned = fits(start.addr()) && fits(len) && offset.is_multiple_of(DIRECT_ALIGN as u64);
        if self.target.direct && !aligned {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Ok(self)
    }
}

/// Where `buffer` has room, and how much.
fn spare(buffer: &BytesMut) -> (*const u8, usize) {
    let start = buffer.as_ptr().wrapping_add(buffer.len());
    (start, buffer.capacity() - buffer.len())
}

/// Whether it may wait for the other end of a connection.
fn waits_on_a_socket(op: &Op) -> bool {
    matches!(
        op,
        Op::Accept { .. }
            | Op::AcceptMany { .. }
            | Op::Recv { .. }
            | Op::RecvMany { .. }
            | Op::Send { .. }
            | Op::SendMany { .. }
    )
}
