//! The atomics and cells of the lock-free parts: the standard ones, or loom's under its model
//! checker (`RUSTFLAGS="--cfg loom"`), where each ordering that matters can be taken out to see
//! its model fail.

#[cfg(loom)]
pub(crate) use loom::sync::{Arc, atomic};
#[cfg(not(loom))]
pub(crate) use std::sync::{Arc, atomic};

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

#[cfg(loom)]
pub(crate) use mutation::{kept, without};

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
