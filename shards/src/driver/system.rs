//! What the drivers of the real world ask of the system by plain calls: what is rare, and what
//! no ring does.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The time of day.
pub(super) fn wall_time() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// A word of the system's randomness.
pub(super) fn unique() -> u64 {
    // Keyed by the system's randomness, and by a count that makes each state another.
    RandomState::new().build_hasher().finish()
}

/// Takes `file` for its opener alone, or says that somebody else has it.
pub(super) fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(io::Error::from_raw_os_error(libc::EWOULDBLOCK)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes a directory. io_uring can since Linux 5.15, which is newer than what we ask for.
pub(super) fn make_dir(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// Opens a directory, to sync it.
pub(super) fn directory(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(path)
}

/// Syncs a directory, and waits for it.
#[cfg(all(feature = "glommio", not(loom)))]
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    directory(path)?.sync_all()
}

/// The names in a directory, in order. No ring reads directories.
pub(super) fn list(path: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
