//! Snapshots: what is known of the log's records is written down, so that the next launch need not
//! read all of the log.
//!
//! A snapshot is taken while the log goes on, so what it has of each record is of some moment
//! between its beginning and its end. It says where the log was at its beginning. Whoever reads the
//! log from there on comes to the same end whether or not some of it was known already: of two
//! versions the higher sequence wins, and whatever is gone since is said to be gone there.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use quark_shards::io::names;
use quark_shards::planted::{Bug, planted};

use super::batch::{Fate, aligned_block};
use super::format::{
    BLOCK, Item, PART_ITEMS, PartKind, Position, SnapshotHeader, encode_part, part_len,
};
use super::log::Log;
use super::names::FileKind;
use super::segments::WriteFault;
use super::state::State;

/// The writers have the disk to themselves for at least so long after each part, and for three
/// times as long as it took.
const REST: Duration = Duration::from_micros(500);
/// A snapshot may be as long as a fourth of what is logged until the next.
const TIMES: u64 = 4;

/// What is known of a log's snapshots.
#[derive(Default)]
pub(super) struct Snapshots {
    /// Bytes that the log has behind the newest.
    pub(super) behind: u64,
    /// Those in the directory that are not newer than the newest good one.
    pub(super) there: Vec<u32>,
    /// The number of the next.
    pub(super) next: u32,
    /// One that is being taken.
    pub(super) taking: Option<Rc<Fate>>,
    /// Whether somebody waits for it.
    pub(super) is_urgent: bool,
    /// Whether none is to be taken any more.
    pub(super) is_over: bool,
    /// How many were taken since the log was opened.
    pub(super) taken: u64,
    /// Whether the log was opened by one.
    pub(super) used: bool,
}

/// Whether so much was logged since the last one that another is worth its writing.
pub(super) fn is_due(log: &Log, state: &State) -> bool {
    let snapshots = &state.snapshots;
    let Some(most) = log.config.snapshot_bytes else {
        return false;
    };
    let own = state.index.len() as u64 * size_of::<Item>() as u64;
    snapshots.taking.is_none() && !snapshots.is_over && snapshots.behind >= most.max(TIMES * own)
}

/// Takes one beside the log's work; `fate` is settled at its end, however that is.
pub(super) async fn run(log: Rc<Log>, fate: Rc<Fate>) {
    let number = log.state.borrow().snapshots.next;
    let taken = take(&log, number).await;
    let path = log.path_of(FileKind::NewSnapshot, number);
    if let Err(fault) = taken {
        // The next launch deletes it if this does not.
        let _ = names::remove(&*log.shard, &path).await;
        if let Fault::System(error) = fault {
            tracing::warn!(shard = log.id.shard, %error, "no snapshot was taken");
            let is_full = matches!(WriteFault::of(&error), WriteFault::Full);
            log.state.borrow_mut().snapshots.is_over |= !is_full;
        }
    }
    log.state.borrow_mut().snapshots.taking = None;
    fate.settle(Ok(()));
}

impl Log {
    /// Takes one at the end, if the log has anything that the last one does not know.
    pub(super) async fn leave_snapshot(self: &Rc<Self>) {
        loop {
            let taking = {
                let mut state = self.state.borrow_mut();
                state.snapshots.is_urgent = true;
                state.snapshots.taking.clone()
            };
            match taking {
                Some(fate) => drop(fate.settled().await),
                None => break,
            }
        }
        let fate = Rc::new(Fate::default());
        {
            let mut state = self.state.borrow_mut();
            let is_news = state.snapshots.behind > 0 && !state.snapshots.is_over;
            if !is_news || self.config.snapshot_bytes.is_none() {
                return;
            }
            state.snapshots.taking = Some(fate.clone());
        }
        run(self.clone(), fate).await;
    }

    /// Has the next launch read all of the log: something in it can't be read.
    pub(super) async fn distrust_snapshots(&self) {
        let there = {
            let mut state = self.state.borrow_mut();
            state.snapshots.is_over = true;
            std::mem::take(&mut state.snapshots.there)
        };
        for number in there {
            let _ = names::remove(&*self.shard, self.path_of(FileKind::Snapshot, number)).await;
        }
    }
}

/// Why there is no snapshot.
enum Fault {
    /// The index's table has moved while it was gone through: another time. Or nobody wants it.
    Dropped,
    System(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::System(error)
    }
}

