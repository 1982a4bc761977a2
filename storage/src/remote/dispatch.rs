//! Takes the shards' requests to a server, in batches, over one connection after another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::backend::{Answer, Backend, Connection, Failure, Limits, Op, Request, Token};
use super::backoff::Backoff;
use super::jobs::{Job, Jobs};
use super::store::Options;
use crate::provider::StoreError;

/// Beyond these, nothing more is taken out of the queue, so that senders wait in order.
const HELD_MOST: usize = 4096;
const HELD_BYTES_MOST: usize = 64 << 20;
/// Taken out of the queue at a time.
const TAKEN_MOST: usize = 64;

/// What comes by the queue.
#[derive(Debug)]
pub(super) enum Message {
    /// Something to be done.
    Ask {
        op: Op,
        store: u64,
        reply: oneshot::Sender<Result<Answer, StoreError>>,
    },
    /// Tell when nothing of this store is under way any more.
    Finish {
        store: u64,
        done: oneshot::Sender<()>,
    },
}

/// What the shards may know of the connection.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) notes: Vec<String>,
    /// Why there is no connection, if there is none.
    pub(super) trouble: Option<String>,
}

/// Who did a batch, and what came of it.
type Landed<C> = (Arc<C>, Vec<Result<Answer, Failure>>);

/// The connection, or how it is come by.
enum Link<C> {
    /// Once the sender is dropped, what is under way by this connection is given up.
    Open(Arc<C>, watch::Sender<()>),
    /// Try at this time.
    Down(Instant),
    Opening,
}

pub(super) struct Dispatch<B: Backend> {
    backend: Arc<B>,
    limits: Limits,
    patience: Duration,
    /// The next request's: in the order of the queue, which is that of each record's writes.
    token: Token,
    inbox: mpsc::Receiver<Message>,
    facts: Arc<Mutex<Facts>>,
    link: Link<B::Connection>,
    opening: JoinSet<Result<B::Connection, Failure>>,
    flights: JoinSet<Landed<B::Connection>>,
    /// What is under way, by flight.
    away: Vec<(Id, Vec<Job>)>,
    jobs: Jobs,
    finishing: Vec<(u64, oneshot::Sender<()>)>,
    backoff: Backoff,
    /// Nothing is sent before.
    pause: Option<Instant>,
    /// When deadlines are looked at next.
    tick: Instant,
    /// Why the last attempt failed.
    trouble: String,
}

impl<B: Backend> Dispatch<B> {
    pub(super) fn new(
        backend: Arc<B>,
        options: Options,
        inbox: mpsc::Receiver<Message>,
        facts: Arc<Mutex<Facts>>,
    ) -> Self {
        Dispatch {
            limits: backend.limits(),
            backend,
            patience: options.patience,
            token: Token {
                client: options.client,
                number: 0,
            },
            inbox,
            facts,
            link: Link::Down(Instant::now()),
            opening: JoinSet::new(),
            flights: JoinSet::new(),
            away: Vec::new(),
            jobs: Jobs::default(),
            finishing: Vec::new(),
            backoff: Backoff::new(options.client),
            pause: None,
            tick: Instant::now(),
            trouble: "no connection yet".to_owned(),
        }
    }

