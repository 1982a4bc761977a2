//! The floor of durable saves: the batches that a log wrote, written and made durable one after the
//! other by a bare loop over the driver, on one thread, without shard, actors or log.

use std::io;
use std::path::{Path, PathBuf};

use quark_shards::driver::uring::{UringConfig, UringDriver, clock};
use quark_shards::driver::{
    Completion, DIRECT_ALIGN, Driver, Handle, Op, OpenOptions, Outcome, Token,
};
use quark_storage::embedded::BatchSize;

use super::{Floor, FloorError, pinned};
use crate::clock::Clock;

/// What is measured.
pub const NAME: &str = "write+fdatasync of the same batches";
/// The unit it is measured in.
pub const UNIT: &str = "saves/s";

/// Batches at most: seconds of work.
const MOST: usize = 5_000;
/// Bytes at most.
const MOST_BYTES: usize = 256 << 20;
/// Zeros written ahead at once, in bytes.
const PIECE: usize = 1 << 20;

/// Writes the first of `batches` to a file in `folder`, which is removed again: how many of their
/// records become durable in a second. On `core`, if one is given. The file's room is set aside
/// and filled with zeros before, as a log's is.
///
/// # Errors
///
/// [`FloorError::Disk`], and when the core may not be used.
pub fn saves_per_s(
    core: Option<usize>,
    folder: &Path,
    batches: &[BatchSize],
) -> Result<Floor, FloorError> {
    let path = folder.join("floor");
    let run = || write_all(&path, chosen(batches));
    let measured = match core {
        Some(core) => pinned::on(core, run)?,
        None => run(),
    };
    let value = measured.map_err(|error| FloorError::Disk {
        folder: folder.display().to_string(),
        reason: error.to_string(),
    })?;
    Ok(Floor {
        name: NAME,
        value,
        unit: UNIT,
        p99: None,
    })
}

/// As many of the first as are worth the time.
fn chosen(batches: &[BatchSize]) -> &[BatchSize] {
    let mut bytes = 0;
    let enough = |batch: &BatchSize| {
        bytes += batch.bytes;
        bytes > MOST_BYTES
    };
    let end = batches.iter().position(enough).unwrap_or(batches.len());
    &batches[..end.min(MOST)]
}

fn write_all(path: &Path, batches: &[BatchSize]) -> io::Result<f64> {
    let longest = batches.iter().map(|batch| batch.bytes).max().unwrap_or(0);
    let bytes: usize = batches.iter().map(|batch| batch.bytes).sum();
    if bytes == 0 {
        return Ok(0.0);
    }
    let mut bare = Bare::new()?;
    let file = bare.create(path.to_owned(), bytes)?;
    let text = aligned(longest, b'q');
    let clock = Clock::new();
    let (mut at, mut records) = (0, 0);
    let begun = clock.now();
    for batch in batches {
        let wrote = bare.run(Op::WriteDurable {
            file,
            buffer: text.slice(..batch.bytes),
            offset: at,
        })?;
        whole(&wrote, batch.bytes)?;
        at += batch.bytes as u64;
        records += u64::from(batch.records);
    }
    let ns = clock.now() - begun;
    bare.run(Op::Close { handle: file })?;
    bare.run(Op::Remove {
        path: path.to_owned(),
    })?;
    Ok(records as f64 * 1e9 / ns.max(1) as f64)
}

/// A driver and nothing round it.
struct Bare {
    driver: UringDriver,
    done: Vec<Completion>,
}

impl Bare {
    fn new() -> io::Result<Self> {
        let driver = UringDriver::new(UringConfig {
            entries: 8,
            seed: 1,
            start: clock(),
            worker_cpus: Vec::new(),
        });
        Ok(Bare {
            driver: driver.map_err(io::Error::other)?,
            done: Vec::new(),
        })
    }

    fn run(&mut self, op: Op) -> io::Result<Outcome> {
        self.driver.submit(Token(1), op);
        loop {
            self.driver.park(None);
            self.driver.poll(&mut self.done);
            if let Some(completion) = self.done.pop() {
                return completion.result;
            }
        }
    }

    /// A file with room for `bytes`, opened past the system's cache where that can be.
    fn create(&mut self, path: PathBuf, bytes: usize) -> io::Result<Handle> {
        let mut options = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            direct: true,
            ..OpenOptions::default()
        };
        let file = self.open(path.clone(), options).or_else(|error| {
            if error.kind() != io::ErrorKind::InvalidInput {
                return Err(error);
            }
            options.direct = false;
            self.open(path, options)
        })?;
        let room = Op::Allocate {
            file,
            offset: 0,
            len: bytes as u64,
        };
        match self.run(room) {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        let zeros = aligned(PIECE, 0);
        let mut at = 0;
        while at < bytes {
            let len = PIECE.min(bytes - at);
            let wrote = self.run(Op::Write {
                file,
                buffer: zeros.slice(..len),
                offset: at as u64,
            })?;
            whole(&wrote, len)?;
            at += len;
        }
        self.run(Op::Fdatasync { file })?;
        Ok(file)
    }

    fn open(&mut self, path: PathBuf, options: OpenOptions) -> io::Result<Handle> {
        match self.run(Op::Open { path, options })? {
            Outcome::Opened(file) => Ok(file),
            other => Err(odd(&other)),
        }
    }
}

fn whole(outcome: &Outcome, len: usize) -> io::Result<()> {
    match outcome {
        Outcome::Wrote(wrote) if *wrote == len => Ok(()),
        other => Err(odd(other)),
    }
}

fn odd(outcome: &Outcome) -> io::Error {
    io::Error::other(format!("the driver answered {outcome:?}"))
}

/// `len` bytes at an address that suits a direct write.
fn aligned(len: usize, byte: u8) -> bytes::Bytes {
    let buffer = vec![byte; len + DIRECT_ALIGN];
    let begin = buffer.as_ptr().align_offset(DIRECT_ALIGN).min(DIRECT_ALIGN);
    bytes::Bytes::from(buffer).slice(begin..begin + len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const SMALL: BatchSize = BatchSize {
        bytes: 4_096,
        records: 10,
    };

    #[test]
    fn batches_are_written_and_nothing_stays() {
        let folder = Scratch::new(Some(&std::env::temp_dir())).unwrap();
        let large = BatchSize {
            bytes: 3 * 4_096,
            records: 64,
        };
        let core = super::super::allowed_cores()[0];
        for core in [Some(core), None] {
            let floor = saves_per_s(core, folder.path(), &[SMALL, large, SMALL]).unwrap();
            assert_eq!((floor.name, floor.unit), (NAME, UNIT));
            assert!(floor.value > 0.0);
        }
        assert!(!folder.path().join("floor").exists());
        let missing = folder.path().join("missing");
        let error = saves_per_s(None, &missing, &[SMALL]).unwrap_err();
        assert!(error.to_string().contains("missing: "), "{error}");
    }

    #[test]
    fn it_takes_seconds_at_most() {
        assert_eq!(chosen(&[SMALL; 9]).len(), 9);
        assert_eq!(chosen(&[SMALL; MOST + 1]).len(), MOST);
        let huge = BatchSize {
            bytes: MOST_BYTES / 2,
            records: 1,
        };
        assert_eq!(chosen(&[huge; 3]).len(), 2);
    }
}
