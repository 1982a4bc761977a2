//! The bell of a shard that parks as a task: a flag and the task's waker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::driver::Bell;

/// Wakes one task, from any thread. The flag keeps the level: whoever turns it on wakes once.
///
/// The lock is held for a look and a wake at most, and only by who wakes a sleeper or goes to
/// sleep. One waker is kept for as long as the task stays the same, because glommio counts the
/// wakers of a task in 16 bits.
#[derive(Debug, Default)]
pub(super) struct TaskBell {
    rung: AtomicBool,
    listener: Mutex<Option<Waker>>,
}

impl TaskBell {
    /// Takes the ring, if there was one. What the ringer wrote before it is then visible.
    pub(super) fn take(&self) -> bool {
        self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// Has rings wake `waker`. A ring that came before finds the flag up: look after this.
    pub(super) fn listen(&self, waker: &Waker) {
        let mut listener = self.lock();
        match &mut *listener {
            Some(listener) => listener.clone_from(waker),
            None => *listener = Some(waker.clone()),
        }
    }

    /// Wakes nobody any more.
    pub(super) fn silence(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell for TaskBell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(listener) = &*self.lock()
        {
            listener.wake_by_ref();
        }
    }
}
