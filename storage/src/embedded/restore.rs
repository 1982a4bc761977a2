//! Recovery by a snapshot: what it knows is taken in, and the log is read from there on.

use std::collections::BTreeMap;

use quark_shards::driver::OpenOptions;
use quark_shards::io::{File, names};

use super::error::{OpenError, at};
use super::fence::Fence;
use super::format::{BLOCK, Fault, PART_BYTES, Part, PartKind, SnapshotHeader};
use super::index::Entry;
use super::log::Log;
use super::names::{FileKind, parse_name};
use super::read::read_some;
use super::recover::Found;

impl Log {
    /// Takes in the newest snapshot that is good; says what it says of itself, for the log has to be
    /// read from there on. `None` if there is none: all of the log has to be read.
    pub(super) async fn restore(
        &self,
        found: &BTreeMap<u32, Found>,
    ) -> Result<Option<SnapshotHeader>, OpenError> {
        let numbers = self.find_snapshots().await?;
        for number in numbers.into_iter().rev() {
            match self.take_in(number, found).await {
                Ok(Some(header)) => {
                    self.state.borrow_mut().snapshots.used = true;
                    return Ok(Some(header));
                }
                Ok(None) => {}
                Err(why) => self.note(format!(
                    "the snapshot {} is of no use ({why}): the log is read without it",
                    self.path_of(FileKind::Snapshot, number).display()
                )),
            }
            self.state.borrow_mut().forget_records();
        }
        Ok(None)
    }

    /// The numbers of the log's snapshots, in order. Unfinished ones are deleted.
    async fn find_snapshots(&self) -> Result<Vec<u32>, OpenError> {
        let (cx, folder) = (&*self.shard, &self.folder);
        let mut numbers = Vec::new();
        let mut next = 1;
        for name in names::list(cx, folder).await.map_err(at(folder))? {
            let Some(name) = name.to_str().and_then(parse_name) else {
                continue;
            };
            if !name.is_of(self.id) {
                continue;
            }
            match name.kind {
                FileKind::Segment => continue,
                FileKind::Snapshot => numbers.push(name.number),
                FileKind::NewSnapshot => {
                    let path = self.path_of(name.kind, name.number);
                    names::remove(cx, &path).await.map_err(at(&path))?;
                }
            }
            next = next.max(name.number.saturating_add(1));
        }
        numbers.sort_unstable();
        let mut state = self.state.borrow_mut();
        state.snapshots.next = next;
        state.snapshots.there.clone_from(&numbers);
        Ok(numbers)
    }

    /// Takes in snapshot `number`; `None` if the log has left it behind. Else says why it can't be
    /// used; some of it may then be known already.
    async fn take_in(
        &self,
        number: u32,
        found: &BTreeMap<u32, Found>,
    ) -> Result<Option<SnapshotHeader>, String> {
        let cx = &*self.shard;
        let path = self.path_of(FileKind::Snapshot, number);
        let read = OpenOptions {
            read: true,
            ..OpenOptions::default()
        };
        let unreadable = |error: std::io::Error| format!("it can't be read: {error}");
        let file = File::open(cx, &path, read).await.map_err(unreadable)?;
        let size = file.size(cx).await.map_err(unreadable)?;
        let block = read_some(cx, &file, BLOCK, 0).await.map_err(unreadable)?;
        let header = SnapshotHeader::parse(&block, self.id, number).map_err(in_words)?;
        if !fits(&header, found)? {
            return Ok(None);
        }
        // No more than the file can have.
        let records = header.records.min(size / size_of::<Entry>() as u64);
        let records = usize::try_from(records).unwrap_or(0);
        self.state.borrow_mut().index.reserve(records);
        let mut offset = BLOCK as u64;
        for place in 0.. {
            let bytes = read_some(cx, &file, PART_BYTES, offset).await;
            let bytes = bytes.map_err(unreadable)?;
            let part = Part::parse(&bytes, self.id, number, place).map_err(in_words)?;
            if part.kind == PartKind::End {
                break;
            }
            self.take_in_part(part, found)?;
            offset += part.len() as u64;
        }
        Ok(Some(header))
    }

    fn take_in_part(&self, part: Part<'_>, found: &BTreeMap<u32, Found>) -> Result<(), String> {
        let first = found.keys().next().copied().unwrap_or(0);
        let mut state = self.state.borrow_mut();
        for item in part.items() {
            match part.kind {
                PartKind::Records => {
                    let entry = Entry::of_item(item);
                    let segment = entry.place().segment;
                    if found.contains_key(&segment) {
                        state.learn_entry(entry);
                    } else if segment > first {
                        return Err(missing(segment));
                    }
                    // Else compaction has deleted the segment since: what was alive there lies
                    // where the log goes on, and what does not is gone.
                }
                PartKind::Fences => {
                    let (slot, fence) = Fence::of_item(item);
                    state.learn_fence(slot, fence);
                }
                PartKind::Due => {
                    let [time, sequence, low] = item;
                    state.due.insert((time, sequence), low);
                }
                PartKind::End => {}
            }
        }
        Ok(())
    }
}

/// Whether the log goes on where the snapshot says; `false` if its segment was deleted since.
fn fits(header: &SnapshotHeader, found: &BTreeMap<u32, Found>) -> Result<bool, String> {
    let position = header.position;
    let first = found.keys().next().copied().unwrap_or(0);
    if position.segment < first {
        return Ok(false);
    }
    match found.get(&position.segment) {
        Some(segment) => {
            let begins = segment.header.map(|segment| segment.first_batch);
            let is_there = match position.offset {
                0 => begins.is_none_or(|begins| begins >= position.batch),
                offset => {
                    offset.is_multiple_of(BLOCK as u64)
                        && (BLOCK as u64..=segment.size).contains(&offset)
                        && begins.is_some_and(|begins| begins <= position.batch)
                }
            };
            if !is_there {
                return Err("the log does not go on where it ends".to_owned());
            }
        }
        None if position.offset > 0 => return Err(missing(position.segment)),
        None => {}
    }
    let later = found.range(position.segment.saturating_add(1)..);
    let mut begins = later.filter_map(|(_, segment)| Some(segment.header?.first_batch));
    if begins.any(|begins| begins < position.batch) {
        return Err("the log has gone on without it".to_owned());
    }
    Ok(true)
}

fn missing(segment: u32) -> String {
    format!("segment {segment} is missing")
}

fn in_words(fault: Fault) -> String {
    match fault {
        Fault::Damaged => "it is damaged".to_owned(),
        Fault::Newer(version) => format!("it is of format {version}, which is newer"),
        Fault::Foreign => "it is of another log".to_owned(),
    }
}
