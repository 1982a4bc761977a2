//! The log as a provider.

use std::future::{poll_fn, ready};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use quark_shards::planted::{Bug, planted};

use super::format::{
    Kind, Names, RecordHeader, encode_body, encode_reminder, events_of, key_of, parse_reminder,
    value_of,
};
use super::index::{Entry, Mark};
use super::log::Log;
use super::state::{Health, State};
use crate::provider::{
    Append, Due, DueReminder, ETag, Epoch, Event, Expected, Pending, Provider, Record, RecordKey,
    Reminder, StoreError, StoreReport, WallTime, Write, check_events, check_value,
};

/// Bytes of a page of events, about.
const PAGE: usize = 4 << 20;
/// Reminders that are due are read so many at once.
const AT_ONCE: usize = 64;

/// One shard's log in a directory; clones share it. See [`open`](super::open).
///
/// A load beside a save that is not durable yet finds what was durable before.
#[derive(Clone)]
pub struct EmbeddedStore(pub(super) Rc<Log>);

impl EmbeddedStore {
    /// `then`, with what may have to be durable before its answer is given.
    fn read<T: 'static, F: Future<Output = Result<T, StoreError>> + 'static>(
        &self,
        key: &RecordKey,
        epoch: Epoch,
        then: impl FnOnce(Rc<Log>, RecordKey) -> F + 'static,
    ) -> Pending<T> {
        let log = self.0.clone();
        let admitted = {
            let mut state = log.state.borrow_mut();
            state
                .open()
                .and_then(|()| state.admit(key, epoch, log.salt))
        };
        log.set_going();
        let key = key.clone();
        match admitted {
            Err(error) => Box::pin(ready(Err(error))),
            Ok(raised) => Box::pin(async move {
                if let Some(raised) = raised {
                    raised.settled().await?;
                }
                then(log, key).await
            }),
        }
    }

    /// Queues a record of `key`, or that it is gone, if it is as `condition` says.
    fn write<T: 'static>(&self, wish: Wish<'_, T>) -> Pending<T> {
        let log = self.0.clone();
        let queued = {
            let mut state = log.state.borrow_mut();
            let Wish { key, epoch, .. } = wish;
            let admitted = state
                .writable()
                .and_then(|()| state.admit(key, epoch, log.salt));
            admitted.and_then(|raised| {
                let current = state.current(wish.mark);
                if let Some(answer) = (wish.condition)(current)? {
                    // It may rest on what is not durable yet.
                    return Ok((state.last_fate().or(raised), answer));
                }
                let mut header = state.header(wish.kind, key);
                header.number = wish.number;
                header.count = u16::try_from(wish.values.len()).unwrap_or(u16::MAX);
                let is_events = wish.kind == Kind::Events;
                if !is_events {
                    header.count = 0;
                }
                let sequence = header.sequence;
                if sequence >= super::index::SEQUENCES_MOST {
                    return Err(StoreError::ReadOnly {
                        why: "the log has no more sequences".to_owned(),
                    });
                }
                let gone = matches!(wish.kind, Kind::StateGone | Kind::ReminderGone);
                let ahead = if is_events {
                    Some(wish.number + wish.values.len() as u64 - 1)
                } else {
                    (!gone).then_some(sequence)
                };
                if gone && planted(Bug::LostTombstone) {
                    header.slot ^= 1;
                    header.fingerprint ^= 1;
                }
                let mut len = 64;
                if !gone {
                    header.names = Names::of(key);
                    let values: usize = wish.values.iter().map(Bytes::len).sum();
                    len += key.text_len() + values + 4 * usize::from(header.count);
                }
                let fate = state.push(header, log.salt, Some((wish.mark, ahead)), len, |buffer| {
                    if !gone {
                        encode_body(buffer, key, wish.values, is_events);
                    }
                });
                Ok((Some(fate), (wish.answer)(ETag(sequence))))
            })
        };
        log.set_going();
        match queued {
            Err(error) => Box::pin(ready(Err(error))),
            Ok((fate, answer)) => Box::pin(async move {
                if let Some(fate) = fate {
                    fate.settled().await?;
                }
                Ok(answer)
            }),
        }
    }
}

/// Something to be written.
struct Wish<'a, T> {
    kind: Kind,
    key: &'a RecordKey,
    mark: Mark,
    epoch: Epoch,
    number: u64,
    values: &'a [Bytes],
    /// Refuses, or knows the answer without any writing.
    condition: &'a dyn Fn(Option<u64>) -> Result<Option<T>, StoreError>,
    answer: &'a dyn Fn(ETag) -> T,
}

