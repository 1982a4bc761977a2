//! The writer: one batch at a time is on its way to the disk; what comes meanwhile shares the next.

use std::rc::Rc;

use quark_shards::planted::{Bug, planted};
use quark_shards::sleep::yield_now;

use super::batch::{Batch, Sealing};
use super::format::BLOCK;
use super::index::Place;
use super::log::Log;
use super::segments::WriteFault;
use super::state::Health;
use crate::provider::StoreError;

impl Log {
    /// Sees to it that what is queued is written.
    pub(super) fn set_going(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if !state.writing && !state.queue.is_empty() {
            state.writing = true;
            drop(state);
            self.shard.spawn(write_all(self.clone()));
        }
    }

    async fn write_batch(&self, batch: &mut Batch) -> Result<(), WriteFault> {
        let len = batch.disk_len() as u64;
        self.make_room(len).await?;
        let (file, place, bytes) = {
            let mut state = self.state.borrow_mut();
            let (number, next_sequence) = (state.next_batch, state.next_sequence);
            let oldest = state.oldest;
            state.last = batch.room();
            let tail = state.tail.as_mut().expect("there is room at the tail");
            if planted(Bug::SharedBlock) && tail.end > 2 * BLOCK as u64 {
                tail.end -= BLOCK as u64;
            }
            let place = Place {
                segment: tail.number,
                offset: tail.end,
            };
            let sealing = Sealing {
                number,
                place,
                oldest,
                next_sequence,
            };
            (tail.file.clone(), place, batch.seal(self.id, sealing))
        };
        let cx = &*self.shard;
        if planted(Bug::HastyAnswer) {
            batch.fate.settle(Ok(()));
        }
        let wrote = if planted(Bug::SyncSkipped) {
            file.write_all_at(cx, bytes, place.offset).await
        } else {
            file.write_durable(cx, bytes, place.offset).await
        };
        let mut state = self.state.borrow_mut();
        if let Err(error) = wrote {
            let fault = WriteFault::of(&error);
            // Whatever is there now belongs to nobody: the next batch begins a segment that says so.
            state.tail = None;
            return Err(fault);
        }
        state.next_batch += 1;
        state.snapshots.behind += len;
        if let Some(tail) = &mut state.tail {
            tail.end += len;
        }
        for update in &batch.updates {
            state.apply(place, update);
        }
        Ok(())
    }

    /// Fails `batch` and all behind it, for they rest on it.
    fn fail(&self, batch: &Batch, fault: &WriteFault) {
        let answer = fault.answer(self);
        let queue = {
            let mut state = self.state.borrow_mut();
            if let WriteFault::Broken(why) = fault {
                tracing::error!(log = %self.folder.display(), shard = self.id.shard, why, "a write failed: the store is read-only");
                state
                    .notes
                    .push(format!("read-only since a write failed: {why}"));
                state.health = Health::ReadOnly(why.clone());
            }
            // What is of no use may make room.
            state.grown = true;
            state.ahead.clear();
            state.raising.clear();
            std::mem::take(&mut state.queue)
        };
        batch.fate.settle(Err(answer.clone()));
        for batch in &queue {
            batch.fate.settle(Err(answer.clone()));
        }
    }

    /// Waits until what is queued now is durable.
    pub(super) async fn flush(self: &Rc<Self>) -> Result<(), StoreError> {
        self.set_going();
        let last = self.state.borrow().last_fate();
        match last {
            Some(fate) => fate.settled().await,
            None => Ok(()),
        }
    }
}

async fn write_all(log: Rc<Log>) {
    loop {
        let mut batch = {
            let mut state = log.state.borrow_mut();
            match state.queue.pop_front() {
                Some(batch) => {
                    state.under_way = Some(batch.fate.clone());
                    batch
                }
                None => {
                    state.writing = false;
                    break;
                }
            }
        };
        match log.write_batch(&mut batch).await {
            Ok(()) => batch.fate.settle(Ok(())),
            Err(fault) => log.fail(&batch, &fault),
        }
        log.state.borrow_mut().under_way = None;
        log.look_after();
        // Who waited for this batch is about to run, and may save again: into the next one, which
        // could not leave before they have run.
        yield_now().await;
    }
}
