//! The atomics and cells of the lock-free parts: the standard ones, or loom's under its model
//! checker (`RUSTFLAGS="--cfg loom"`), where each ordering that matters can be taken out to see
//! its model fail.

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, atomic};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, atomic};

/// Many senders, one receiver, bounded.
#[cfg(not(loom))]
pub(crate) use crossbeam::queue::ArrayQueue;
#[cfg(loom)]
pub(crate) use queue::ArrayQueue;

use atomic::Ordering;

/// An ordering that correctness hangs on; a model may take it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// The store that shows a batch to the ring's consumer.
    Publish,
    /// The load that sees it.
    Peek,
    /// The store that gives slots back to the producer.
    Release,
    /// The load that sees them free.
    Reclaim,
    /// Emptying the slots that a long message ran over.
    Reset,
    /// The fence between saying "I sleep" and looking once more.
    SleeperFence,
    /// The fence between publishing and reading "does it sleep".
    SenderFence,
    /// The mark of the wake inbox that wakes were too many to list.
    Overflow,
}

/// `ordering`, or `Relaxed` where a model has taken `site` out.
#[inline(always)]
pub(crate) fn ordering(site: Site, ordering: Ordering) -> Ordering {
    if kept(site) {
        ordering
    } else {
        Ordering::Relaxed
    }
}

/// Whether `site` is in force: always, outside models.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn kept(_: Site) -> bool {
    true
}

/// crossbeam's queue is opaque to loom. This one promises less than it (no more than that a value
/// popped was pushed before), so what holds with this one holds with that.
#[cfg(loom)]
mod queue {
    use loom::sync::Mutex;

    use super::atomic::{AtomicUsize, Ordering};

    pub(crate) struct ArrayQueue<T> {
        /// Each locked by the pusher that claimed it, then by the one receiver.
        values: Vec<Mutex<Option<T>>>,
        /// Per place: how often it was filled.
        filled: Vec<AtomicUsize>,
        pushed: AtomicUsize,
        popped: AtomicUsize,
    }

    impl<T> ArrayQueue<T> {
        pub(crate) fn new(capacity: usize) -> Self {
            ArrayQueue {
                values: (0..capacity).map(|_| Mutex::new(None)).collect(),
                filled: (0..capacity).map(|_| AtomicUsize::new(0)).collect(),
                pushed: AtomicUsize::new(0),
                popped: AtomicUsize::new(0),
            }
        }

        pub(crate) fn push(&self, value: T) -> Result<(), T> {
            let at = loop {
                // In this order, so that the second is not the smaller.
                let popped = self.popped.load(Ordering::Acquire);
                let at = self.pushed.load(Ordering::Relaxed);
                if at - popped >= self.capacity() {
                    return Err(value);
                }
                let order = Ordering::Relaxed;
                if self
                    .pushed
                    .compare_exchange(at, at + 1, order, order)
                    .is_ok()
                {
                    break at;
                }
            };
            let (place, lap) = (at % self.capacity(), at / self.capacity());
            *self.values[place].lock().expect("not poisoned") = Some(value);
            self.filled[place].store(lap + 1, Ordering::Release);
            Ok(())
        }

        pub(crate) fn pop(&self) -> Option<T> {
            let at = self.popped.load(Ordering::Relaxed);
            let (place, lap) = (at % self.capacity(), at / self.capacity());
            if self.filled[place].load(Ordering::Acquire) == lap {
                return None;
            }
            let value = self.values[place].lock().expect("not poisoned").take();
            self.popped.store(at + 1, Ordering::Release);
            value
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.pushed.load(Ordering::Relaxed) == self.popped.load(Ordering::Relaxed)
        }

        pub(crate) fn capacity(&self) -> usize {
            self.values.len()
        }
    }
}

#[cfg(loom)]
pub(crate) use mutation::kept;
#[cfg(all(test, loom))]
pub(crate) use mutation::without;

#[cfg(loom)]
mod mutation {
    use std::cell::Cell;

    use super::Site;

    // loom runs all threads of a model as coroutines of one OS thread, so one cell serves them.
    std::thread_local! {
        static TAKEN_OUT: Cell<Option<Site>> = const { Cell::new(None) };
    }

    /// Whether `site` is in force in the model that runs.
    pub(crate) fn kept(site: Site) -> bool {
        TAKEN_OUT.with(Cell::get) != Some(site)
    }

    /// Runs `model` with `site` taken out.
    #[cfg(test)]
    pub(crate) fn without<R>(site: Site, model: impl FnOnce() -> R) -> R {
        struct Restore;
        impl Drop for Restore {
            fn drop(&mut self) {
                TAKEN_OUT.with(|cell| cell.set(None));
            }
        }
        let _restore = Restore;
        TAKEN_OUT.with(|cell| cell.set(Some(site)));
        model()
    }
}
