//! Bringing a journal's state up to its events.

use quark_storage::provider::StoreError;

use super::{Evolve, Journal, Seen};
use crate::state::{Kept, Loading, Place, StateError};

/// Events replayed at once.
const PAGE: usize = 512;
/// What a snapshot's record is called: as its journal, and then this.
const SNAPSHOT: &str = "#snapshot";

impl<S: Evolve> Journal<S> {
    /// Replays the events that the state does not have yet.
    pub(super) async fn catch_up(&mut self) -> Result<(), StateError> {
        loop {
            let seen = self.kept.as_deref_mut().ok_or(StateError::NotLoaded)?;
            let page = seen.read::<S::Event>(self.len + 1, PAGE).await?;
            if page.is_empty() {
                seen.is_doubtful = false;
                return Ok(());
            }
            for (number, event) in page {
                if number != self.len + 1 {
                    return Err(StateError::Store(StoreError::Damaged {
                        what: format!("the journal {}", seen.events.record()),
                        why: format!("event {} is missing", self.len + 1),
                    }));
                }
                self.state.evolve(&event);
                self.len = number;
            }
        }
    }

    async fn replay(&mut self) -> Result<(), StateError> {
        let seen = self.kept.as_deref_mut().ok_or(StateError::NotLoaded)?;
        let len = seen
            .events
            .ask(|provider, record, epoch| provider.journal_len(record, epoch))
            .await?;
        (self.state, self.len) = seen.find_snapshot::<S>(len).await?;
        self.catch_up().await
    }
}

impl<S: Evolve> Kept for Journal<S> {
    fn load(&mut self, place: Place) -> Loading<'_> {
        Box::pin(async move {
            self.kept = Some(Box::new(Seen {
                snapshot: place.beside(SNAPSHOT),
                events: place,
                taken: (None, 0),
                is_doubtful: false,
            }));
            let loaded = self.replay().await;
            if loaded.is_err() {
                self.kept = None;
            }
            loaded
        })
    }
}
