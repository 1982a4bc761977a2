//! Why a shard's driver could not start, each with its remedy; and what its errors mean.

use std::io;

use thiserror::Error;

/// Whether this is the error of an operation that was [cancelled](super::Driver::cancel), or whose
/// handle was closed.
#[must_use]
pub fn was_stopped(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ECANCELED)
}

/// A driver that could not start. One line, with what to do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The system administrator switched io_uring off for everyone.
    #[error(
        "io_uring is disabled by the system (kernel.io_uring_disabled=2): \
         set it to 0 with `sysctl kernel.io_uring_disabled=0`"
    )]
    Disabled,
    /// The system administrator reserved io_uring to a group.
    #[error(
        "io_uring is reserved to a group of users (kernel.io_uring_disabled=1): run in the group \
         named by kernel.io_uring_group, or set kernel.io_uring_disabled to 0"
    )]
    Reserved,
    /// The calls exist and are refused to this process.
    #[error(
        "{call} is denied to this process, most likely by a seccomp filter: allow io_uring_setup, \
         io_uring_enter and io_uring_register in the container's or service's seccomp profile"
    )]
    Denied {
        /// The system call that was refused.
        call: &'static str,
    },
    /// The kernel has no io_uring at all, or a filter hides it.
    #[error(
        "this system has no io_uring: run Linux 5.11 or newer with CONFIG_IO_URING, and if it is \
         that, a seccomp profile hides the calls and must allow them"
    )]
    Absent,
    /// The kernel has an io_uring that is too old.
    #[error("this kernel's io_uring has no {lacks}: run Linux 5.11 or newer")]
    TooOld {
        /// What it lacks.
        lacks: &'static str,
    },
    /// No memory for the ring; on older kernels it is locked memory.
    #[error(
        "no memory for an io_uring of {entries} entries: raise the locked-memory limit \
         (`ulimit -l`, or LimitMEMLOCK= in a systemd unit) or ask for fewer entries"
    )]
    Memory {
        /// Entries asked for.
        entries: u32,
    },
    /// The process or the system is out of file descriptors.
    #[error("no file descriptor left for a shard's driver: raise the limit (`ulimit -n`)")]
    Descriptors,
    /// A ring size no kernel takes.
    #[error("an io_uring of {entries} entries is impossible: ask for 1 to {most}")]
    Entries {
        /// Entries asked for.
        entries: u32,
        /// The most there can be.
        most: u32,
    },
    /// glommio asks for more locked memory than the process may have.
    #[cfg(feature = "glommio")]
    #[error(
        "glommio wants {wanted} bytes of locked memory a process and the limit is {limit}: raise it \
         (`ulimit -l`, or LimitMEMLOCK= in a systemd unit)"
    )]
    LockedMemory {
        /// The limit that stands, in bytes.
        limit: u64,
        /// What it must be at least, in bytes.
        wanted: u64,
    },
    /// Anything else the system said.
    #[error("{call} failed while starting a shard's driver: {source}")]
    System {
        /// The system call that failed.
        call: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
