//! Folders for what a run writes: made anew, and gone at its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use quark::Store;
use quark_storage::embedded::{BatchSize, batch_sizes};

use crate::error::Error;

/// A folder of this run alone, removed when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A fresh folder in `within`; if that is not said, in `target` here, or else right here:
    /// the system's own place for such things is often in memory, where nothing is durable.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn new(within: Option<&Path>) -> Result<Self, Error> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let usual = || {
            let target = Path::new("target");
            if target.is_dir() {
                target
            } else {
                Path::new(".")
            }
        };
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("quark-bench-{}-{number}", std::process::id());
        let path = within.unwrap_or_else(usual).join(name);
        match fs::create_dir_all(&path) {
            Ok(()) => Ok(Scratch(path)),
            Err(source) => Err(Error::Write { path, source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A store whose log is in the folder `name` within.
    #[must_use]
    pub fn store(&self, name: &str) -> Store {
        Store::directory(self.0.join(name))
    }

    /// The batches that the logs in the folder `name` hold, shard after shard.
    ///
    /// # Errors
    ///
    /// [`Error::Read`].
    pub fn batches(&self, name: &str) -> Result<Vec<BatchSize>, Error> {
        let mut batches = Vec::new();
        for path in files(&self.0.join(name))? {
            let bytes = fs::read(&path).map_err(|source| Error::Read { path, source })?;
            batches.extend(batch_sizes(&bytes));
        }
        Ok(batches)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody is left who could do anything about it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The files in `folder`, by their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_of_one_run_and_gone_at_its_end() {
        let within = std::env::temp_dir();
        let (one, other) = (Scratch::new(Some(&within)), Scratch::new(Some(&within)));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_ne!(one.path(), other.path());
        fs::write(one.path().join("file"), "text").unwrap();
        assert!(matches!(one.batches("none"), Err(Error::Read { .. })));
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && other.path().exists());
        let error = Scratch::new(Some(Path::new("/dev/null"))).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
