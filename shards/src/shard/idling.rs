//! What a shard does between passes that find nothing: it looks around, and sleeps.

use std::time::Duration;

use super::{CLOCK_PASSES, Shard};
use crate::idle::{IdlePolicy, SpinBudget};
use crate::time::Time;

/// Looks for arrivals between two idle passes of a spinning shard.
const SPIN_LOOKS: u32 = 16;
/// Looks at the mesh's rings in each of them.
const RING_LOOKS: u32 = 4;

/// How much longer than usual is looked at most while a disk works: it will be done, and soon.
/// With 64 savers and syncs of some 250 µs, 106 k to 165 k saves a second asleep meanwhile, 136 k to
/// 197 k awake; but 109 k to 124 k where the kernel's worker, which shares the core, had to wait.
const DISK_LOOKS: u32 = 4;

/// A time without work, and what the ones before it taught.
pub(super) struct Lull {
    usual: SpinBudget,
    /// While a disk works.
    disk: SpinBudget,
    /// Since when, and whether a disk worked then; unknown for lulls so short that no clock was
    /// read in them.
    begun: Option<(Time, bool)>,
}

impl Lull {
    pub(super) fn new(policy: IdlePolicy) -> Self {
        let most = match policy {
            IdlePolicy::Adaptive { spin } => spin,
            IdlePolicy::Spin | IdlePolicy::Park => Duration::ZERO,
        };
        Lull {
            usual: SpinBudget::new(most),
            disk: SpinBudget::new(most * DISK_LOOKS),
            begun: None,
        }
    }

    /// There was work again, at `now`.
    #[inline]
    pub(super) fn end(&mut self, now: Time) {
        if let Some((since, on_disk)) = self.begun.take() {
            self.budget(on_disk).record(now - since);
        }
    }

    fn budget(&mut self, on_disk: bool) -> &mut SpinBudget {
        if on_disk {
            &mut self.disk
        } else {
            &mut self.usual
        }
    }
}

impl Shard {
    /// Looks around after a pass that found nothing; whether it is time to sleep.
    #[inline]
    pub(super) fn wants_park(&self, lull: &mut Lull) -> bool {
        match self.config.idle {
            IdlePolicy::Spin => {
                if self.operations.end_soon() {
                    self.driver.borrow_mut().give_way();
                }
                self.look_around();
                false
            }
            IdlePolicy::Park => true,
            IdlePolicy::Adaptive { .. } => {
                !self.look_around() && {
                    let now = self.read_clock();
                    let begin = || (now, self.operations.end_soon());
                    let (since, on_disk) = *lull.begun.get_or_insert_with(begin);
                    if on_disk {
                        self.driver.borrow_mut().give_way();
                    }
                    now - since >= lull.budget(on_disk).get()
                }
            }
        }
    }

    /// Parks until something arrives or is due. Looks once more before it does; a sender that
    /// publishes after that look sees the flag and rings (see [`crate::park`]).
    ///
    /// A simulated park returns at once, and the simulator lets the shard alone until it ends;
    /// [`unpark`](Self::unpark) comes then.
    pub fn park(&self) {
        self.sleeper.prepare();
        if self.may_park() {
            let until = self.next_due();
            self.pulse.sleep();
            let mut driver = self.driver.borrow_mut();
            driver.park(until);
            if driver.is_simulated() {
                self.parked.set(true);
                return;
            }
        }
        self.unpark();
    }

    /// Ends a park: the next pass looks at its timers.
    pub fn unpark(&self) {
        self.sleeper.awake();
        self.parked.set(false);
        // What arrived counts its deadlines from now, not from when the shard went to sleep.
        self.read_clock();
        self.clock_age.set(CLOCK_PASSES);
    }

    /// Whether a simulated park is under way: [`unpark`](Self::unpark) has not come yet.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.parked.get()
    }

    /// Whether nothing at all is left to do now: the look between raising the sleeping flag and
    /// sleeping.
    pub(super) fn may_park(&self) -> bool {
        !self.has_arrivals(|peer| !self.driver.borrow_mut().mesh_is_held(peer))
            && !self.tasks.has_ready()
            && self.after_io.is_empty()
            && self.local.is_empty()
            && !self.stopping.get()
    }

    /// When the shard must run again even if nothing arrives.
    pub(super) fn next_due(&self) -> Option<Time> {
        let timer = self.timers.next_due();
        let call = self.calls.next_deadline(self.now.get());
        timer.into_iter().chain(call).min()
    }

    /// Looks at what can bring work, until something has (true) or a while has passed. Most looks
    /// are at the rings alone: they are where the nanoseconds count.
    #[inline]
    pub(super) fn look_around(&self) -> bool {
        for _ in 0..SPIN_LOOKS {
            for _ in 0..RING_LOOKS {
                for (out, inward) in self.out.iter().zip(&self.inward) {
                    if let (Some(out), Some(inward)) = (out, inward)
                        && (inward.has_requests() || out.has_replies())
                    {
                        return true;
                    }
                }
            }
            if self.has_arrivals(|_| true) || self.driver.borrow_mut().look() {
                return true;
            }
        }
        false
    }

    /// Whether anything has come from outside the shard; `counts` says of a peer whether its
    /// messages do.
    #[inline]
    pub(super) fn has_arrivals(&self, counts: impl Fn(u16) -> bool) -> bool {
        for (peer, (out, inward)) in self.out.iter().zip(&self.inward).enumerate() {
            let (Some(out), Some(inward)) = (out, inward) else {
                continue;
            };
            let peer = peer as u16;
            if (out.has_replies() || inward.has_requests()) && counts(peer)
                || self.calls.has_waiters(peer) && out.tells().has_news()
            {
                return true;
            }
        }
        !self.inbox.is_empty()
            || !self.wakes.is_empty()
            || self
                .ports
                .borrow()
                .iter()
                .flatten()
                .any(|port| port.has_requests())
    }
}
