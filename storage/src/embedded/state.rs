//! What a log knows: of its records, of those on their way to the disk, and of its segments.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use quark_shards::io::File;
use quark_shards::planted::{Bug, planted};

use super::ahead::{Ahead, Aheads};
use super::batch::{BATCH_MOST, Batch, Fate, Room, Update};
use super::fence::{Fence, Fences, Raising};
use super::format::{Kind, RecordHeader};
use super::index::{Entry, Index, Mark, Marked, Place};
use super::snapshot::Snapshots;
use crate::provider::{Epoch, RecordKey, StoreError};

/// One log's knowledge. Never borrowed across an await.
#[derive(Default)]
pub(super) struct State {
    pub(super) index: Index,
    pub(super) fences: Fences,
    pub(super) raising: BTreeMap<u16, Raising>,
    /// Reminders by when they are due and their sequence, with the beginning of their mark. Some
    /// are of the past: the index says which.
    pub(super) due: BTreeMap<(u64, u64), u64>,
    /// What records will be once all that is queued is durable.
    pub(super) ahead: Aheads,
    pub(super) queue: VecDeque<Batch>,
    pub(super) writing: bool,
    /// What is being written.
    pub(super) under_way: Option<Rc<Fate>>,
    /// What the last batch held.
    pub(super) last: Room,
    pub(super) next_sequence: u64,
    /// From one sequence to the next: the logs of a directory share them.
    pub(super) step: u64,
    pub(super) next_batch: u64,
    pub(super) segments: BTreeMap<u32, Segment>,
    pub(super) tail: Option<Tail>,
    pub(super) spare: Option<Tail>,
    /// A spare that is being made: no other segment may be begun before it.
    pub(super) preparing: Option<Rc<Fate>>,
    pub(super) compacting: bool,
    pub(super) snapshots: Snapshots,
    /// Whether a segment has been begun since it was last asked if compaction is due.
    pub(super) grown: bool,
    pub(super) next_segment: u32,
    pub(super) oldest: u32,
    pub(super) health: Health,
    pub(super) records: u64,
    pub(super) reminders: usize,
    pub(super) is_direct: bool,
    pub(super) notes: Vec<String>,
}

/// Whether a log takes writes.
#[derive(Default)]
pub(super) enum Health {
    #[default]
    Fine,
    ReadOnly(String),
    Closed,
}

/// A segment that can be read.
pub(super) struct Segment {
    pub(super) file: Rc<File>,
    pub(super) size: u64,
    /// Entries that point into it, and fences.
    pub(super) live: u64,
    pub(super) live_bytes: u64,
}

/// The segment that is written to.
pub(super) struct Tail {
    pub(super) number: u32,
    pub(super) file: Rc<File>,
    pub(super) reader: Rc<File>,
    pub(super) size: u64,
    pub(super) end: u64,
}

impl State {
    /// What `mark`'s record will be; `None` if there will be none.
    pub(super) fn current(&self, mark: Mark) -> Option<u64> {
        match self.ahead.get(mark) {
            Some(ahead) => ahead.current,
            None => self.index.get(mark).map(|entry| entry.number()),
        }
    }

    pub(super) fn writable(&self) -> Result<(), StoreError> {
        match &self.health {
            Health::Fine => Ok(()),
            Health::ReadOnly(why) => Err(StoreError::ReadOnly { why: why.clone() }),
            Health::Closed => Err(StoreError::Closed),
        }
    }

    pub(super) fn open(&self) -> Result<(), StoreError> {
        match self.health {
            Health::Closed => Err(StoreError::Closed),
            _ => Ok(()),
        }
    }

