//! What a worker of a history does: one key's operations, one after the other, now and then two at
//! once, each answer held against the model.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use quark_shards::shard::Shard;

use super::model::{Model, Use, Version};
use crate::embedded::EmbeddedStore;
use crate::embedded::format::encode_reminder;
use crate::provider::{
    Append, CatchUp, ETag, Epoch, Expected, Provider, RecordKey, Reminder, StoreError, WallTime,
    Write,
};

/// One key's worker.
pub(super) struct Worker {
    pub(super) store: EmbeddedStore,
    pub(super) model: Rc<RefCell<Model>>,
    pub(super) slot: usize,
    pub(super) random: u64,
    /// Set when the store takes no writes any more.
    pub(super) wanted: Rc<Cell<bool>>,
    pub(super) shard: Rc<Shard>,
}

/// Works until its shard ends, or the store is read-only.
pub(super) async fn work(mut worker: Worker) {
    while !worker.wanted.get() {
        let used = worker.model.borrow().slots[worker.slot].used;
        let went = match used {
            Use::State => worker.state().await,
            Use::Reminder => worker.reminder().await,
            Use::Journal => worker.journal().await,
        };
        match went {
            Ok(()) => {}
            Err(StoreError::Full { .. }) => {
                worker.model.borrow_mut().full += 1;
                worker.pause(200).await;
            }
            Err(StoreError::Unavailable { .. }) => worker.model.borrow_mut().unavailable += 1,
            Err(StoreError::ReadOnly { .. }) => {
                worker.model.borrow_mut().read_only += 1;
                worker.still_reads().await;
                worker.wanted.set(true);
                return;
            }
            Err(StoreError::Closed) => return,
            Err(error) => panic!("{}: {error}", worker.key()),
        }
        if worker.below(3) == 0 {
            worker.pause(300).await;
        }
    }
}

/// All events of a journal.
pub(super) async fn all_events(
    store: EmbeddedStore,
    key: RecordKey,
) -> Result<Vec<Bytes>, StoreError> {
    let mut all = Vec::new();
    loop {
        let page = store.events(&key, all.len() as u64 + 1, 7).await?;
        if page.is_empty() {
            return Ok(all);
        }
        for event in page {
            all.push(event.value);
            assert_eq!(event.number, all.len() as u64, "{key} has a gap");
        }
    }
}

/// A reminder as the model keeps it.
pub(super) fn version_of(etag: ETag, reminder: Reminder) -> Version {
    Version {
        etag: Some(etag.0),
        value: encode_reminder(reminder),
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A shard catches what panics on it.
        if std::thread::panicking() {
            self.model.borrow_mut().is_broken = true;
        }
    }
}

