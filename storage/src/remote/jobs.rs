//! Requests on their way, and whose turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::backend::{Answer, Request};
use crate::provider::StoreError;

/// A request, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Arc<Request>,
    /// Which of the process's stores it came by.
    pub(super) store: u64,
    pub(super) deadline: Instant,
    /// About how many it has.
    bytes: usize,
    reply: Option<oneshot::Sender<Result<Answer, StoreError>>>,
}

impl Job {
    pub(super) fn new(
        request: Request,
        store: u64,
        reply: oneshot::Sender<Result<Answer, StoreError>>,
        deadline: Instant,
    ) -> Self {
        Job {
            bytes: request.op.bytes(),
            request: Arc::new(request),
            store,
            deadline,
            reply: Some(reply),
        }
    }

    /// Tells who waits, once. Who has gone is not told.
    pub(super) fn answer(&mut self, answer: Result<Answer, StoreError>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(answer);
        }
    }

    /// Whether anybody still waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    fn lane(&self) -> Option<u128> {
        self.request.op.key().map(|key| key.fingerprint())
    }
}

/// All requests that are not done. Of one key, only the first is ready or under way.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    ready: VecDeque<Job>,
    /// What waits behind each key's first.
    lanes: BTreeMap<u128, VecDeque<Job>>,
    /// How many of each store are not done.
    stores: BTreeMap<u64, usize>,
    pub(super) len: usize,
    pub(super) bytes: usize,
}

impl Jobs {
    pub(super) fn add(&mut self, job: Job) {
        self.len += 1;
        self.bytes += job.bytes;
        *self.stores.entry(job.store).or_default() += 1;
        if let Some(lane) = job.lane() {
            if let Some(behind) = self.lanes.get_mut(&lane) {
                behind.push_back(job);
                return;
            }
            self.lanes.insert(lane, VecDeque::new());
        }
        self.ready.push_back(job);
    }

    /// The next that may be sent, `requests` and about `bytes` of them. What nobody waits for any
    /// more is let go of.
    pub(super) fn take(&mut self, requests: usize, bytes: usize) -> Vec<Job> {
        let mut batch: Vec<Job> = Vec::new();
        let mut sum = 0;
        while batch.len() < requests {
            let Some(next) = self.ready.front() else {
                break;
            };
            if !next.is_awaited() {
                if let Some(given_up) = self.ready.pop_front() {
                    self.end(given_up);
                }
                continue;
            }
            sum += next.bytes;
            if sum > bytes && !batch.is_empty() {
                break;
            }
            batch.extend(self.ready.pop_front());
        }
        batch
    }

    /// Puts back what has to be sent again: before all others.
    pub(super) fn put_back(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.ready.push_front(job);
        }
    }

    /// Lets go of one that was taken: the next of its key is ready.
    pub(super) fn end(&mut self, job: Job) {
        self.forget(&job);
        let Some(lane) = job.lane() else {
            return;
        };
        match self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_back(next),
            None => drop(self.lanes.remove(&lane)),
        }
    }

    /// Ends those not yet sent for which `is_over` holds, each with `why`.
    pub(super) fn end_where(
        &mut self,
        is_over: impl Fn(&Job) -> bool,
        why: impl Fn() -> StoreError,
    ) {
        for behind in self.lanes.values_mut() {
            for at in (0..behind.len()).rev() {
                if is_over(&behind[at])
                    && let Some(mut job) = behind.remove(at)
                {
                    job.answer(Err(why()));
                    self.len -= 1;
                    self.bytes -= job.bytes;
                    left(&mut self.stores, job.store);
                }
            }
        }
        for _ in 0..self.ready.len() {
            let Some(mut job) = self.ready.pop_front() else {
                break;
            };
            if is_over(&job) {
                job.answer(Err(why()));
                self.end(job);
            } else {
                self.ready.push_back(job);
            }
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether anything of `store` is not done.
    pub(super) fn has_any_of(&self, store: u64) -> bool {
        self.stores.contains_key(&store)
    }

    fn forget(&mut self, job: &Job) {
        self.len -= 1;
        self.bytes -= job.bytes;
        left(&mut self.stores, job.store);
    }
}

fn left(stores: &mut BTreeMap<u64, usize>, store: u64) {
    if let Some(count) = stores.get_mut(&store) {
        *count -= 1;
        if *count == 0 {
            stores.remove(&store);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::{Op, Token};
    use super::*;
    use crate::provider::{Epoch, RecordKey};

    fn job(key: &str, number: u64) -> (Job, oneshot::Receiver<Result<Answer, StoreError>>) {
        let token = Token { client: 0, number };
        let key = RecordKey::new("A", key, "s", 0);
        let epoch = Epoch(0);
        let (reply, answer) = oneshot::channel();
        let request = Request {
            token,
            op: Op::Load { key, epoch },
        };
        (Job::new(request, 1, reply, Instant::now()), answer)
    }

    fn numbers(jobs: &[Job]) -> Vec<u64> {
        jobs.iter().map(|job| job.request.token.number).collect()
    }

    #[test]
    fn one_key_goes_one_after_another() {
        let mut jobs = Jobs::default();
        let mut answers = Vec::new();
        for (key, number) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
            let (job, answer) = job(key, number);
            jobs.add(job);
            answers.push(answer);
        }
        let mut first = jobs.take(10, usize::MAX);
        assert_eq!(numbers(&first), [1, 3]);
        assert!(!jobs.has_ready());
        let b = first.pop().expect("two were taken");
        jobs.put_back(first);
        let mut again = jobs.take(10, usize::MAX);
        assert_eq!(numbers(&again), [1], "what is sent again comes first");
        jobs.end(again.remove(0));
        jobs.end(b);
        assert_eq!(numbers(&jobs.take(10, usize::MAX)), [2]);
    }

    #[test]
    fn what_nobody_waits_for_is_not_sent() {
        let mut jobs = Jobs::default();
        let mut answers = Vec::new();
        for number in 0..3 {
            let (job, answer) = job("a", number);
            jobs.add(job);
            answers.push(answer);
        }
        answers.drain(..2);
        assert_eq!(numbers(&jobs.take(10, usize::MAX)), [2]);
        assert_eq!(jobs.len, 1);
    }

    #[test]
    fn what_is_over_is_told_and_forgotten() {
        let mut jobs = Jobs::default();
        let mut answers = Vec::new();
        for number in 0..3 {
            let (job, answer) = job("a", number);
            jobs.add(job);
            answers.push(answer);
        }
        jobs.end_where(|_| true, || StoreError::Closed);
        assert_eq!((jobs.len, jobs.bytes, jobs.has_ready()), (0, 0, false));
        assert!(!jobs.has_any_of(1));
        for mut answer in answers {
            assert_eq!(answer.try_recv(), Ok(Err(StoreError::Closed)));
        }
    }
}