async fn take(log: &Rc<Log>, number: u32) -> Result<(), Fault> {
    let cx = &*log.shard;
    let (mut header, behind, mut course) = {
        let mut state = log.state.borrow_mut();
        state.snapshots.next = number.saturating_add(1);
        let course = Course::new(state.index.moved());
        (begin(log, &state, number), state.snapshots.behind, course)
    };
    let new = log.path_of(FileKind::NewSnapshot, number);
    let (file, _) = log.open_new(&new).await?;
    let mut at = BLOCK as u64;
    let mut place = 0;
    loop {
        let began = log.shard.read_clock();
        let (kind, items) = course.next(&log.state.borrow())?;
        if planted(Bug::ForgottenEpochs) && kind == PartKind::Fences {
            continue;
        }
        if kind == PartKind::End && planted(Bug::SnapshotAhead) {
            header.position = position(&log.state.borrow());
        }
        let part = aligned_block(part_len(items.len()), |bytes| {
            encode_part(bytes, kind, &items, log.id, number, place);
        });
        let len = part.len() as u64;
        if kind == PartKind::End {
            let block = aligned_block(BLOCK, |block| header.encode(block));
            file.write_all_at(cx, block, 0).await?;
        }
        let is_urgent = log.state.borrow().snapshots.is_urgent;
        let is_enough = (is_urgent && kind != PartKind::End) || planted(Bug::SnapshotUnsynced);
        if is_enough {
            file.write_all_at(cx, part, at).await?;
        } else {
            // Each on its own, so that no sync of the log's has to wait for many.
            file.write_durable(cx, part, at).await?;
        }
        at += len;
        place += 1;
        if kind == PartKind::End {
            break;
        }
        if !is_urgent {
            let took = log.shard.read_clock() - began;
            log.shard.sleep(REST.max(took * 3)).await;
        }
    }
    if log.state.borrow().snapshots.is_over {
        return Err(Fault::Dropped);
    }
    let path = log.path_of(FileKind::Snapshot, number);
    names::rename(cx, &new, &path).await?;
    log.sync_names().await?;
    let older = {
        let mut state = log.state.borrow_mut();
        state.snapshots.behind -= behind;
        state.snapshots.taken += 1;
        std::mem::replace(&mut state.snapshots.there, vec![number])
    };
    for number in older {
        // One that stays, or comes back, is older and as good.
        let _ = names::remove(cx, log.path_of(FileKind::Snapshot, number)).await;
    }
    Ok(())
}

fn begin(log: &Log, state: &State, number: u32) -> SnapshotHeader {
    SnapshotHeader {
        log: log.id,
        number,
        position: position(state),
        oldest: state.oldest,
        next_sequence: state.next_sequence,
        records: state.index.len() as u64,
    }
}

/// Where the next batch will be: all before it is known.
fn position(state: &State) -> Position {
    let (segment, offset) = match &state.tail {
        Some(tail) => (tail.number, tail.end),
        // Segments are numbered in the order of their batches.
        None => (
            state
                .segments
                .keys()
                .next_back()
                .map_or(0, |last| last.saturating_add(1)),
            0,
        ),
    };
    Position {
        segment,
        offset,
        batch: state.next_batch,
    }
}

/// How far a snapshot has come.
struct Course {
    /// What the index said of its moves when it was begun.
    moved: u64,
    next: Next,
}

enum Next {
    Records(usize),
    Fences(u16),
    Due(u64, u64),
    End,
}

impl Course {
    fn new(moved: u64) -> Self {
        Course {
            moved,
            next: Next::Records(0),
        }
    }

    /// Some more items.
    fn next(&mut self, state: &State) -> Result<(PartKind, Vec<Item>), Fault> {
        let mut items = Vec::new();
        match self.next {
            Next::Records(from) => {
                if state.index.moved() != self.moved {
                    return Err(Fault::Dropped);
                }
                let next = state.index.some_from(from, PART_ITEMS, &mut items);
                self.next = next.map_or(Next::Fences(0), Next::Records);
                Ok((PartKind::Records, items))
            }
            Next::Fences(from) => {
                let mut fences = state.fences.from(from);
                let some = fences.by_ref().take(PART_ITEMS);
                items.extend(some.map(|(slot, fence)| fence.to_item(slot)));
                let next = fences.next();
                self.next = next.map_or(Next::Due(0, 0), |(slot, _)| Next::Fences(slot));
                Ok((PartKind::Fences, items))
            }
            Next::Due(time, sequence) => {
                let mut due = state.due.range((time, sequence)..);
                let some = due.by_ref().take(PART_ITEMS);
                items.extend(some.map(|((time, sequence), low)| [*time, *sequence, *low]));
                let next = due.next().map(|(when, _)| *when);
                self.next = next.map_or(Next::End, |(time, sequence)| Next::Due(time, sequence));
                Ok((PartKind::Due, items))
            }
            Next::End => Ok((PartKind::End, items)),
        }
    }
}
