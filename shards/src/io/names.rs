//! Names in directories: files moved, removed and found.
//!
//! What these do is seen at once, and durable once the directory is
//! [synced](sync_dir); until then a crash may leave either.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::{IoContext, context, run, unexpected};
use crate::driver::{Op, Outcome};

/// Gives the file or directory `from` the name `to`, in one step that a crash does not split.
/// What had that name before is gone then.
///
/// # Errors
/// What the system says, with both paths.
pub async fn rename(
    cx: &dyn IoContext,
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
) -> io::Result<()> {
    let (from, to) = (from.as_ref().to_path_buf(), to.as_ref().to_path_buf());
    let what = context(format!("rename {} to {}", from.display(), to.display()));
    run(cx, Op::Rename { from, to }).await.map_err(what)?;
    Ok(())
}

/// Removes the file at `path`. Who has it open keeps it until it is closed.
///
/// # Errors
/// What the system says, with the path; directories are refused.
pub async fn remove(cx: &dyn IoContext, path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_path_buf();
    let what = context(format!("remove {}", path.display()));
    run(cx, Op::Remove { path }).await.map_err(what)?;
    Ok(())
}

/// Makes the directory `path`.
///
/// # Errors
/// What the system says, with the path; [`io::ErrorKind::AlreadyExists`] if something has that
/// name.
pub async fn make_dir(cx: &dyn IoContext, path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_path_buf();
    let what = context(format!("make the directory {}", path.display()));
    run(cx, Op::MakeDir { path }).await.map_err(what)?;
    Ok(())
}

/// Makes the names in the directory `path` durable.
///
/// # Errors
/// What the system says, with the path. Nobody knows then which of them are.
pub async fn sync_dir(cx: &dyn IoContext, path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_path_buf();
    let what = context(format!("sync the directory {}", path.display()));
    run(cx, Op::SyncDir { path }).await.map_err(what)?;
    Ok(())
}

/// The names in the directory `path`, in order. It may block the shard while the directory is
/// read: for launch and recovery only.
///
/// # Errors
/// What the system says, with the path.
pub async fn list(cx: &dyn IoContext, path: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
    let path = path.as_ref().to_path_buf();
    let what = context(format!("list the directory {}", path.display()));
    match run(cx, Op::List { path }).await.map_err(what)? {
        Outcome::Names(names) => Ok(names),
        other => Err(unexpected(&other)),
    }
}
