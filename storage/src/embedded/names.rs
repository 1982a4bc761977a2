//! The names of a directory's files.

use std::path::PathBuf;

use super::format::LogId;
use super::index::SEGMENTS_MOST;
use super::log::Log;

/// What a file of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Segment,
    Snapshot,
    /// A snapshot that is not finished.
    NewSnapshot,
}

/// What a file's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) kind: FileKind,
    pub(super) generation: u32,
    pub(super) shard: u16,
    pub(super) number: u32,
}

/// The name of a log's file in its directory.
pub(super) fn file_name(kind: FileKind, id: LogId, number: u32) -> String {
    let ending = match kind {
        FileKind::Segment => "log",
        FileKind::Snapshot => "snap",
        FileKind::NewSnapshot => "snap.new",
    };
    format!(
        "g{:06}-s{:05}-{number:08}.{ending}",
        id.generation, id.shard
    )
}

/// What `name` says, if it is that of a log's file.
pub(super) fn parse_name(name: &str) -> Option<FileName> {
    let (name, ending) = name.split_once('.')?;
    let kind = match ending {
        "log" => FileKind::Segment,
        "snap" => FileKind::Snapshot,
        "snap.new" => FileKind::NewSnapshot,
        _ => return None,
    };
    let mut parts = name.split('-');
    let generation = parts.next()?.strip_prefix('g')?.parse().ok()?;
    let shard = parts.next()?.strip_prefix('s')?.parse().ok()?;
    let number = parts.next()?.parse().ok()?;
    let name = FileName {
        kind,
        generation,
        shard,
        number,
    };
    let is_whole = parts.next().is_none() && number < SEGMENTS_MOST;
    is_whole.then_some(name)
}

impl FileName {
    /// Whether it is of `id`'s log.
    pub(super) fn is_of(self, id: LogId) -> bool {
        (self.generation, self.shard) == (id.generation, id.shard)
    }
}

impl Log {
    /// Where segment `number` is.
    pub(super) fn path(&self, number: u32) -> PathBuf {
        self.path_of(FileKind::Segment, number)
    }

    pub(super) fn path_of(&self, kind: FileKind, number: u32) -> PathBuf {
        self.folder.join(file_name(kind, self.id, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        let id = LogId {
            directory: 1,
            generation: 2,
            shard: 3,
        };
        let kinds = [FileKind::Segment, FileKind::Snapshot, FileKind::NewSnapshot];
        for kind in kinds {
            let name = parse_name(&file_name(kind, id, 45)).expect("it is one");
            assert!(name.is_of(id));
            assert_eq!((name.kind, name.number), (kind, 45));
        }
        for other in [
            "META",
            "g1-s2-3",
            "g1-s2-3.tmp",
            "g1-s2-3-4.log",
            "g1-s99999-3.log",
        ] {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }
}
