//! Ports: how a plain thread joins the mesh, with a pair of rings to every shard.
//!
//! A port's thread is no shard: it has no driver, and reads the clock itself.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::calls::Calls;
use crate::driver::Bell;
use crate::mesh::{Doorbell, MeshShared, Outbound, lane};
use crate::park::Sleeper;
use crate::ring::Message;
use crate::shard::{Errand, Shard};

/// A plain thread's place in the mesh. Stays on the thread that joined.
pub struct Port {
    number: u16,
    mesh: Arc<MeshShared>,
    lanes: Box<[Outbound]>,
    calls: Calls,
    sleeper: Arc<Sleeper>,
    /// How long to look for an answer before the thread sleeps.
    spin: Duration,
    _stays: std::marker::PhantomData<*const ()>,
}

/// Why a thread could not join.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The engine has stopped, or is stopping.
    #[error("shard {shard} takes no ports any more: its engine has stopped or is overloaded")]
    Refused {
        /// The first shard that refused.
        shard: u16,
    },
    /// Too many.
    #[error("an engine takes {limit} ports in its life: keep a port for the life of its thread")]
    TooMany {
        /// The limit.
        limit: u16,
    },
}

/// Numbers ports; one for each mesh.
#[derive(Debug, Default)]
pub struct PortNumbers(AtomicU16);

/// Ports an engine can have in its life.
const MAX_PORTS: u16 = 32_000;
/// Looks between two readings of the clock.
const LOOKS: u32 = 256;

struct ThreadBell(Thread);

impl Bell for ThreadBell {
    fn ring(&self) {
        self.0.unpark();
    }
}

impl Port {
    /// Joins the calling thread to `mesh`. `spin` is how long it looks for an answer before it
    /// sleeps; [`Duration::MAX`] never sleeps.
    ///
    /// # Errors
    /// [`PortError`], when the shards don't take it.
    pub fn join(
        mesh: &Arc<MeshShared>,
        numbers: &PortNumbers,
        spin: Duration,
    ) -> Result<Self, PortError> {
        let shards = mesh.shards();
        let taken = numbers
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                (n < MAX_PORTS).then_some(n + 1)
            });
        let number = shards + taken.map_err(|_| PortError::TooMany { limit: MAX_PORTS })?;
        let sleeper = Arc::new(Sleeper::new());
        let bell: Arc<dyn Bell> = Arc::new(ThreadBell(thread::current()));
        let mut lanes = Vec::new();
        for shard in 0..shards {
            let here = Doorbell::of_port(sleeper.clone(), bell.clone(), spin != Duration::MAX);
            let (out, inward) = lane(
                number,
                shard,
                mesh.credits(),
                here,
                Doorbell::of(mesh, shard),
            );
            let errand: Errand = Box::new(move |shard: &Shard| shard.add_port(number, inward));
            let handle = mesh.handle(shard).ok_or(PortError::Refused { shard })?;
            handle
                .inbox
                .push(errand)
                .map_err(|_| PortError::Refused { shard })?;
            lanes.push(out);
        }
        let credits = mesh.credits();
        Ok(Port {
            number,
            mesh: mesh.clone(),
            lanes: lanes.into(),
            calls: Calls::new(
                usize::from(shards),
                credits.ask_slots,
                credits.reserve_slots,
            ),
            sleeper,
            spin,
            _stays: std::marker::PhantomData,
        })
    }

    /// Its number as a peer of the shards.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The mesh it joined.
    #[must_use]
    pub fn mesh(&self) -> &Arc<MeshShared> {
        &self.mesh
    }

    /// Its calls in flight.
    #[must_use]
    #[inline]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The way to a shard.
    #[must_use]
    #[inline]
    pub fn outbound(&self, shard: u16) -> Option<&Outbound> {
        self.lanes.get(usize::from(shard))
    }

    /// Sends `message` to `shard` at once; the caller holds credit for it.
    ///
    /// # Panics
    /// If there is no such shard.
    #[inline]
    pub fn send<M: Message<Shard>>(&self, shard: u16, message: M) {
        self.send_with(shard, || message);
    }

    /// The same for a message that is made straight in its slots.
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    #[inline(always)]
    pub fn send_with<M: Message<Shard>>(&self, shard: u16, make: impl FnOnce() -> M) {
        let lane = &self.lanes[usize::from(shard)];
        lane.send_with(make);
        lane.publish();
        if self.mesh.may_sleep() {
            Sleeper::fence();
            lane.bell().ring_if_asleep();
        }
    }

    /// Takes what has arrived; true if something has.
    #[inline]
    pub fn poll(&self) -> bool {
        let mut some = false;
        for lane in &self.lanes {
            if lane.has_replies() {
                some |= lane.take_replies(usize::MAX, &self.calls) != 0;
            }
        }
        some
    }

    /// Takes arrivals until `done` says so, or until `timeout` has passed: then `None`. Spins for
    /// the port's budget, then sleeps between arrivals.
    ///
    /// The clock is first read when no answer has come for a while, so that a quick one costs no
    /// reading; `timeout` counts from there, a microsecond late.
    pub fn run_until<R>(
        &self,
        timeout: Duration,
        mut done: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let mut began = None;
        let mut spinning_since = None;
        loop {
            for _ in 0..LOOKS {
                if self.poll() {
                    spinning_since = None;
                    if let Some(result) = done() {
                        return Some(result);
                    }
                }
            }
            let now = Instant::now();
            if let Some(result) = done() {
                return Some(result);
            }
            let waited = now - *began.get_or_insert(now);
            let left = timeout.checked_sub(waited).filter(|left| !left.is_zero())?;
            if now - *spinning_since.get_or_insert(now) >= self.spin {
                self.sleep(left);
            }
        }
    }

    /// Sleeps until something arrives, no longer than `left`; wakes now and then to see whether
    /// its shards still stand.
    fn sleep(&self, left: Duration) {
        const LONGEST: Duration = Duration::from_millis(100);
        self.sleeper.prepare();
        if self.lanes.iter().all(|lane| !lane.has_replies()) {
            thread::park_timeout(left.min(LONGEST));
        }
        self.sleeper.awake();
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        for shard in 0..self.mesh.shards() {
            let number = self.number;
            if let Some(handle) = self.mesh.handle(shard) {
                // A shard that takes no errands any more has let its ports go already.
                let _ = handle
                    .inbox
                    .push(Box::new(move |shard: &Shard| shard.remove_port(number)));
            }
        }
    }
}
