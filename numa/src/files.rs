//! Reading the small text files of sysfs, procfs and cgroupfs, under any root.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::TopologyError;

/// The file system as seen from `root`: `/` for this machine, a folder for a copy of another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files<'a> {
    root: &'a Path,
}

/// No file that describes a machine comes near this; anything longer is not what it claims to be.
const LONGEST: u64 = 4 << 20;

impl<'a> Files<'a> {
    pub(crate) fn under(root: &'a Path) -> Self {
        Self { root }
    }

    /// Where `path` (written from the root, with or without a leading slash) really lies.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file that must be there.
    pub(crate) fn text(&self, path: &str) -> Result<String, TopologyError> {
        let path = self.path(path);
        read(&path).map_err(|source| TopologyError::Unreadable { path, source })
    }

    /// The text of a file that older or smaller kernels leave out.
    pub(crate) fn optional_text(&self, path: &str) -> Result<Option<String>, TopologyError> {
        match self.text(path) {
            Ok(text) => Ok(Some(text)),
            Err(TopologyError::Unreadable { source, .. }) if is_absent(&source) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// A file that must be there, as a value.
    pub(crate) fn value<T>(&self, path: &str) -> Result<T, TopologyError>
    where
        T: FromStr<Err: ToString>,
    {
        let text = self.text(path)?;
        self.parse(path, &text)
    }

    /// A file that may be missing, as a value.
    pub(crate) fn optional_value<T>(&self, path: &str) -> Result<Option<T>, TopologyError>
    where
        T: FromStr<Err: ToString>,
    {
        match self.optional_text(path)? {
            Some(text) => self.parse(path, &text).map(Some),
            None => Ok(None),
        }
    }

    /// `text`, which stands in `path`, as a value.
    pub(crate) fn parse<T>(&self, path: &str, text: &str) -> Result<T, TopologyError>
    where
        T: FromStr<Err: ToString>,
    {
        text.trim()
            .parse()
            .map_err(|error: T::Err| self.malformed(path, error.to_string()))
    }

    /// The error for a file whose text breaks its format.
    pub(crate) fn malformed(&self, path: &str, reason: impl Into<String>) -> TopologyError {
        TopologyError::Malformed {
            path: self.path(path),
            reason: reason.into(),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?
        .take(LONGEST + 1)
        .read_to_string(&mut text)?;
    if length as u64 > LONGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "longer than 4 MiB",
        ));
    }
    Ok(text)
}

/// A path through something that is no folder is as absent as a path that ends nowhere.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
