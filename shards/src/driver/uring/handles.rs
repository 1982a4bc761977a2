//! Which descriptors are the driver's own. A handle is a plain number above the seam; only
//! those opened here may reach the kernel, so a stale one can never close a stranger's file.

use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

use crate::driver::Handle;

/// The open descriptors with how many operations wait for a peer on each.
#[derive(Debug, Default)]
pub(super) struct Handles {
    /// By descriptor: 0 is not ours, 1 is open, more is open with that many less one pending.
    uses: Vec<u32>,
}

impl Handles {
    /// Takes over a descriptor that has just been opened.
    pub(super) fn add(&mut self, fd: OwnedFd) -> Handle {
        let fd = fd.into_raw_fd();
        let index = fd as usize;
        if self.uses.len() <= index {
            self.uses.resize(index + 1, 0);
        }
        self.uses[index] = 1;
        Handle(fd)
    }

    /// The descriptor, if it is ours and open.
    pub(super) fn get(&self, handle: Handle) -> io::Result<RawFd> {
        match self.slot(handle) {
            Some(1..) => Ok(handle.0),
            _ => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    /// Counts one more operation waiting on it.
    pub(super) fn begin(&mut self, handle: Handle) -> io::Result<RawFd> {
        let fd = self.get(handle)?;
        self.uses[fd as usize] += 1;
        Ok(fd)
    }

    /// Counts one operation less.
    pub(super) fn end(&mut self, fd: RawFd) {
        if let Some(uses @ 2..) = self.uses.get_mut(fd as usize) {
            *uses -= 1;
        }
    }

    /// Whether operations wait on it.
    pub(super) fn is_waited_on(&self, handle: Handle) -> bool {
        matches!(self.slot(handle), Some(2..))
    }

    /// Gives up the descriptor; the caller closes it.
    pub(super) fn remove(&mut self, handle: Handle) -> io::Result<RawFd> {
        let fd = self.get(handle)?;
        self.uses[fd as usize] = 0;
        Ok(fd)
    }

    fn slot(&self, handle: Handle) -> Option<u32> {
        self.uses.get(usize::try_from(handle.0).ok()?).copied()
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        for (fd, _) in (0..).zip(&self.uses).filter(|(_, uses)| **uses > 0) {
            // SAFETY: the driver owns every descriptor in use here and is done with them.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}
