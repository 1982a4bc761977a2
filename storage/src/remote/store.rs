//! A shard's access to a server.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::backend::{Answer, Backend, Op};
use super::control::Control;
use super::dispatch::{Dispatch, Facts, Message};
use super::due;
use super::share::Share;
use crate::provider::{
    Append, Due, ETag, Epoch, Event, Expected, Pending, Provider, Record, RecordKey, Reminder,
    StoreError, StoreReport, WallTime, Write, check_events, check_value,
};

/// Requests that wait for the control thread; who has more waits for room, in order.
const QUEUE: usize = 1024;

/// How a store on a server is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Tells this process's writes from others': of the processes that ever use the store, each
    /// has another (from `Shard::unique`, or drawn by chance at launch).
    pub client: u64,
    /// How long a request waits for its answer, through lost connections too, once the control
    /// thread has it.
    pub patience: Duration,
}

impl Options {
    /// With a patience of ten seconds.
    #[must_use]
    pub fn new(client: u64) -> Self {
        Options {
            client,
            patience: Duration::from_secs(10),
        }
    }
}

/// The way to one server, for the whole process. Clones share it.
#[derive(Clone)]
pub struct Remote(Arc<Way>);

struct Way {
    kind: &'static str,
    place: String,
    parts_at_once: usize,
    inbox: mpsc::Sender<Message>,
    facts: Arc<Mutex<Facts>>,
    stores: AtomicU64,
    /// Last, so that the dispatcher is told of the end before its thread is.
    _control: Control,
}

impl Remote {
    /// The way to `backend`. Connects when something is asked, and again whenever it has to.
    #[must_use]
    pub fn new<B: Backend>(control: &Control, backend: B, options: Options) -> Self {
        let backend = Arc::new(backend);
        let (sender, inbox) = mpsc::channel(QUEUE);
        let facts = Arc::new(Mutex::new(Facts::default()));
        let way = Way {
            kind: backend.kind(),
            place: backend.place(),
            parts_at_once: backend.parts_at_once(),
            inbox: sender,
            facts: Arc::clone(&facts),
            stores: AtomicU64::new(0),
            _control: control.clone(),
        };
        control.spawn(async move {
            let dispatch = Dispatch::new(backend, options, inbox, facts);
            dispatch.run().await;
        });
        Remote(Arc::new(way))
    }

    /// Waits, on a plain thread, until the server has answered once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it does not within the store's patience, and
    /// [`StoreError::Refused`] where it does not let us in or its schema is newer than ours.
    ///
    /// # Panics
    /// Within a tokio runtime.
    pub fn check(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let (op, store) = (Op::Ping, 0);
        let ask = Message::Ask { op, store, reply };
        let sent = self.0.inbox.blocking_send(ask);
        sent.map_err(|_| StoreError::Closed)?;
        let answer = answer.blocking_recv().map_err(|_| StoreError::Closed)?;
        answer.map(drop)
    }

    /// Asks, once it is polled. The answer is awaited by any executor.
    pub(super) fn ask(
        &self,
        store: u64,
        op: Op,
    ) -> impl Future<Output = Result<Answer, StoreError>> + use<> {
        let remote = self.clone();
        async move {
            let (reply, answer) = oneshot::channel();
            let ask = Message::Ask { op, store, reply };
            let sent = remote.0.inbox.send(ask).await;
            sent.map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({} at {})", self.0.kind, self.0.place)
    }
}

/// One shard's store on a server.
///
/// Requests enter the queue in the order in which their futures are first polled. A request whose
/// future is dropped after that may happen, unless it still waits then.
#[derive(Debug)]
pub struct RemoteStore {
    remote: Remote,
    share: Share,
    number: u64,
    is_closed: Cell<bool>,
}

impl RemoteStore {
    /// Over `remote`, with the reminders of `share`.
    #[must_use]
    pub fn new(remote: &Remote, share: Share) -> Self {
        RemoteStore {
            remote: remote.clone(),
            share,
            // 0 is the remote's own.
            number: remote.0.stores.fetch_add(1, Ordering::Relaxed) + 1,
            is_closed: Cell::new(false),
        }
    }

    fn ask<T: 'static>(
        &self,
        check: Result<(), StoreError>,
        op: Op,
        pick: impl FnOnce(Answer) -> Option<T> + 'static,
    ) -> Pending<T> {
        let check = check.and_then(|()| self.check_open());
        if let Err(error) = check {
            return Box::pin(std::future::ready(Err(error)));
        }
        let place = self.remote.clone();
        let answer = self.remote.ask(self.number, op);
        Box::pin(async move {
            pick(answer.await?).ok_or_else(|| StoreError::Damaged {
                what: format!("an answer of {}", place.0.place),
                why: "it is of another kind than the question".to_owned(),
            })
        })
    }

