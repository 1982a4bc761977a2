//! Compaction: what is still alive in the oldest segment moves to the tail, and the segment goes.

use std::rc::Rc;
use std::time::Duration;

use quark_shards::io::names;
use quark_shards::planted::{Bug, planted};

use super::batch::{Fate, Update};
use super::format::{RECORD_HEADER, RecordHeader, body_crc};
use super::index::Place;
use super::log::Log;
use super::scan::{Bounds, Piece, Scanner, Told};
use super::segments::WriteFault;
use super::state::{Health, State};

/// Copied before the writers have the disk to themselves again, in bytes.
const SHARE: usize = 128 << 10;
/// They have it for at least so long, and for three times as long as the copying took.
const REST: Duration = Duration::from_micros(500);

/// Whether more than half of the log is of no use.
pub(super) fn is_due(state: &State) -> bool {
    let tail = state.tail.as_ref().map(|tail| (tail.number, tail.end));
    let mut sealed = 0;
    let (mut used, mut live) = (0, 0);
    for (number, segment) in &state.segments {
        live += segment.live_bytes;
        match tail {
            Some((tail, end)) if tail == *number => used += end,
            _ => {
                used += segment.size;
                sealed += 1;
            }
        }
    }
    sealed > 0 && live * 2 < used
}

/// Compacts until half of the log is alive, or every segment has had its turn.
pub(super) async fn run(log: Rc<Log>) {
    let end = log.state.borrow().next_segment;
    let mut begin = 0;
    loop {
        let oldest = {
            let state = log.state.borrow();
            let tail = state.tail.as_ref().map_or(u32::MAX, |tail| tail.number);
            let mut segments = state.segments.keys().copied();
            let next = segments.find(|number| *number >= begin);
            next.filter(|number| {
                *number < tail.min(end) && is_due(&state) && state.writable().is_ok()
            })
        };
        let Some(oldest) = oldest else { break };
        begin = oldest + 1;
        if compact(&log, oldest).await.is_none() {
            break;
        }
    }
    log.state.borrow_mut().compacting = false;
}

/// `None` if it has to be left as it is.
async fn compact(log: &Rc<Log>, number: u32) -> Option<()> {
    let (file, size) = {
        let state = log.state.borrow();
        let segment = state.segments.get(&number)?;
        (segment.file.clone(), segment.size)
    };
    let mut scanner = Scanner::new(
        log.shard.clone(),
        file,
        log.id,
        number,
        size,
        Bounds::default(),
    );
    let mut copied = 0;
    let mut last = None;
    let mut is_damaged = false;
    let mut began = log.shard.read_clock();
    while log.state.borrow().segments.get(&number)?.live > 0 {
        let Some(piece) = scanner.next().await.ok()? else {
            break;
        };
        is_damaged |= !matches!(piece, Piece::Batch { .. });
        for Told { offset, header, .. } in scanner.records(&piece).await.ok()? {
            let place = Place {
                segment: number,
                offset,
            };
            if !is_wanted(&log.state.borrow(), place, &header) {
                continue;
            }
            let len = header.body_len as usize;
            let body = scanner
                .bytes(offset + RECORD_HEADER as u64, len)
                .await
                .ok()?;
            if let Some(fate) = copy(log, place, header, body) {
                copied += header.len();
                last = Some(fate);
            }
            if copied >= SHARE {
                wait(log, last.take()).await?;
                copied = 0;
                let took = log.shard.read_clock() - began;
                log.shard.sleep(REST.max(took * 3)).await;
                began = log.shard.read_clock();
            }
        }
    }
    wait(log, last).await?;
    let is_lost = {
        let state = log.state.borrow();
        state.segments.get(&number)?.live > 0 && (is_damaged || state.ahead.is_empty())
    };
    if is_lost {
        // What is known by a snapshot only. Reading all of the log tells what can't be found.
        log.distrust_snapshots().await;
    }
    remove(log, number).await
}

fn is_wanted(state: &State, place: Place, header: &RecordHeader) -> bool {
    state.is_live(place, header) && !state.is_overtaken(header)
}

/// Queues a copy, unless the record has been overtaken while it was read.
fn copy(log: &Rc<Log>, place: Place, header: RecordHeader, body: &[u8]) -> Option<Rc<Fate>> {
    let whole = body_crc(body, log.salt) == header.body_crc;
    let fate = {
        let mut state = log.state.borrow_mut();
        if body.len() != header.body_len as usize
            || !is_wanted(&state, place, &header)
            || state.writable().is_err()
        {
            return None;
        }
        let batch = state.gathering(header.len());
        let (at, header) = batch.copy(header, log.salt, body, whole);
        batch.updates.push(Update {
            at,
            header,
            moved: Some(place),
            mark: None,
        });
        batch.fate.clone()
    };
    log.set_going();
    Some(fate)
}

async fn wait(log: &Rc<Log>, fate: Option<Rc<Fate>>) -> Option<()> {
    log.set_going();
    match fate {
        Some(_) if planted(Bug::HastyCompaction) => Some(()),
        Some(fate) => fate.settled().await.ok(),
        None => Some(()),
    }
}

async fn remove(log: &Log, number: u32) -> Option<()> {
    {
        let mut state = log.state.borrow_mut();
        // What could not be copied stays where it is.
        if state.segments.get(&number)?.live > 0 && !planted(Bug::HastyCompaction) {
            return None;
        }
        state.segments.remove(&number);
        state.oldest = state.segments.keys().next().copied().unwrap_or(number + 1);
    }
    let cx = &*log.shard;
    let mut gone = names::remove(cx, log.path(number)).await;
    if gone.is_ok() {
        // Nothing that its records shadowed may come back without it.
        gone = log.sync_names().await;
    }
    if let Err(error) = gone {
        let WriteFault::Broken(why) = WriteFault::of(&error) else {
            return None;
        };
        log.note(format!(
            "read-only since a segment could not be deleted: {why}"
        ));
        log.state.borrow_mut().health = Health::ReadOnly(why);
        return None;
    }
    Some(())
}
