//! What can go wrong with a run, and the exit code it earns.

use std::io;
use std::path::PathBuf;

use crate::feed::FeedError;
use crate::floors::FloorError;
use crate::hgrm::HgrmError;

/// Why a command ended early. Shown as one line on stderr.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line asks for something that is not there.
    #[error("{0}")]
    Usage(String),
    /// The feed cannot be read or makes no sense.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A file to be written cannot be.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file to be read cannot be.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no percentile distribution.
    #[error("cannot use {}: {source}", path.display())]
    Hgrm {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: HgrmError,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(#[from] io::Error),
    /// A floor could not be measured.
    #[error(transparent)]
    Floor(#[from] FloorError),
    /// The engine would not launch as asked (too many shards, an unknown core, no io_uring).
    #[error("{0}")]
    Launch(String),
    /// A workload ran, and something that must hold did not.
    #[error("{workload}: {reason}")]
    Workload {
        /// The workload's name.
        workload: &'static str,
        /// What failed.
        reason: String,
    },
}

impl Error {
    /// 2 when the input was at fault, 1 when the measurement was.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_)
            | Error::Feed(_)
            | Error::Write { .. }
            | Error::Read { .. }
            | Error::Hgrm { .. }
            | Error::Launch(_) => 2,
            Error::Stdout(_) | Error::Floor(_) | Error::Workload { .. } => 1,
        }
    }

    /// True when the reader of standard output has gone away.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Stdout(source) if source.kind() == io::ErrorKind::BrokenPipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_input_is_two_and_a_failed_run_is_one() {
        assert_eq!(Error::Usage("x".into()).exit_code(), 2);
        assert_eq!(Error::Launch("x".into()).exit_code(), 2);
        let failed = Error::Workload {
            workload: "ring",
            reason: "a reply is missing".into(),
        };
        assert_eq!(failed.exit_code(), 1);
        assert_eq!(failed.to_string(), "ring: a reply is missing");
    }

    #[test]
    fn only_a_closed_pipe_on_stdout_is_a_broken_pipe() {
        assert!(Error::Stdout(io::ErrorKind::BrokenPipe.into()).is_broken_pipe());
        assert!(!Error::Stdout(io::ErrorKind::StorageFull.into()).is_broken_pipe());
    }
}
