//! Snapshots: a journal's state as it was after some event, so that fewer are replayed. They can be
//! done without: what is wrong with one is said, and costs time alone.

use quark_shards::planted::{Bug, planted};
use quark_storage::provider::{Expected, StoreError, Write};

use super::{Evolve, Journal, Seen};
use crate::state::{Format, StateError, encode};

impl<S: Evolve> Journal<S> {
    /// Keeps the state as it is now, if enough has happened since that was done last.
    pub(super) async fn take_snapshot(&mut self) {
        let Some(seen) = self.kept.as_deref_mut() else {
            return;
        };
        let (etag, last) = seen.taken;
        if S::SNAPSHOT_EVERY == 0 || self.len - last < S::SNAPSHOT_EVERY {
            return;
        }
        // Not again at once, whatever becomes of this one.
        seen.taken.1 = self.len;
        let record = seen.snapshot.record();
        let last = self.len + u64::from(planted(Bug::JournalSnapshotAhead));
        let value = match encode(&(last, &self.state), 0, record) {
            Ok(value) => value,
            Err(error) => return tracing::warn!(%error, "a journal can't keep a snapshot"),
        };
        let saved = seen.snapshot.ask(move |provider, record, epoch| {
            let expected = Expected::loaded(etag);
            let write = Write {
                epoch,
                expected,
                value,
            };
            provider.save(record, write)
        });
        match saved.await {
            Ok(etag) => seen.taken.0 = Some(etag),
            Err(StateError::Conflict { current, .. }) => seen.taken.0 = current,
            Err(error) => tracing::warn!(%error, "a journal can't keep a snapshot"),
        }
    }
}

impl Seen {
    /// The state that was kept, with the last event in it; the first of all if there is none, or
    /// none that can be read. `len` is how many events there are.
    pub(super) async fn find_snapshot<S: Evolve>(
        &mut self,
        len: u64,
    ) -> Result<(S, u64), StateError> {
        let found = self
            .snapshot
            .ask(|provider, record, epoch| provider.load(record, epoch))
            .await;
        let kept = match found {
            Ok(None) => return Ok((S::default(), 0)),
            Ok(Some(kept)) => kept,
            Err(error @ StateError::Store(StoreError::Damaged { .. })) => {
                tracing::warn!(%error, "a journal's snapshot is damaged: its events are replayed");
                return Ok((S::default(), 0));
            }
            Err(error) => return Err(error),
        };
        self.taken = (Some(kept.etag), 0);
        let format = Format::<(u64, S)>::plain();
        match format.decode(&kept.value, self.snapshot.record()) {
            Ok((last, state)) if last <= len => {
                self.taken.1 = last;
                Ok((state, last))
            }
            Ok((last, _)) => Err(StateError::Store(StoreError::Damaged {
                what: format!("the journal {}", self.events.record()),
                why: format!("it has {len} events, and had {last} when its snapshot was taken"),
            })),
            Err(error) => {
                tracing::warn!(%error, "a journal's snapshot can't be read: its events are replayed");
                Ok((S::default(), 0))
            }
        }
    }
}
