//! Acknowledgements as lines, written by a thread of their own: a reader that is slow must not hold
//! up a shard.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::error::Error;

/// Sequences and orders of events that were acknowledged together.
pub(super) type Acks = Vec<(u64, u64)>;

/// A file that acknowledgements are written to as they come.
pub(super) struct AckFile {
    path: PathBuf,
    thread: JoinHandle<io::Result<()>>,
}

impl AckFile {
    /// Makes the file at `path`; `-` is standard output. Whoever has the sender acknowledges.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(super) fn create(path: &Path) -> Result<(Self, Sender<Acks>), Error> {
        let opened = if path == Path::new("-") {
            // Not by the lock that the report is written under.
            let stdout = io::stdout().as_fd().try_clone_to_owned();
            stdout.map(File::from)
        } else {
            File::create(path)
        };
        let file = opened.map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })?;
        let (sender, acks) = mpsc::channel();
        let thread = thread::spawn(move || write(file, &acks));
        let path = path.to_owned();
        Ok((AckFile { path, thread }, sender))
    }

    /// Waits until all is written. Nobody may have the sender any more.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(super) fn finish(self) -> Result<(), Error> {
        let wrote = self.thread.join();
        let wrote = wrote.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        wrote.map_err(|source| Error::Write {
            path: self.path,
            source,
        })
    }
}

/// Whole lines, and what has come so far at once.
fn write(file: File, acks: &Receiver<Acks>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    while let Ok(first) = acks.recv() {
        for (sequence, order) in std::iter::once(first).chain(acks.try_iter()).flatten() {
            writeln!(file, "{sequence} {order}")?;
        }
        file.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn lines_are_written_as_they_come() {
        let folder = Scratch::new(Some(&std::env::temp_dir())).unwrap();
        let path = folder.path().join("acks");
        let (file, sender) = AckFile::create(&path).unwrap();
        sender.send(vec![(1, 70), (3, 71)]).unwrap();
        sender.send(vec![]).unwrap();
        sender.send(vec![(4, 70)]).unwrap();
        drop(sender);
        file.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "1 70\n3 71\n4 70\n");
        let refused = AckFile::create(folder.path()).err().unwrap();
        assert_eq!(refused.exit_code(), 2);
    }
}