impl Worker {
    fn below(&mut self, most: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ word >> 31) % most
    }

    async fn pause(&mut self, micros: u64) {
        let micros = self.below(micros);
        self.shard.sleep(Duration::from_micros(micros)).await;
    }

    fn key(&self) -> RecordKey {
        self.model.borrow().slots[self.slot].key.clone()
    }

    /// The epoch to work under; now and then a new one, which a read must first have been
    /// answered under.
    fn epoch(&mut self) -> Epoch {
        let raise = self.below(40) == 0;
        let mut model = self.model.borrow_mut();
        let slot = &mut model.slots[self.slot];
        slot.tried += u64::from(raise);
        Epoch(slot.tried)
    }

    fn answered(&self, epoch: Epoch) {
        let mut model = self.model.borrow_mut();
        let slot = &mut model.slots[self.slot];
        slot.epoch = slot.epoch.max(epoch.0);
    }

    fn len(&mut self) -> usize {
        match self.below(40) {
            0 => 40_000,
            1 | 2 => 5_000,
            _ => self.below(300) as usize,
        }
    }

    async fn state(&mut self) -> Result<(), StoreError> {
        let (key, epoch) = (self.key(), self.epoch());
        let known = self.known(epoch).await?;
        let expected = Expected::loaded(known.as_ref().and_then(|known| known.etag).map(ETag));
        match self.below(8) {
            0 => {
                let at_once = self.store.clear(&key, epoch, expected);
                self.tries(None);
                self.comes_of(at_once.await.map(|()| None), epoch)
            }
            1 => {
                // Who knows nothing changes nothing.
                let stale = match known {
                    Some(_) => Expected::Absent,
                    None => Expected::Tag(ETag(3)),
                };
                let write = self.write(epoch, stale);
                match self.store.save(&key, write).await {
                    Err(StoreError::Conflict { .. }) => {
                        self.model.borrow_mut().refused += 1;
                        Ok(())
                    }
                    Ok(_) => panic!("{key}: a stale E-tag was not refused"),
                    Err(error) => Err(error),
                }
            }
            2 => {
                let (one, other) = (self.write(epoch, expected), self.write(epoch, expected));
                let values = [one.value.clone(), other.value.clone()];
                let first = self.store.save(&key, one);
                let second = self.store.save(&key, other);
                let value = values[0].clone();
                self.tries(Some(Version {
                    etag: None,
                    value: value.clone(),
                }));
                let first = first.await;
                match second.await {
                    Err(StoreError::Conflict { .. }) => {}
                    Ok(_) => panic!("{key}: both of two racing writers have won"),
                    Err(_) if first.is_err() => {}
                    Err(error) => panic!("{key}: {error}"),
                }
                self.comes_of(first.map(|etag| Some((etag, value))), epoch)
            }
            _ => {
                let write = self.write(epoch, expected);
                let value = write.value.clone();
                let at_once = self.store.save(&key, write);
                self.tries(Some(Version {
                    etag: None,
                    value: value.clone(),
                }));
                self.comes_of(at_once.await.map(|etag| Some((etag, value))), epoch)
            }
        }
    }

    fn write(&mut self, epoch: Epoch, expected: Expected) -> Write {
        let len = self.len();
        let value = self.model.borrow_mut().value(len);
        Write {
            epoch,
            expected,
            value,
        }
    }

    async fn reminder(&mut self) -> Result<(), StoreError> {
        let (key, epoch) = (self.key(), self.epoch());
        let known = self.known(epoch).await?;
        let expected = Expected::loaded(known.and_then(|known| known.etag).map(ETag));
        let number = self.model.borrow_mut().value(8);
        let reminder = (self.below(4) > 0).then(|| Reminder {
            due: WallTime(u64::from_le_bytes(
                number[..8].try_into().expect("eight bytes"),
            )),
            period_ms: None,
            catch_up: CatchUp::Each,
        });
        let set = self.store.set_reminder(&key, epoch, expected, reminder);
        let value = reminder.map(encode_reminder);
        self.tries(value.clone().map(|value| Version { etag: None, value }));
        let came = set.await;
        self.comes_of(came.map(|etag| etag.zip(value)), epoch)
    }

    /// What the key is, by the model and by the store.
    async fn known(&mut self, epoch: Epoch) -> Result<Option<Version>, StoreError> {
        let (key, used) = (self.key(), self.model.borrow().slots[self.slot].used);
        let found = if used == Use::State {
            let found = self.store.load(&key, epoch).await?;
            found.map(|record| Version {
                etag: Some(record.etag.0),
                value: record.value,
            })
        } else {
            let found = self.store.reminder(&key, epoch).await?;
            found.map(|(etag, reminder)| version_of(etag, reminder))
        };
        self.answered(epoch);
        let mut model = self.model.borrow_mut();
        model.loads += 1;
        model.found(self.slot, found.clone(), true);
        Ok(found)
    }

    /// From now on, until it is answered, the key may be this.
    fn tries(&mut self, version: Option<Version>) {
        let mut model = self.model.borrow_mut();
        model.slots[self.slot].may_be.push(version);
    }

    fn comes_of(
        &mut self,
        came: Result<Option<(ETag, Bytes)>, StoreError>,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        match came {
            Ok(now) => {
                self.answered(epoch);
                let mut model = self.model.borrow_mut();
                let now = now.map(|(etag, value)| {
                    model.given(etag.0);
                    Version {
                        etag: Some(etag.0),
                        value,
                    }
                });
                model.slots[self.slot].may_be = vec![now];
                Ok(())
            }
            Err(error) => {
                if matches!(error, StoreError::Full { .. }) {
                    // It says that nothing has happened.
                    self.model.borrow_mut().slots[self.slot].may_be.pop();
                }
                Err(error)
            }
        }
    }

    async fn journal(&mut self) -> Result<(), StoreError> {
        let (key, epoch) = (self.key(), self.epoch());
        let len = self.store.journal_len(&key, epoch).await?;
        self.answered(epoch);
        self.model.borrow_mut().found_len(self.slot, len, true);
        if self.below(10) == 0 {
            let events = all_events(self.store.clone(), key.clone()).await?;
            let mut model = self.model.borrow_mut();
            model.loads += 1;
            assert_eq!(events, model.slots[self.slot].events, "{key}");
        }
        let count = 1 + self.below(4);
        let events: Vec<Bytes> = (0..count)
            .map(|_| {
                let len = self.len() / 8;
                self.model.borrow_mut().value(len)
            })
            .collect();
        let append = |after: u64| Append {
            epoch,
            after,
            events: events.clone(),
        };
        if self.below(6) == 0 {
            let wrong = if self.below(2) == 0 {
                len + 1
            } else {
                len.wrapping_sub(1).min(len + 3)
            };
            match self.store.append(&key, append(wrong)).await {
                Err(StoreError::Behind { len: has, .. }) => {
                    assert_eq!(has, len, "{key}");
                    self.model.borrow_mut().refused += 1;
                    return Ok(());
                }
                Ok(_) => panic!("{key}: who is behind has appended"),
                Err(error) => return Err(error),
            }
        }
        let at_once = self.store.append(&key, append(len));
        self.model.borrow_mut().slots[self.slot]
            .more
            .clone_from(&events);
        let came = at_once.await;
        let mut model = self.model.borrow_mut();
        let slot = &mut model.slots[self.slot];
        match came {
            Ok(now) => {
                assert_eq!(now, len + count, "{key}");
                slot.more.clear();
                slot.events.extend(events);
                model.acknowledged += 1;
                Ok(())
            }
            Err(error) => {
                if matches!(error, StoreError::Full { .. }) {
                    slot.more.clear();
                }
                Err(error)
            }
        }
    }

    /// A store that takes no writes can be read all the same.
    async fn still_reads(&mut self) {
        let (key, epoch) = {
            let model = self.model.borrow();
            let slot = &model.slots[self.slot];
            (slot.key.clone(), Epoch(slot.epoch))
        };
        if self.model.borrow().slots[self.slot].used != Use::State {
            return;
        }
        match self.store.load(&key, epoch).await {
            Ok(found) => {
                let found = found.map(|record| Version {
                    etag: Some(record.etag.0),
                    value: record.value,
                });
                self.model.borrow_mut().found(self.slot, found, false);
            }
            Err(
                StoreError::Unavailable { .. } | StoreError::Fenced { .. } | StoreError::Closed,
            ) => {}
            Err(error) => panic!("{key}: a read-only store does not read: {error}"),
        }
    }
}
