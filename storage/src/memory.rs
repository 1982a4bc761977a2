//! A store that forgets: for tests, and for actors whose state need not outlive the process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;

use crate::provider::{
    Append, Due, DueReminder, ETag, Epoch, Event, Expected, Pending, Provider, Record, RecordKey,
    Reminder, StoreError, StoreReport, WallTime, Write, check_events, check_value,
};

/// Keeps everything in this shard's memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Rc<RefCell<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    fences: BTreeMap<u16, Epoch>,
    states: BTreeMap<RecordKey, Record>,
    journals: BTreeMap<RecordKey, Vec<Bytes>>,
    reminders: BTreeMap<RecordKey, (ETag, Reminder)>,
    /// In the order they are due.
    due: BTreeMap<(WallTime, RecordKey), ETag>,
    last: u64,
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        MemoryStore::default()
    }

    fn answer<T: 'static>(
        &self,
        then: impl FnOnce(&mut Contents) -> Result<T, StoreError>,
    ) -> Pending<T> {
        let answer = then(&mut self.0.borrow_mut());
        Box::pin(std::future::ready(answer))
    }
}

impl Provider for MemoryStore {
    fn load(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<Record>> {
        self.answer(|all| {
            all.fence(key, epoch)?;
            Ok(all.states.get(key).cloned())
        })
    }

    fn save(&self, key: &RecordKey, write: Write) -> Pending<ETag> {
        self.answer(|all| {
            check_value(key, &write.value)?;
            all.fence(key, write.epoch)?;
            let current = all.states.get(key).map(|record| record.etag);
            expect(key, write.expected, current)?;
            let etag = all.next();
            let value = write.value;
            all.states.insert(key.clone(), Record { etag, value });
            Ok(etag)
        })
    }

    fn clear(&self, key: &RecordKey, epoch: Epoch, expected: Expected) -> Pending<()> {
        self.answer(|all| {
            all.fence(key, epoch)?;
            let current = all.states.get(key).map(|record| record.etag);
            expect(key, expected, current)?;
            all.states.remove(key);
            Ok(())
        })
    }

    fn journal_len(&self, key: &RecordKey, epoch: Epoch) -> Pending<u64> {
        self.answer(|all| {
            all.fence(key, epoch)?;
            Ok(all
                .journals
                .get(key)
                .map_or(0, |events| events.len() as u64))
        })
    }

    fn append(&self, key: &RecordKey, append: Append) -> Pending<u64> {
        self.answer(|all| {
            check_events(key, &append.events)?;
            all.fence(key, append.epoch)?;
            let len = all
                .journals
                .get(key)
                .map_or(0, |events| events.len() as u64);
            if len != append.after {
                let key = key.to_string();
                return Err(StoreError::Behind { key, len });
            }
            if append.events.is_empty() {
                return Ok(len);
            }
            let events = all.journals.entry(key.clone()).or_default();
            events.extend(append.events);
            Ok(events.len() as u64)
        })
    }

    fn events(&self, key: &RecordKey, from: u64, most: usize) -> Pending<Vec<Event>> {
        self.answer(|all| {
            let events = all.journals.get(key).map_or(&[][..], |events| events);
            let first = from.max(1);
            let skipped = usize::try_from(first - 1).unwrap_or(usize::MAX);
            let page = events.iter().skip(skipped).take(most);
            let page = (first..).zip(page).map(|(number, value)| Event {
                number,
                value: value.clone(),
            });
            Ok(page.collect())
        })
    }

    fn reminder(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<(ETag, Reminder)>> {
        self.answer(|all| {
            all.fence(key, epoch)?;
            Ok(all.reminders.get(key).copied())
        })
    }

    fn set_reminder(
        &self,
        key: &RecordKey,
        epoch: Epoch,
        expected: Expected,
        reminder: Option<Reminder>,
    ) -> Pending<Option<ETag>> {
        self.answer(|all| {
            check_value(key, &Bytes::new())?;
            all.fence(key, epoch)?;
            let current = all.reminders.get(key).map(|(etag, _)| *etag);
            expect(key, expected, current)?;
            if let Some((_, old)) = all.reminders.remove(key) {
                all.due.remove(&(old.due, key.clone()));
            }
            let Some(reminder) = reminder else {
                return Ok(None);
            };
            let etag = all.next();
            all.due.insert((reminder.due, key.clone()), etag);
            all.reminders.insert(key.clone(), (etag, reminder));
            Ok(Some(etag))
        })
    }

    fn due(&self, until: WallTime, most: usize) -> Pending<Due> {
        self.answer(|all| {
            let mut due = Due::default();
            for ((time, key), etag) in &all.due {
                if *time > until || due.reminders.len() == most {
                    due.next = Some(*time);
                    break;
                }
                if let Some((_, reminder)) = all.reminders.get(key) {
                    due.reminders.push(DueReminder {
                        key: key.clone(),
                        etag: *etag,
                        reminder: *reminder,
                    });
                }
            }
            Ok(due)
        })
    }

    fn report(&self) -> StoreReport {
        let all = self.0.borrow();
        let records = all.states.len() + all.journals.len() + all.reminders.len();
        StoreReport {
            kind: "memory",
            records: records as u64,
            ..StoreReport::default()
        }
    }
}

impl Contents {
    /// Lets nobody in under a lower epoch than this from now on, or refuses.
    fn fence(&mut self, key: &RecordKey, epoch: Epoch) -> Result<(), StoreError> {
        let highest = self.fences.entry(key.slot()).or_default();
        if epoch < *highest {
            return Err(StoreError::Fenced {
                key: key.to_string(),
                current: *highest,
            });
        }
        *highest = epoch;
        Ok(())
    }

    fn next(&mut self) -> ETag {
        self.last += 1;
        ETag(self.last)
    }
}

fn expect(key: &RecordKey, expected: Expected, current: Option<ETag>) -> Result<(), StoreError> {
    if expected.holds(current) {
        return Ok(());
    }
    Err(StoreError::Conflict {
        key: key.to_string(),
        current,
    })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::conformance::{Subject, provider_conformance};
    use crate::provider::Provider;

    struct Memory(MemoryStore);

    impl Subject for Memory {
        fn provider(&self) -> Rc<dyn Provider> {
            Rc::new(self.0.clone())
        }
    }

    #[test]
    fn conforms() {
        let subject = Memory(MemoryStore::new());
        let run = pin!(provider_conformance(&subject));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(run.poll(&mut cx), Poll::Ready(())));
    }
}
