//! A store that nodes of one process share.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use quark::Store;
use quark::provider::{
    Append, Due, ETag, Epoch, Event, Expected, Pending, Provider, Record, RecordKey, Reminder,
    StoreError, StoreReport, WallTime, Write,
};

/// What is kept: states, and each slot's fence.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    fences: BTreeMap<u16, Epoch>,
    states: BTreeMap<RecordKey, Record>,
    writes: u64,
}

impl Kept {
    pub fn store(&self) -> Store {
        let kept = self.clone();
        Store::custom(move |_| Rc::new(kept.clone()))
    }

    fn answer<T: 'static>(
        &self,
        key: &RecordKey,
        epoch: Epoch,
        then: impl FnOnce(&mut Contents) -> Result<T, StoreError>,
    ) -> Pending<T> {
        let mut all = self.0.lock().expect("no panic");
        let fence = all.fences.entry(key.slot()).or_insert(epoch);
        let answer = if epoch < *fence {
            let (key, current) = (key.to_string(), *fence);
            Err(StoreError::Fenced { key, current })
        } else {
            *fence = epoch;
            then(&mut all)
        };
        Box::pin(std::future::ready(answer))
    }
}

impl Provider for Kept {
    fn load(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<Record>> {
        self.answer(key, epoch, |all| Ok(all.states.get(key).cloned()))
    }

    fn save(&self, key: &RecordKey, write: Write) -> Pending<ETag> {
        self.answer(key, write.epoch, |all| {
            let current = all.states.get(key).map(|record| record.etag);
            if !write.expected.holds(current) {
                let key = key.to_string();
                return Err(StoreError::Conflict { key, current });
            }
            all.writes += 1;
            let etag = ETag(all.writes);
            let value = write.value;
            all.states.insert(key.clone(), Record { etag, value });
            Ok(etag)
        })
    }

    fn clear(&self, _: &RecordKey, _: Epoch, _: Expected) -> Pending<()> {
        unasked()
    }

    fn journal_len(&self, _: &RecordKey, _: Epoch) -> Pending<u64> {
        unasked()
    }

    fn append(&self, _: &RecordKey, _: Append) -> Pending<u64> {
        unasked()
    }

    fn events(&self, _: &RecordKey, _: u64, _: usize) -> Pending<Vec<Event>> {
        unasked()
    }

    fn reminder(&self, _: &RecordKey, _: Epoch) -> Pending<Option<(ETag, Reminder)>> {
        unasked()
    }

    fn set_reminder(
        &self,
        _: &RecordKey,
        _: Epoch,
        _: Expected,
        _: Option<Reminder>,
    ) -> Pending<Option<ETag>> {
        unasked()
    }

    fn due(&self, _: WallTime, _: usize) -> Pending<Due> {
        Box::pin(std::future::ready(Ok(Due::default())))
    }

    fn report(&self) -> StoreReport {
        StoreReport::default()
    }
}

fn unasked<T>() -> Pending<T> {
    unreachable!("these tests keep states, and nothing else")
}
