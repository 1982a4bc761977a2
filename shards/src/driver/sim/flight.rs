//! Operations on their way: taken in, given their time, and done.

use std::io;

use super::world::{Event, World};
use crate::driver::{Handle, Op, Outcome, Token, check};

/// An operation on its way.
pub(super) struct Flight {
    pub(super) shard: u16,
    pub(super) token: Token,
    pub(super) op: Op,
    /// It has taken its time; from then on it may wait for others.
    pub(super) due: bool,
    /// The file it works on, which stays even if the handle is closed meanwhile.
    pub(super) file: Option<OpenFile>,
}

/// A file that a handle names.
#[derive(Clone, Copy)]
pub(super) struct OpenFile {
    pub(super) shard: u16,
    pub(super) node: u16,
    pub(super) file: usize,
    /// For an fdatasync: the changes it covers.
    mark: u64,
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
        };
        self.flights.insert(number, flight);
        let delay = self.draw(|config| &config.io_delay);
        self.schedule(self.now() + delay, Event::Due(number));
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
            Op::Read { file, buffer, .. } => {
                check::spare(buffer)?;
                self.file(shard, *file, |file| file.read).map(Some)
            }
            Op::Write { file, .. } => self.file(shard, *file, |file| file.write).map(Some),
            Op::Fdatasync { file } => {
                let mut open = self.file(shard, *file, |_| true)?;
                open.mark = self.disks.entry(open.node).or_default().mark(open.file);
                Ok(Some(open))
            }
            Op::Close { handle } if self.files.contains_key(handle) => {
                self.file(shard, *handle, |_| true)?;
                self.files.remove(handle);
                Ok(None)
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
        if let Some(Flight {
            shard,
            token,
            op,
            file,
            ..
        }) = self.flights.remove(&number)
        {
            let result = self.perform(shard, op, file);
            self.complete(shard, token, result);
        }
    }

    fn perform(&mut self, shard: u16, op: Op, file: Option<OpenFile>) -> io::Result<Outcome> {
        let node = self.shards.get(&shard).map_or(0, |state| state.node);
        let disk = self.disks.entry(node).or_default();
        let (random, config) = (&mut self.random, &self.config);
        match (op, file) {
            (Op::Open { path, options }, _) => {
                let open = OpenFile {
                    shard,
                    node,
                    file: disk.open(path, options)?,
                    mark: 0,
                    read: options.read,
                    write: options.write,
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
                disk.read(open.file, &mut buffer, offset, random, config)?;
                Ok(Outcome::Filled(buffer))
            }
            (Op::Write { buffer, offset, .. }, Some(open)) => {
                let wrote = disk.write(open.file, &buffer, offset, random, config)?;
                Ok(Outcome::Wrote(wrote))
            }
            (Op::Fdatasync { .. }, Some(open)) => {
                disk.sync(open.file, open.mark, random, config)?;
                Ok(Outcome::Done)
            }
            (Op::Connect { addr }, _) => self.connect(shard, addr).map(Outcome::Opened),
            _ => Ok(Outcome::Done),
        }
    }
}

/// Whether it may wait for the other end of a connection.
fn waits_on_a_socket(op: &Op) -> bool {
    matches!(op, Op::Accept { .. } | Op::Recv { .. } | Op::Send { .. })
}
