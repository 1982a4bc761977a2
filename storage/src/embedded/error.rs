//! Why a directory can't be used; each says what to do.

use std::path::{Path, PathBuf};

/// Why a directory or a log in it was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Somebody uses the directory.
    #[error(
        "{} is in use by another process (or another engine of this one): end that, or choose \
         another directory",
        .path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A newer program has written there.
    #[error(
        "{} is of format {version}, which this version does not know: run the version that wrote it, \
         or a newer one",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u16,
    },
    /// There is something that was not made by Quark, or belongs to another directory.
    #[error("{} does not belong here ({what}): choose an empty directory", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// What tells about the directory is damaged.
    #[error(
        "{} is damaged in all its copies: bring back a backup of the directory",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The options can't be.
    #[error("the option {option} can't be {value}: {why}")]
    Option {
        /// Which.
        option: &'static str,
        /// What it is.
        value: u64,
        /// What it may be.
        why: &'static str,
    },
    /// The logs could not be written anew for another number of shards.
    #[error("{} can't be divided among its shards: {why}", .path.display())]
    Divide {
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// What the system said.
    #[error("{}: {error}; see to the disk and launch again", .path.display())]
    System {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        error: std::io::Error,
    },
}

/// Says of which file an error is.
pub(super) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_path_buf();
    move |error| OpenError::System { path, error }
}
