//! The io_uring driver: one ring per shard, made and used on the shard's own thread.
//!
//! - `submit` only writes to the ring's memory; a pass of the loop costs at most one system
//!   call, in `poll` or `park`, for everything queued since the last.
//! - With the task-run flag the kernel says in shared memory that it has completions to post,
//!   so a `poll` with nothing to do is a few loads.
//! - What an operation lets the kernel touch belongs to the slab in `pending` until its
//!   completion has come; dropping the driver cancels and waits for that.
//! - A durable write is two entries, the write flagged `IO_LINK` and the fdatasync behind it. They
//!   go in one batch or wait together, for a link ends with its batch; each has a slot of its own
//!   that names the other, and the later completion answers for both.
//! - Receiving many is a multishot receive into the shard's ring of buffers (`provided`). When that
//!   has run out, the slot goes on with a plain receive into memory of its own.
//! - A connection that alone brings all that comes is asked by plain calls (`busy_poll`, `direct`).

#![allow(unsafe_code)] // The kernel shares memory with us.

mod bell;
mod busy_poll;
mod direct;
mod entry;
mod handles;
mod kit;
mod message;
mod pending;
mod provided;
mod setup;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_uring::squeue::SubmissionQueue;
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, types};

use self::bell::RingBell;
use self::busy_poll::{BusyPoll, Step};
use self::kit::Kit;
use self::pending::{Finished, News, Pending, Submission};
pub(super) use self::provided::Lent;
use super::random::SplitMix64;
use super::{
    Bell, CHUNK_BYTES, Completion, Driver, DriverError, DriverReport, Handle, Op, Outcome, Token,
    system,
};
use crate::time::Time;

/// `user_data` of the watch on the bell.
const BELL: u64 = u64::MAX;
/// `user_data` of cancellations, whose own completions say nothing of use.
const CANCEL: u64 = u64::MAX - 1;

/// How long a dropped driver waits for the kernel to let go of its buffers before it leaks them.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);
/// How often it asks the kernel to stop what is left.
const CANCEL_EVERY: Duration = Duration::from_millis(20);

/// What a [`UringDriver`] is made from.
#[derive(Clone, Debug)]
pub struct UringConfig {
    /// Submission entries: how many operations one system call can hand on. More may be in
    /// flight.
    pub entries: u32,
    /// Of the shard's randomness.
    pub seed: u64,
    /// When the clock shows [`Time::ZERO`]: one [`clock`] for all shards of an engine.
    pub start: Instant,
    /// The CPUs for the kernel's workers, which run what would block (fsync). Empty: any.
    pub worker_cpus: Vec<usize>,
}

/// See the [module](self).
pub struct UringDriver {
    ring: IoUring,
    pending: Pending,
    kit: Kit,
    /// What found the submission queue full.
    backlog: VecDeque<Submission>,
    /// Completions that came outside `poll`.
    ready: VecDeque<Completion>,
    busy_poll: BusyPoll,
    /// Something was taken directly since the last `poll`.
    took_directly: bool,
    bell: Arc<RingBell>,
    watch: Watch,
    wait_flags: EnterFlags,
    start: Instant,
    random: SplitMix64,
    report: DriverReport,
    /// The kernel takes submissions from the thread that made the ring alone.
    _one_thread: PhantomData<*const ()>,
}

/// How the ring watches the bell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// Armed once, tells of every ring. `true` while it is armed.
    Multishot(bool),
    /// To be armed anew after each (before Linux 5.13). `true` while it is armed.
    Oneshot(bool),
}

impl UringDriver {
    /// Makes the ring. Call it on the thread that will use it.
    ///
    /// # Errors
    /// If io_uring is missing, denied or too old, or resources are short; each with its remedy.
    pub fn new(config: UringConfig) -> Result<Self, DriverError> {
        Self::with_fewer_features(config, 0)
    }

