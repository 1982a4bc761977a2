//! What can go wrong with the comparison itself; what goes wrong with a peer is a footnote.

use std::fmt;
use std::io;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) enum Error {
    /// A file can't be read.
    Read { path: PathBuf, source: io::Error },
    /// A file can't be written.
    Write { path: PathBuf, source: io::Error },
    /// A program does not say who it is.
    NoDescription { program: PathBuf, why: String },
    /// A file of records that is none.
    NoRecord {
        path: PathBuf,
        line: usize,
        why: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Error::Write { path, source } => {
                write!(
                    f,
                    "cannot write {}: {source}; --out names the folder",
                    path.display()
                )
            }
            Error::NoDescription { program, why } => write!(
                f,
                "{} --describe does not say which peer it runs: {why}; build it anew with \
                 bench/peers/run.sh",
                program.display()
            ),
            Error::NoRecord { path, line, why } => write!(
                f,
                "{}, line {line}: {why}; --from takes a runs.jsonl that this program wrote",
                path.display()
            ),
        }
    }
}