    /// Shuts out lower epochs than this, or says that it is one. Gives what must be durable before
    /// anything may be answered under it.
    pub(super) fn admit(
        &mut self,
        key: &RecordKey,
        epoch: Epoch,
        salt: u32,
    ) -> Result<Option<Rc<Fate>>, StoreError> {
        let slot = key.slot();
        let durable = self.fences.get(slot).map_or(0, |fence| fence.epoch);
        let raising = self.raising.get(&slot);
        let highest = raising.map_or(durable, |raising| raising.epoch);
        if epoch.0 < highest {
            return Err(StoreError::Fenced {
                key: key.to_string(),
                current: Epoch(highest),
            });
        }
        if epoch.0 == highest {
            return Ok(raising.and_then(|raising| raising.fate.clone()));
        }
        self.writable()?;
        let header = RecordHeader {
            number: epoch.0,
            ..self.header(Kind::Fence, key)
        };
        let fate = self.push(header, salt, None, RECORD_ALONE, |_| {});
        let fate = (!planted(Bug::HastyFence)).then_some(fate);
        let raising = Raising {
            epoch: epoch.0,
            fate: fate.clone(),
        };
        self.raising.insert(slot, raising);
        Ok(fate)
    }

    /// A header for a new record, with a sequence of its own.
    pub(super) fn header(&mut self, kind: Kind, key: &RecordKey) -> RecordHeader {
        let sequence = self.next_sequence;
        self.next_sequence += self.step;
        RecordHeader {
            kind,
            slot: key.slot(),
            sequence,
            fingerprint: key.fingerprint(),
            number: 0,
            count: 0,
            names: super::format::Names::default(),
            body_len: 0,
            body_crc: 0,
        }
    }

