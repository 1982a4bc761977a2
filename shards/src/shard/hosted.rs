//! The loop of a shard that is a task of an executor not its own.

use std::future::poll_fn;
use std::time::Duration;

use super::Shard;
use super::idling::Lull;

/// How long the loop goes on before its host gets a turn. A host's turn costs some microseconds
/// of system calls, so that this is a tenth of the time or less.
const SLICE: Duration = Duration::from_micros(50);
/// How long a shard waits for its I/O at its end.
const SETTLE_LIMIT: Duration = Duration::from_secs(1);

impl Shard {
    /// [`run`](Self::run) for a shard whose thread belongs to an executor, by a
    /// [driver](crate::driver::Driver::poll_park) made for it: the executor has a turn after every
    /// slice of the loop, and the thread while the shard is parked.
    ///
    /// Between the slices the rings are polled as ever, so that a call between two shards that
    /// are both awake costs what it costs on a thread of their own. I/O is the executor's, and
    /// moves in its turns only: a shard that waits for some and has nothing else to do gives it
    /// one after the other.
    pub async fn run_hosted(&self) {
        self.run_hosted_while(|| !self.stopping.get()).await;
    }

    /// [`run_while`](Self::run_while) for such a shard.
    pub async fn run_hosted_while(&self, goes_on: impl Fn() -> bool) {
        let mut lull = Lull::new(self.config.idle);
        let mut slice_ends = self.read_clock() + SLICE;
        while goes_on() {
            let busy = self.guarded_pass();
            if busy {
                lull.end(self.now());
            }
            if !busy && self.wants_park(&mut lull) {
                self.park_hosted().await;
            } else if self.now() >= slice_ends || !busy && self.waits_for_io() {
                poll_fn(|cx| self.driver.borrow_mut().poll_yield(cx)).await;
            } else {
                continue;
            }
            slice_ends = self.read_clock() + SLICE;
        }
    }

    /// Lets what is under way end, after the shard has been closed: files are closed by their
    /// executor, in turns that it would not have any more. Gives up after a second.
    pub async fn settle_hosted(&self) {
        let until = self.read_clock() + SETTLE_LIMIT;
        self.guarded_pass();
        while self.waits_for_io() && self.read_clock() < until {
            poll_fn(|cx| self.driver.borrow_mut().poll_yield(cx)).await;
            self.guarded_pass();
        }
    }

    async fn park_hosted(&self) {
        self.sleeper.prepare();
        if self.may_park() {
            let until = self.next_due();
            self.pulse.sleep();
            poll_fn(|cx| self.driver.borrow_mut().poll_park(until, cx)).await;
        }
        self.unpark();
    }

    fn waits_for_io(&self) -> bool {
        self.driver.borrow().in_flight() > 0
    }
}