fn expect(key: &RecordKey, expected: Expected, current: Option<u64>) -> Result<(), StoreError> {
    let current = current.map(ETag);
    if expected.holds(current) || planted(Bug::TagIgnored) {
        return Ok(());
    }
    Err(StoreError::Conflict {
        key: key.to_string(),
        current,
    })
}

impl Provider for EmbeddedStore {
    fn load(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<Record>> {
        self.read(key, epoch, |log, key| async move {
            let entry = log.state.borrow().index.get(Mark::state(key.fingerprint()));
            let Some(entry) = entry else { return Ok(None) };
            let (header, body) = log.read(entry, Some(entry.number()), &key).await?;
            Ok(Some(Record {
                etag: ETag(header.sequence),
                value: value_of(&header, &body),
            }))
        })
    }

    fn save(&self, key: &RecordKey, write: Write) -> Pending<ETag> {
        if let Err(error) = check_value(key, &write.value) {
            return Box::pin(ready(Err(error)));
        }
        self.write(Wish {
            kind: Kind::State,
            key,
            mark: Mark::state(key.fingerprint()),
            epoch: write.epoch,
            number: 0,
            values: std::slice::from_ref(&write.value),
            condition: &|current| expect(key, write.expected, current).map(|()| None),
            answer: &|etag| etag,
        })
    }

    fn clear(&self, key: &RecordKey, epoch: Epoch, expected: Expected) -> Pending<()> {
        self.write(Wish {
            kind: Kind::StateGone,
            key,
            mark: Mark::state(key.fingerprint()),
            epoch,
            number: 0,
            values: &[],
            condition: &|current| {
                expect(key, expected, current)?;
                Ok(current.is_none().then_some(()))
            },
            answer: &|_| (),
        })
    }

    fn journal_len(&self, key: &RecordKey, epoch: Epoch) -> Pending<u64> {
        self.read(key, epoch, |log, key| async move {
            let entry = log
                .state
                .borrow()
                .index
                .get(Mark::journal(key.fingerprint()));
            let Some(entry) = entry else { return Ok(0) };
            match log.read(entry, None, &key).await {
                // Its events say so when they are read.
                Ok(_) | Err(StoreError::Damaged { .. }) => Ok(entry.number()),
                Err(error) => Err(error),
            }
        })
    }

    fn append(&self, key: &RecordKey, append: Append) -> Pending<u64> {
        if let Err(error) = check_events(key, &append.events) {
            return Box::pin(ready(Err(error)));
        }
        let count = append.events.len() as u64;
        self.write(Wish {
            kind: Kind::Events,
            key,
            mark: Mark::journal(key.fingerprint()),
            epoch: append.epoch,
            number: append.after + 1,
            values: &append.events,
            condition: &|current| {
                let len = current.unwrap_or(0);
                if len != append.after && !planted(Bug::LengthIgnored) {
                    let key = key.to_string();
                    return Err(StoreError::Behind { key, len });
                }
                Ok((count == 0).then_some(len))
            },
            answer: &|_| append.after + count,
        })
    }

    fn events(&self, key: &RecordKey, from: u64, most: usize) -> Pending<Vec<Event>> {
        let (log, key) = (self.0.clone(), key.clone());
        Box::pin(async move {
            log.state.borrow().open()?;
            let fingerprint = key.fingerprint();
            let mut page: Vec<Event> = Vec::new();
            let (mut next, mut bytes) = (from.max(1), 0);
            while page.len() < most && bytes < PAGE {
                let (entry, len) = {
                    let state = log.state.borrow();
                    let len = state.index.get(Mark::journal(fingerprint));
                    let entry = state.index.get(Mark::event(fingerprint, next));
                    (entry, len.map_or(0, |entry| entry.number()))
                };
                if next > len {
                    break;
                }
                let Some(entry) = entry else {
                    return Err(StoreError::Damaged {
                        what: format!("event {next} of {key}"),
                        why: "it is not there though later ones are".to_owned(),
                    });
                };
                let (header, body) = log.read(entry, Some(entry.number()), &key).await?;
                let before = next;
                for event in events_of(&header, &body) {
                    if event.number == next && page.len() < most && bytes < PAGE {
                        bytes += event.value.len();
                        next += 1;
                        page.push(event);
                    }
                }
                if next == before {
                    return Err(StoreError::Damaged {
                        what: format!("event {next} of {key}"),
                        why: "its record does not have it".to_owned(),
                    });
                }
            }
            Ok(page)
        })
    }

    fn reminder(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<(ETag, Reminder)>> {
        self.read(key, epoch, |log, key| async move {
            let entry = log
                .state
                .borrow()
                .index
                .get(Mark::reminder(key.fingerprint()));
            let Some(entry) = entry else { return Ok(None) };
            let (header, body) = log.read(entry, Some(entry.number()), &key).await?;
            let reminder = reminder_of(&header, &body, &key)?;
            Ok(Some((ETag(header.sequence), reminder)))
        })
    }

    fn set_reminder(
        &self,
        key: &RecordKey,
        epoch: Epoch,
        expected: Expected,
        reminder: Option<Reminder>,
    ) -> Pending<Option<ETag>> {
        if let Err(error) = check_value(key, &Bytes::new()) {
            return Box::pin(ready(Err(error)));
        }
        let mark = Mark::reminder(key.fingerprint());
        let value = reminder.map(encode_reminder);
        self.write(Wish {
            kind: reminder.map_or(Kind::ReminderGone, |_| Kind::Reminder),
            key,
            mark,
            epoch,
            number: reminder.map_or(0, |reminder| reminder.due.0),
            values: value.as_slice(),
            condition: &|current| {
                expect(key, expected, current)?;
                let nothing = reminder.is_none() && current.is_none();
                Ok(nothing.then_some(None))
            },
            answer: &|etag| reminder.map(|_| etag),
        })
    }

    fn due(&self, until: WallTime, most: usize) -> Pending<Due> {
        let log = self.0.clone();
        Box::pin(async move {
            log.state.borrow().open()?;
            let mut due = Due::default();
            let mut from = (0, 0);
            loop {
                let room = AT_ONCE.min(most - due.reminders.len());
                let (some, next) = due_from(&log.state.borrow(), from, until, room);
                let Some((time, sequence, _)) = some.last() else {
                    due.next = next;
                    break;
                };
                from = (*time, sequence + 1);
                let reads = some.iter().map(|(_, sequence, entry)| {
                    let read = log.read_any(*entry, Some(*sequence));
                    async move { (*sequence, read.await) }
                });
                for (sequence, found) in together(reads).await {
                    match found {
                        Ok((header, body)) => {
                            let Some(key) = key_of(&header, &body) else {
                                continue;
                            };
                            let reminder = reminder_of(&header, &body, &key)?;
                            let etag = ETag(sequence);
                            due.reminders.push(DueReminder {
                                key,
                                etag,
                                reminder,
                            });
                        }
                        // One must not hold up all others: who asks for it by name hears of it.
                        Err(StoreError::Damaged { what, why }) => {
                            tracing::error!(what, why, "a reminder that is due is damaged");
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            Ok(due)
        })
    }

    fn close(&self) -> Pending<()> {
        let log = self.0.clone();
        Box::pin(async move {
            let flushed = log.flush().await;
            let was = std::mem::replace(&mut log.state.borrow_mut().health, Health::Closed);
            if matches!(was, Health::Fine) {
                log.leave_snapshot().await;
            }
            flushed
        })
    }

    fn report(&self) -> StoreReport {
        let state = self.0.state.borrow();
        StoreReport {
            kind: "directory",
            place: self.0.folder.display().to_string(),
            is_direct: Some(state.is_direct),
            records: state.records,
            notes: state.notes.clone(),
        }
    }
}

/// Reminders that are due by `until`, from `from` on, `most` at most: when, sequence, where. And
/// when the one after them is.
fn due_from(
    state: &State,
    from: (u64, u64),
    until: WallTime,
    most: usize,
) -> (Vec<(u64, u64, Entry)>, Option<WallTime>) {
    let mut some = Vec::new();
    for ((time, sequence), low) in state.due.range(from..) {
        // Some are of the past.
        let Some(entry) = state.index.get_version(*low, *sequence) else {
            continue;
        };
        if *time > until.0 || some.len() >= most {
            return (some, Some(WallTime(*time)));
        }
        some.push((*time, *sequence, entry));
    }
    (some, None)
}

/// Runs all of them at once; their outcomes, in their order.
async fn together<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut is_done = true;
        for (running, done) in running.iter_mut().zip(&mut done) {
            let Some(future) = running else { continue };
            match future.as_mut().poll(cx) {
                Poll::Ready(outcome) => (*running, *done) = (None, Some(outcome)),
                Poll::Pending => is_done = false,
            }
        }
        if is_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

fn reminder_of(
    header: &RecordHeader,
    body: &Bytes,
    key: &RecordKey,
) -> Result<Reminder, StoreError> {
    parse_reminder(&value_of(header, body)).ok_or_else(|| StoreError::Damaged {
        what: format!("the reminder {key}"),
        why: "it is no reminder".to_owned(),
    })
}