    /// Runs until all senders have gone and all is done.
    pub(super) async fn run(mut self) {
        let mut taken = Vec::with_capacity(TAKEN_MOST);
        let mut is_open = true;
        while is_open || self.jobs.len > 0 {
            self.send();
            // What nobody waited for is gone by now.
            self.finish();
            let has_room = self.jobs.len < HELD_MOST && self.jobs.bytes < HELD_BYTES_MOST;
            let alarm = self.alarm();
            tokio::select! {
                Some(landed) = self.flights.join_next_with_id() => self.land(landed),
                Some(opened) = self.opening.join_next() => self.opened(opened),
                count = self.inbox.recv_many(&mut taken, TAKEN_MOST), if is_open && has_room => {
                    is_open = count > 0;
                    for message in taken.drain(..) {
                        self.take(message);
                    }
                }
                () = sleep_until(alarm), if self.jobs.len > 0 => self.look_at_deadlines(),
            }
        }
        self.finish();
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Ask { op, store, reply } => {
                let now = Instant::now();
                if self.jobs.len == 0 {
                    self.tick = now + self.between_ticks();
                }
                let deadline = now + self.patience;
                let token = self.token;
                self.token.number += 1;
                let request = Request { token, op };
                self.jobs.add(Job::new(request, store, reply, deadline));
            }
            Message::Finish { store, done } => self.finishing.push((store, done)),
        }
    }

    /// Sends what may be sent, and connects if it has to.
    fn send(&mut self) {
        if !self.jobs.has_ready() || self.pause.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.pause = None;
        let (connection, lost) = match &self.link {
            Link::Open(connection, lost) => (Arc::clone(connection), lost.subscribe()),
            Link::Opening => return,
            Link::Down(until) => {
                if *until <= Instant::now() {
                    self.open();
                }
                return;
            }
        };
        while self.flights.len() < self.limits.batches && self.jobs.has_ready() {
            let jobs = self.jobs.take(self.limits.requests, self.limits.bytes);
            if jobs.is_empty() {
                break;
            }
            let batch: Vec<Arc<Request>> = jobs.iter().map(|job| job.request.clone()).collect();
            let (connection, lost) = (Arc::clone(&connection), lost.clone());
            let patience = self.patience;
            let flight = self.flights.spawn(async move {
                let why = tokio::select! {
                    biased;
                    answers = connection.run(&batch) => return (connection, answers),
                    () = sleep(patience) => format!("no answer within {patience:?}"),
                    () = given_up(lost) => "the connection was lost".to_owned(),
                };
                let broken = || Err(Failure::Broken(why.clone()));
                (connection, batch.iter().map(|_| broken()).collect())
            });
            self.away.push((flight.id(), jobs));
        }
    }

    fn open(&mut self) {
        self.link = Link::Opening;
        let (backend, patience) = (Arc::clone(&self.backend), self.patience);
        self.opening.spawn(async move {
            let opened = timeout(patience, backend.connect(patience)).await;
            opened.unwrap_or_else(|_| {
                Err(Failure::Broken(format!(
                    "no connection within {patience:?}"
                )))
            })
        });
    }

    fn opened(&mut self, opened: Result<Result<B::Connection, Failure>, JoinError>) {
        let opened = opened.unwrap_or_else(|error| Err(Failure::Broken(error.to_string())));
        match opened {
            Ok(connection) => {
                tracing::info!(place = self.backend.place(), "connected to the store");
                let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
                facts.notes = connection.notes();
                facts.trouble = None;
                drop(facts);
                self.link = Link::Open(Arc::new(connection), watch::Sender::new(()));
            }
            Err(Failure::Broken(why) | Failure::Again(why)) => self.down(why),
            Err(Failure::Said(error)) => {
                self.down(error.to_string());
                // Waiting won't help; those to come are told the same at the next attempt.
                self.jobs.end_where(|_| true, || error.clone());
            }
        }
    }

    /// Nothing goes by the connection any more, and what is under way by it comes back; it is
    /// opened again after a while.
    fn down(&mut self, why: String) {
        let place = self.backend.place();
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        // Said once: it is tried again several times a second.
        if facts.trouble.as_ref() == Some(&why) {
            tracing::debug!(place, why, "the store still can't be reached");
        } else {
            tracing::warn!(place, why, "the store can't be reached; trying again");
        }
        facts.trouble = Some(why.clone());
        drop(facts);
        self.link = Link::Down(Instant::now() + self.backoff.next());
        self.trouble = why;
    }

    fn land(&mut self, landed: Result<(Id, Landed<B::Connection>), JoinError>) {
        let (flight, connection, answers) = match landed {
            Ok((flight, (connection, answers))) => (flight, Some(connection), answers),
            // It has panicked: what it did is unknown, and the connection is not trusted.
            Err(error) => {
                tracing::error!(%error, "a batch was lost");
                (error.id(), None, Vec::new())
            }
        };
        let Some(at) = self.away.iter().position(|(id, _)| *id == flight) else {
            return;
        };
        let (_, jobs) = self.away.swap_remove(at);
        let (mut again, mut broken, mut later) = (Vec::new(), None, None);
        let mut answers = answers.into_iter();
        for mut job in jobs {
            let answer = answers.next();
            let answer = answer.unwrap_or_else(|| Err(Failure::Broken("no answer".to_owned())));
            let answer = match answer {
                Ok(answer) => Ok(answer),
                Err(Failure::Said(error)) => Err(error),
                Err(failure) => {
                    match failure {
                        Failure::Broken(why) => broken = Some(why),
                        Failure::Again(why) => later = Some(why),
                        Failure::Said(_) => {}
                    }
                    if job.is_awaited() {
                        again.push(job);
                    } else {
                        self.jobs.end(job);
                    }
                    continue;
                }
            };
            job.answer(answer);
            self.jobs.end(job);
        }
        self.jobs.put_back(again);
        let is_current = match (&self.link, &connection) {
            (Link::Open(open, _), Some(connection)) => Arc::ptr_eq(open, connection),
            (Link::Open(..), None) => true,
            _ => false,
        };
        match (broken, later) {
            (Some(why), _) if is_current => self.down(why),
            (None, Some(why)) => {
                self.trouble = why;
                self.pause = Some(Instant::now() + self.backoff.next());
            }
            (None, None) => self.backoff.reset(),
            (Some(_), _) => {}
        }
    }

    /// When there is something to do though nothing comes.
    fn alarm(&self) -> Instant {
        let mut alarm = self.tick;
        if self.jobs.has_ready() {
            if let Link::Down(until) = self.link {
                alarm = alarm.min(until);
            }
            if let Some(until) = self.pause {
                alarm = alarm.min(until);
            }
        }
        alarm
    }

    /// Ends what has waited for too long; what is under way goes on unheard.
    fn look_at_deadlines(&mut self) {
        let now = Instant::now();
        if now < self.tick {
            return;
        }
        self.tick = now + self.between_ticks();
        let why = || StoreError::Unavailable {
            place: self.backend.place(),
            why: format!("{}; gave up after {:?}", self.trouble, self.patience),
        };
        for job in self.away.iter_mut().flat_map(|(_, jobs)| jobs) {
            if job.deadline <= now {
                job.answer(Err(why()));
            }
        }
        self.jobs.end_where(|job| job.deadline <= now, why);
    }

    fn between_ticks(&self) -> Duration {
        (self.patience / 16).clamp(Duration::from_millis(5), Duration::from_millis(250))
    }

    fn finish(&mut self) {
        let jobs = &self.jobs;
        for (_, done) in self
            .finishing
            .extract_if(.., |(store, _)| !jobs.has_any_of(*store))
        {
            let _ = done.send(());
        }
    }
}

/// Waits until the connection is no longer the one that is open.
async fn given_up(mut lost: watch::Receiver<()>) {
    while lost.changed().await.is_ok() {}
}