    fn check_open(&self) -> Result<(), StoreError> {
        match self.is_closed.get() {
            true => Err(StoreError::Closed),
            false => Ok(()),
        }
    }
}

impl Provider for RemoteStore {
    fn load(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<Record>> {
        let (check, key) = (check_key(key), key.clone());
        self.ask(check, Op::Load { key, epoch }, |answer| match answer {
            Answer::Record(record) => Some(record),
            _ => None,
        })
    }

    fn save(&self, key: &RecordKey, write: Write) -> Pending<ETag> {
        let (check, key) = (check_value(key, &write.value), key.clone());
        self.ask(check, Op::Save { key, write }, |answer| match answer {
            Answer::Saved(etag) => Some(etag),
            _ => None,
        })
    }

    fn clear(&self, key: &RecordKey, epoch: Epoch, expected: Expected) -> Pending<()> {
        let (check, key) = (check_key(key), key.clone());
        let op = Op::Clear {
            key,
            epoch,
            expected,
        };
        self.ask(check, op, |answer| match answer {
            Answer::Done => Some(()),
            _ => None,
        })
    }

    fn journal_len(&self, key: &RecordKey, epoch: Epoch) -> Pending<u64> {
        let (check, key) = (check_key(key), key.clone());
        self.ask(check, Op::JournalLen { key, epoch }, len)
    }

    fn append(&self, key: &RecordKey, append: Append) -> Pending<u64> {
        let (check, key) = (check_events(key, &append.events), key.clone());
        self.ask(check, Op::Append { key, append }, len)
    }

    fn events(&self, key: &RecordKey, from: u64, most: usize) -> Pending<Vec<Event>> {
        let (check, key, from) = (check_key(key), key.clone(), from.max(1));
        self.ask(
            check,
            Op::Events { key, from, most },
            |answer| match answer {
                Answer::Events(events) => Some(events),
                _ => None,
            },
        )
    }

    fn reminder(&self, key: &RecordKey, epoch: Epoch) -> Pending<Option<(ETag, Reminder)>> {
        let (check, key) = (check_key(key), key.clone());
        self.ask(check, Op::Reminder { key, epoch }, |answer| match answer {
            Answer::Reminder(found) => Some(found),
            _ => None,
        })
    }

    fn set_reminder(
        &self,
        key: &RecordKey,
        epoch: Epoch,
        expected: Expected,
        reminder: Option<Reminder>,
    ) -> Pending<Option<ETag>> {
        let (check, key) = (check_key(key), key.clone());
        let op = Op::SetReminder {
            key,
            epoch,
            expected,
            reminder,
        };
        self.ask(check, op, |answer| match answer {
            Answer::Saved(etag) => Some(Some(etag)),
            Answer::Done => Some(None),
            _ => None,
        })
    }

    /// Those of this shard's [`Share`]; it costs what is due among them.
    fn due(&self, until: WallTime, most: usize) -> Pending<Due> {
        if let Err(error) = self.check_open() {
            return Box::pin(std::future::ready(Err(error)));
        }
        let (remote, number) = (self.remote.clone(), self.number);
        let parts = self.share.parts();
        let groups = parts.chunks(remote.0.parts_at_once).map(<[u16]>::to_vec);
        let groups = groups.collect();
        let ask = move |op| remote.ask(number, op);
        Box::pin(due::due(ask, groups, until, most))
    }

    fn close(&self) -> Pending<()> {
        self.is_closed.set(true);
        let (remote, store) = (self.remote.clone(), self.number);
        Box::pin(async move {
            let (done, finished) = oneshot::channel();
            let finish = Message::Finish { store, done };
            // Where nobody listens any more, nothing is under way.
            if remote.0.inbox.send(finish).await.is_ok() {
                let _ = finished.await;
            }
            Ok(())
        })
    }

    fn report(&self) -> StoreReport {
        let facts = &self.remote.0.facts;
        let facts = facts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notes = facts.notes.clone();
        if let Some(trouble) = &facts.trouble {
            notes.push(format!("no connection: {trouble}"));
        }
        StoreReport {
            kind: self.remote.0.kind,
            place: self.remote.0.place.clone(),
            notes,
            ..StoreReport::default()
        }
    }
}

fn check_key(key: &RecordKey) -> Result<(), StoreError> {
    check_value(key, &Bytes::new())
}

fn len(answer: Answer) -> Option<u64> {
    match answer {
        Answer::Len(len) => Some(len),
        _ => None,
    }
}
