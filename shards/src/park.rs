//! The handshake of a shard going to sleep with those that bring it work.
//!
//! The sleeper says "I sleep", fences, and looks once more; the sender publishes, fences, and
//! reads whether it sleeps. The two fences order both pairs, so one of the two sees the other.

use crossbeam::utils::CachePadded;

use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Site, kept};

/// Says whether a shard sleeps, on a cache line of its own: senders read it once a pass.
#[derive(Debug)]
pub struct Sleeper {
    sleeping: CachePadded<AtomicBool>,
}

impl Sleeper {
    /// Awake.
    #[must_use]
    pub fn new() -> Self {
        Sleeper {
            sleeping: CachePadded::new(AtomicBool::new(false)),
        }
    }

    /// Says that its owner is about to sleep. The owner must look at everything that can bring
    /// work once more, and then either sleep or call [`awake`](Self::awake).
    pub fn prepare(&self) {
        self.sleeping.store(true, Ordering::Relaxed);
        full_fence(Site::SleeperFence);
    }

    /// Says that its owner runs: after sleeping, or when the last look found something.
    pub fn awake(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// For senders: between publishing and [`must_ring`](Self::must_ring). One for all that one
    /// pass has published, to whatever number of shards.
    #[inline]
    pub fn fence() {
        full_fence(Site::SenderFence);
    }

    /// Whether the caller must ring the owner's bell. Of many callers one is told so; the others
    /// rely on it, so it must ring without delay.
    #[inline]
    #[must_use = "who is told to ring must ring"]
    pub fn must_ring(&self) -> bool {
        // The load keeps the line shared while the owner is awake. A swap would do for the claim,
        // but writes even when it comes too late.
        self.sleeping.load(Ordering::Relaxed)
            && self
                .sleeping
                .compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Whether its owner sleeps or is about to, as seen without any order: for observers.
    #[must_use]
    pub fn is_sleeping(&self) -> bool {
        self.sleeping.load(Ordering::Relaxed)
    }
}

impl Default for Sleeper {
    fn default() -> Self {
        Self::new()
    }
}

#[inline(always)]
fn full_fence(site: Site) {
    if kept(site) {
        fence(Ordering::SeqCst);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_sender_rings_a_sleeper_and_none_one_awake() {
        let sleeper = Sleeper::new();
        assert!(!sleeper.must_ring());
        sleeper.prepare();
        assert!(sleeper.is_sleeping());
        assert!(sleeper.must_ring());
        assert!(!sleeper.must_ring());
        sleeper.prepare();
        sleeper.awake();
        assert!(!sleeper.must_ring());
    }
}