    /// Adds a record of about `len` bytes to what is to be written, and says what `mark` will be.
    pub(super) fn push(
        &mut self,
        header: RecordHeader,
        salt: u32,
        ahead: Option<(Mark, Option<u64>)>,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Rc<Fate> {
        let batch = self.gathering(len);
        let (at, header) = batch.add(header, salt, write);
        batch.updates.push(Update {
            at,
            header,
            moved: None,
            mark: ahead.map(|(mark, _)| mark),
        });
        let fate = batch.fate.clone();
        if let Some((mark, current)) = ahead {
            let by = header.sequence;
            self.ahead.put(Ahead { mark, current, by });
        }
        fate
    }

    /// What becomes of all that is queued or being written; `None` if nothing is.
    pub(super) fn last_fate(&self) -> Option<Rc<Fate>> {
        let queued = self.queue.back().map(|batch| batch.fate.clone());
        queued.or_else(|| self.under_way.clone())
    }

    /// The batch that a record of `len` bytes goes into.
    pub(super) fn gathering(&mut self, len: usize) -> &mut Batch {
        let room = self.last;
        let full = |batch: &Batch| !batch.is_empty() && batch.len() + len > BATCH_MOST;
        if self.queue.back().is_none_or(full) {
            self.queue.push_back(Batch::new(room));
        }
        self.queue.back_mut().expect("one was pushed")
    }

    /// Takes in what has become durable at `place`, where its batch begins.
    pub(super) fn apply(&mut self, batch: Place, update: &Update) {
        let place = Place {
            segment: batch.segment,
            offset: batch.offset + update.at as u64,
        };
        match update.moved {
            None => self.learn(place, &update.header),
            Some(from) => self.relocate(from, place, &update.header),
        }
        if let Some(mark) = update.mark {
            self.ahead.arrived(mark, update.header.sequence);
        }
    }

    /// Takes in a record that lies at `place`: the last one of its name in the log's order.
    pub(super) fn learn(&mut self, place: Place, header: &RecordHeader) {
        let fingerprint = header.fingerprint;
        match header.kind {
            Kind::State => self.put_record(Mark::state(fingerprint), place, header),
            Kind::StateGone => self.remove_record(Mark::state(fingerprint), header),
            Kind::Reminder => {
                let mark = Mark::reminder(fingerprint);
                if self.is_news(mark, header) {
                    self.reminders += usize::from(self.index.get(mark).is_none());
                    self.put_record(mark, place, header);
                    let when = (header.number, header.sequence);
                    self.due.insert(when, mark.low());
                    self.tidy_due();
                }
            }
            Kind::ReminderGone => {
                let mark = Mark::reminder(fingerprint);
                if self.is_news(mark, header) {
                    self.reminders -= usize::from(self.index.get(mark).is_some());
                    self.remove_record(mark, header);
                }
            }
            Kind::Events => self.put_events(place, header),
            Kind::Fence => self.put_fence(place, header),
        }
    }

    /// Whether the very same record is known, at whatever place.
    pub(super) fn is_known(&self, header: &RecordHeader) -> bool {
        let fingerprint = header.fingerprint;
        let is_at = |mark| {
            let entry = self.index.get(mark);
            entry.is_some_and(|entry| entry.number() == header.sequence)
        };
        match header.kind {
            Kind::State => is_at(Mark::state(fingerprint)),
            Kind::Reminder => is_at(Mark::reminder(fingerprint)),
            Kind::Events => (0..u64::from(header.count))
                .all(|nth| is_at(Mark::event(fingerprint, header.number + nth))),
            // They have no body that could be damaged.
            Kind::StateGone | Kind::ReminderGone | Kind::Fence => false,
        }
    }

    /// Takes in an entry as a snapshot has it.
    pub(super) fn learn_entry(&mut self, entry: Entry) {
        if self.put_entry(entry.mark(), entry) {
            return;
        }
        let kind = entry.kind();
        self.records += u64::from(kind != Marked::Event);
        self.reminders += usize::from(kind == Marked::Reminder);
    }

    /// Takes in a slot's epoch as a snapshot has it.
    pub(super) fn learn_fence(&mut self, slot: u16, fence: Fence) {
        self.count_at(fence.place(), RECORD_ALONE as u64, true);
        if let Some(old) = self.fences.put(slot, fence) {
            self.count_at(old.place(), RECORD_ALONE as u64, false);
        }
    }

    /// Forgets all records, as if none had been read.
    pub(super) fn forget_records(&mut self) {
        self.index = Index::default();
        self.fences.clear();
        self.due.clear();
        (self.records, self.reminders) = (0, 0);
        for segment in self.segments.values_mut() {
            (segment.live, segment.live_bytes) = (0, 0);
        }
    }

    /// The entries of `header`'s record that say it lies at `place`.
    pub(super) fn is_live(&self, place: Place, header: &RecordHeader) -> bool {
        let at = |mark| {
            self.index
                .get(mark)
                .is_some_and(|entry| entry.place() == place)
        };
        match header.kind {
            Kind::State => at(Mark::state(header.fingerprint)),
            Kind::Reminder => at(Mark::reminder(header.fingerprint)),
            Kind::Events => (0..u64::from(header.count))
                .any(|nth| at(Mark::event(header.fingerprint, header.number + nth))),
            Kind::Fence => self
                .fences
                .get(header.slot)
                .is_some_and(|fence| fence.place() == place),
            Kind::StateGone | Kind::ReminderGone => false,
        }
    }

    /// Whether something on its way will take the place of `header`'s record.
    pub(super) fn is_overtaken(&self, header: &RecordHeader) -> bool {
        let mark = match header.kind {
            Kind::State => Mark::state(header.fingerprint),
            Kind::Reminder => Mark::reminder(header.fingerprint),
            _ => return false,
        };
        self.ahead.get(mark).is_some()
    }

    fn is_news(&self, mark: Mark, header: &RecordHeader) -> bool {
        let known = self.index.get(mark);
        known.is_none_or(|entry| entry.number() <= header.sequence)
    }

    fn put_record(&mut self, mark: Mark, place: Place, header: &RecordHeader) {
        if self.is_news(mark, header) {
            let entry = Entry::new(mark, place, header.sequence, header.len());
            self.records += u64::from(!self.put_entry(mark, entry));
        }
    }

    fn remove_record(&mut self, mark: Mark, header: &RecordHeader) {
        if self.is_news(mark, header)
            && let Some(old) = self.index.remove(mark)
        {
            self.count(old, false);
            self.records -= 1;
        }
    }

    fn put_events(&mut self, place: Place, header: &RecordHeader) {
        let share = header.len() / usize::from(header.count.max(1));
        let fingerprint = header.fingerprint;
        for number in header.number..header.number + u64::from(header.count) {
            let mark = Mark::event(fingerprint, number);
            if self.is_news(mark, header) {
                let entry = Entry::new(mark, place, header.sequence, share);
                self.put_entry(mark, entry);
            }
        }
        let len = (header.number + u64::from(header.count)).saturating_sub(1);
        let mark = Mark::journal(fingerprint);
        if self
            .index
            .get(mark)
            .is_none_or(|entry| entry.number() <= len)
        {
            let entry = Entry::new(mark, place, len, 0);
            self.records += u64::from(!self.put_entry(mark, entry));
        }
    }

    fn put_fence(&mut self, place: Place, header: &RecordHeader) {
        let slot = header.slot;
        let old = self.fences.get(slot);
        if old.is_some_and(|old| header.number < old.epoch) {
            return;
        }
        let old = self.fences.put(slot, Fence::new(header.number, place));
        let raising = self.raising.get(&slot);
        if raising.is_some_and(|raising| raising.epoch <= header.number) {
            self.raising.remove(&slot);
        }
        // Not their length: one that was forged may have another.
        self.count_at(place, RECORD_ALONE as u64, true);
        if let Some(old) = old {
            self.count_at(old.place(), RECORD_ALONE as u64, false);
        }
    }

    /// A record was copied from `from` to `to`.
    fn relocate(&mut self, from: Place, to: Place, header: &RecordHeader) {
        if !self.is_live(from, header) {
            return;
        }
        let fingerprint = header.fingerprint;
        match header.kind {
            Kind::State => self.relocate_entry(Mark::state(fingerprint), from, to),
            Kind::Reminder => self.relocate_entry(Mark::reminder(fingerprint), from, to),
            Kind::Events => {
                for number in header.number..header.number + u64::from(header.count) {
                    self.relocate_entry(Mark::event(fingerprint, number), from, to);
                }
                self.relocate_entry(Mark::journal(fingerprint), from, to);
            }
            Kind::Fence => self.put_fence(to, header),
            Kind::StateGone | Kind::ReminderGone => {}
        }
    }

    fn relocate_entry(&mut self, mark: Mark, from: Place, to: Place) {
        if let Some(old) = self.index.get(mark)
            && old.place() == from
        {
            let size = old.size() as usize;
            self.put_entry(mark, Entry::new(mark, to, old.number(), size));
        }
    }

    /// Says whether there was one before.
    fn put_entry(&mut self, mark: Mark, entry: Entry) -> bool {
        self.count(entry, true);
        match self.index.put(mark, entry) {
            Some(old) => {
                self.count(old, false);
                true
            }
            None => false,
        }
    }

    fn count(&mut self, entry: Entry, more: bool) {
        self.count_at(entry.place(), entry.size(), more);
    }

    fn count_at(&mut self, place: Place, size: u64, more: bool) {
        if let Some(segment) = self.segments.get_mut(&place.segment) {
            if more {
                segment.live += 1;
                segment.live_bytes += size;
            } else {
                segment.live -= 1;
                segment.live_bytes -= size;
            }
        }
    }

    /// Forgets reminders of the past once they are most of what is there.
    fn tidy_due(&mut self) {
        if self.due.len() > 2 * self.reminders + 1024 {
            let index = &self.index;
            self.due
                .retain(|(_, sequence), low| index.get_version(*low, *sequence).is_some());
        }
    }
}

/// About what a record without a body takes.
pub(super) const RECORD_ALONE: usize = 64;