    /// Leaves out the newest `skip` set-up features, as an older kernel would.
    fn with_fewer_features(config: UringConfig, skip: usize) -> Result<Self, DriverError> {
        let setup::Setup {
            ring,
            multishot,
            mut report,
        } = setup::ring(config.entries, skip)?;
        if !config.worker_cpus.is_empty() {
            setup::keep_workers_on(&ring, &config.worker_cpus, &mut report);
        }
        let bell =
            RingBell::new().map_err(|error| setup::explain("eventfd", config.entries, error))?;
        let mut wait_flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if ring.params().is_feature_no_iowait() {
            wait_flags |= EnterFlags::NO_IOWAIT;
        }
        let mut driver = UringDriver {
            ring,
            pending: Pending::default(),
            kit: Kit::new(multishot),
            backlog: VecDeque::new(),
            ready: VecDeque::new(),
            busy_poll: BusyPoll::default(),
            took_directly: false,
            bell: Arc::new(bell),
            watch: Watch::Multishot(false),
            wait_flags,
            start: config.start,
            random: SplitMix64::new(config.seed),
            report,
            _one_thread: PhantomData,
        };
        driver.arm_bell();
        // The first system call into the ring, so that a refusal shows now.
        driver
            .enter(0, None)
            .map_err(|error| setup::explain("io_uring_enter", config.entries, error))?;
        driver.reap_to_ready();
        driver.arm_bell();
        match driver.watch {
            Watch::Multishot(_) => driver.report.on.push("multishot poll"),
            Watch::Oneshot(_) => driver
                .report
                .missing
                .push("multishot poll (Linux 5.13): one more operation per wake-up".into()),
        }
        Ok(driver)
    }

    fn begin(&mut self, token: Token, op: Op) -> io::Result<Submission> {
        if matches!(op, Op::RecvMany { .. }) {
            self.kit.provided.make(&self.ring);
        }
        self.pending.begin(token, op, &mut self.kit)
    }

    /// Queues `submission`, or keeps it back while the queue is full.
    fn push(&mut self, submission: Submission) {
        if !self.backlog.is_empty() || !offer(&mut self.ring.submission(), &submission) {
            self.backlog.push_back(submission);
        }
    }

    fn refill(&mut self) {
        if self.backlog.is_empty() {
            return;
        }
        let mut queue = self.ring.submission();
        while let Some(submission) = self.backlog.front() {
            if !offer(&mut queue, submission) {
                break;
            }
            self.backlog.pop_front();
        }
    }

    /// Whether the kernel must be entered: something is queued, or it has something to post.
    fn has_news(&mut self) -> bool {
        if !self.backlog.is_empty() {
            return true;
        }
        let queue = self.ring.submission();
        !queue.is_empty() || queue.taskrun() || queue.cq_overflow()
    }

    /// Hands on what is queued and lets the kernel post; waits for `want` completions, for at
    /// most `limit`.
    fn enter(&mut self, want: u32, limit: Option<Duration>) -> io::Result<()> {
        self.refill();
        let queued = self.ring.submission().len() as u32;
        let limit = limit.map(Timespec::from);
        let args = match &limit {
            Some(limit) => SubmitArgs::new().timespec(limit),
            None => SubmitArgs::new(),
        };
        let flags = if want > 0 {
            self.wait_flags
        } else {
            EnterFlags::GETEVENTS | EnterFlags::EXT_ARG
        };
        // SAFETY: the arguments are what EXT_ARG asks for and outlive the call; what the queued
        // entries point to is kept in `pending`.
        let entered = unsafe {
            self.ring
                .submitter()
                .enter(queued, want, flags.bits(), Some(&args))
        };
        match entered {
            Ok(taken) => {
                if taken < queued as usize {
                    self.pending.doubt_links();
                }
                Ok(())
            }
            Err(error) if is_transient(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `enter` for a ring that has worked before: what fails now is a bug of ours.
    fn enter_again(&mut self, want: u32, limit: Option<Duration>) {
        if let Err(error) = self.enter(want, limit) {
            panic!("io_uring_enter failed on a working ring: {error}");
        }
    }

    fn reap(&mut self, mut give: impl FnMut(Completion)) {
        let Self {
            ring,
            pending,
            kit,
            backlog,
            watch,
            bell,
            busy_poll,
            ..
        } = self;
        // One may return and another leave, in this order.
        let mut steps = [Step::Stay, Step::Stay];
        let mut next = |step| match step {
            Step::Stay => {}
            Step::Return(_) => steps[0] = step,
            Step::Leave(_) => steps[1] = step,
        };
        for entry in ring.completion() {
            let slot = match entry.user_data() {
                BELL => {
                    watch.heard(&entry, bell);
                    continue;
                }
                CANCEL => continue,
                slot => slot,
            };
            let news = News::from(&entry);
            if busy_poll.is_leaving(slot) && pending.lets_go(slot, &news) {
                next(busy_poll.has_left());
                continue;
            }
            match pending.finish(slot, news, kit) {
                Finished::No => {}
                Finished::Yes(completion) => {
                    if !completion.more {
                        busy_poll.ended(slot);
                    } else if let Ok(Outcome::Received(chunk)) = &completion.result {
                        let fits = chunk.len() < CHUNK_BYTES && kit.provided.can_receive();
                        next(busy_poll.heard(slot, fits));
                    }
                    give(completion);
                }
                Finished::Again(entry) => {
                    busy_poll.ended(slot);
                    backlog.push_back(Submission::One(entry));
                }
            }
        }
        for step in steps {
            // By now it may have ended, and its slot be another's.
            if matches!(step, Step::Leave(slot) if !self.busy_poll.is_leaving(slot)) {
                continue;
            }
            self.take_step(step);
        }
        self.arm_bell();
    }

    fn reap_to_ready(&mut self) {
        let mut ready = mem::take(&mut self.ready);
        self.reap(|completion| ready.push_back(completion));
        self.ready = ready;
    }

    fn arm_bell(&mut self) {
        let multi = match &mut self.watch {
            Watch::Multishot(true) | Watch::Oneshot(true) => return,
            Watch::Multishot(armed) => {
                *armed = true;
                true
            }
            Watch::Oneshot(armed) => {
                *armed = true;
                false
            }
        };
        let entry = opcode::PollAdd::new(types::Fd(self.bell.fd()), libc::POLLIN as u32)
            .multi(multi)
            .build()
            .user_data(BELL);
        self.push(Submission::One(entry));
    }

    fn cancel_slot(&mut self, slot: u64) {
        let entry = opcode::AsyncCancel::new(slot).build().user_data(CANCEL);
        self.push(Submission::One(entry));
    }

    /// Stops everything and waits until the kernel has let go of every buffer.
    fn settle(&mut self) -> bool {
        self.leave_to_ring();
        let begun = clock();
        let mut rounds = 0;
        while self.pending.len() > 0 {
            let waited = begun.elapsed();
            if waited > SETTLE_LIMIT {
                return false;
            }
            // Now and then again: what a worker has not yet begun cannot be stopped at first.
            if waited >= rounds * CANCEL_EVERY {
                rounds += 1;
                for slot in self.pending.stop_all() {
                    self.cancel_slot(slot);
                }
            }
            if self.enter(1, Some(CANCEL_EVERY)).is_err() {
                return false;
            }
            self.reap(drop);
        }
        true
    }
}

impl Watch {
    fn heard(&mut self, entry: &cqueue::Entry, bell: &RingBell) {
        if cqueue::more(entry.flags()) {
            return;
        }
        *self = match *self {
            Watch::Multishot(_) if entry.result() == -libc::EINVAL => Watch::Oneshot(false),
            Watch::Multishot(_) => Watch::Multishot(false),
            Watch::Oneshot(_) => Watch::Oneshot(false),
        };
        // Before it is armed anew: a ring after this is then seen by the new watch.
        bell.drain();
    }
}

impl Driver for UringDriver {
    fn now(&mut self) -> Time {
        let since = clock().saturating_duration_since(self.start);
        Time::from_nanos(since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos()))
    }

    fn wall_time(&mut self) -> Duration {
        system::wall_time()
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn unique(&mut self) -> u64 {
        system::unique()
    }

    fn submit(&mut self, token: Token, op: Op) {
        if let Op::Close { handle } = op
            && self.kit.handles.is_waited_on(handle)
        {
            self.leave_to_ring();
            // Closing alone would leave them waiting for ever.
            for slot in self.pending.detach(handle.0) {
                self.cancel_slot(slot);
            }
        }
        let result = match self.send_directly(&op) {
            Some(result) => result,
            None => match entry::at_once(op, &self.kit.handles) {
                Ok(result) => result,
                Err(op) => match self.begin(token, op) {
                    Ok(submission) => return self.push(submission),
                    Err(error) => Err(error),
                },
            },
        };
        self.ready.push_back(Completion::last(token, result));
    }

    fn cancel(&mut self, token: Token) {
        self.leave_to_ring();
        if let Some(slot) = self.pending.stop(token) {
            self.cancel_slot(slot);
        }
    }

    fn give_way(&mut self) {
        // Linux lets a thread that has slept run on for its slice, whoever wakes meanwhile.
        std::thread::yield_now();
    }

    fn in_flight(&self) -> usize {
        self.pending.len() + self.ready.len()
    }

    fn look(&mut self) -> bool {
        // The bell alone is nothing that `poll` is called for.
        self.in_flight() > 0
            && (!self.ready.is_empty()
                || self.take_directly()
                || self.has_news()
                || !self.ring.completion().is_empty())
    }

    fn poll(&mut self, done: &mut Vec<Completion>) {
        if !mem::take(&mut self.took_directly) {
            self.take_directly();
        }
        if self.has_news() {
            self.enter_again(0, None);
        }
        if !self.ready.is_empty() {
            done.extend(self.ready.drain(..));
        }
        if self.ring.completion().is_empty() {
            return;
        }
        self.reap(|completion| done.push(completion));
    }

    fn park(&mut self, until: Option<Time>) {
        self.leave_to_ring();
        let limit = until.map(|until| until.since(self.now()));
        let rung = self.bell.take();
        if rung || !self.ready.is_empty() || limit == Some(Duration::ZERO) {
            if self.has_news() {
                self.enter_again(0, None);
            }
        } else {
            while !self.backlog.is_empty() && self.ring.completion().is_empty() {
                self.enter_again(0, None);
            }
            if self.backlog.is_empty() {
                self.enter_again(1, limit);
            }
        }
        self.reap_to_ready();
        self.bell.take();
    }

    fn bell(&self) -> Arc<dyn Bell> {
        self.bell.clone()
    }

    fn listen(&mut self, addr: SocketAddr, backlog: u32) -> io::Result<Handle> {
        Ok(self.kit.handles.add(socket::listen(addr, backlog)?))
    }

    fn local_addr(&mut self, handle: Handle) -> io::Result<SocketAddr> {
        socket::local_addr(self.kit.handles.get(handle)?)
    }

    fn peer_addr(&mut self, handle: Handle) -> io::Result<SocketAddr> {
        socket::peer_addr(self.kit.handles.get(handle)?)
    }

    fn report(&self) -> DriverReport {
        self.report.clone()
    }
}

impl Drop for UringDriver {
    fn drop(&mut self) {
        if self.settle() {
            self.kit.provided.unregister(&self.ring);
        } else {
            tracing::error!(
                operations = self.pending.len(),
                "the kernel still works on a dropped driver's buffers: leaking them"
            );
            mem::forget(mem::take(&mut self.pending));
            self.kit.provided.forget();
        }
    }
}

/// Queues `submission`, unless there is no room for all of it.
fn offer(queue: &mut SubmissionQueue<'_>, submission: &Submission) -> bool {
    // SAFETY: all that the entries point to is in `pending`, which keeps it until the
    // completions have come.
    unsafe {
        match submission {
            Submission::One(entry) => queue.push(entry),
            Submission::Linked(entries) => queue.push_multiple(entries),
        }
    }
    .is_ok()
}

/// In turn: the limit has come; a signal; completions to be reaped first; no memory for more
/// operations just now. What the kernel did not take stays queued for the next pass.
fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
    )
}

/// Whether this thread may have a ring: the error of [`UringDriver::new`] if not.
#[cfg(feature = "glommio")]
pub(super) fn probe() -> Result<(), DriverError> {
    setup::ring(2, 0).map(drop)
}

/// The real clock now: for the [start](UringConfig::start) that an engine's shards share.
#[must_use]
pub fn clock() -> Instant {
    Instant::now()
}
