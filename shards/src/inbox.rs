//! What foreign threads bring to a shard: bounded queues of many senders that wake their owner.

use std::fmt;

use crate::driver::Bell;
use crate::park::Sleeper;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, ArrayQueue, Site, ordering};

/// A bounded queue from any thread to one shard.
pub struct Inbox<T> {
    queue: ArrayQueue<T>,
    closed: AtomicBool,
    owner: Owner,
}

impl<T> Inbox<T> {
    /// An inbox for at most `capacity` values, whose owner sleeps by `sleeper` and hears `bell`.
    ///
    /// # Panics
    /// If `capacity` is zero.
    #[must_use]
    pub fn new(capacity: usize, sleeper: Arc<Sleeper>, bell: std::sync::Arc<dyn Bell>) -> Self {
        Inbox {
            queue: ArrayQueue::new(capacity),
            closed: AtomicBool::new(false),
            owner: Owner { sleeper, bell },
        }
    }

    /// Appends `value`, and wakes the owner if it sleeps. A [closed](Self::close) inbox drops it.
    ///
    /// # Errors
    /// Gives the value back when the inbox is full.
    pub fn push(&self, value: T) -> Result<(), T> {
        self.queue.push(value)?;
        self.owner.rouse();
        // Behind the fence in `rouse`: either this sees the close, or the close sees the value.
        if self.closed.load(Ordering::Relaxed) {
            self.drop_all();
        }
        Ok(())
    }

    /// The owner has gone: drops what waits, and what comes yet.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        Sleeper::fence();
        self.drop_all();
    }

    fn drop_all(&self) {
        while let Some(value) = self.queue.pop() {
            drop(value);
        }
    }

    /// Takes the oldest value. For the owner.
    pub fn pop(&self) -> Option<T> {
        self.queue.pop()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many values it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// What a drained [`WakeInbox`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Wake this task.
    One(u64),
    /// More were woken than could be listed: wake every task.
    All,
}

/// The tasks of one shard that other threads have woken. No wake is ever lost: when the list is
/// full, all tasks are to be woken.
pub struct WakeInbox {
    listed: ArrayQueue<u64>,
    overflowed: AtomicBool,
    owner: Owner,
}

impl WakeInbox {
    /// An inbox that lists at most `capacity` wakes, whose owner sleeps by `sleeper` and hears
    /// `bell`.
    ///
    /// # Panics
    /// If `capacity` is zero.
    #[must_use]
    pub fn new(capacity: usize, sleeper: Arc<Sleeper>, bell: std::sync::Arc<dyn Bell>) -> Self {
        WakeInbox {
            listed: ArrayQueue::new(capacity),
            overflowed: AtomicBool::new(false),
            owner: Owner { sleeper, bell },
        }
    }

    /// Wakes the task `id`, and the owner if it sleeps.
    ///
    /// All that the caller wrote before is seen by the task's next poll.
    pub fn wake(&self, id: u64) {
        if self.listed.push(id).is_err() {
            // A swap, for a plain store would end the release sequence of the one before it, and
            // that waker's writes might not be seen.
            self.overflowed
                .swap(true, ordering(Site::Overflow, Ordering::Release));
        }
        self.owner.rouse();
    }

    /// Tells what was woken, at most one inbox full a call; the rest is for the next pass.
    pub fn drain(&self, mut each: impl FnMut(Wake)) {
        for _ in 0..self.listed.capacity() {
            let Some(id) = self.listed.pop() else { break };
            each(Wake::One(id));
        }
        // The load spares the awake loop a read-modify-write a pass.
        if self.overflowed.load(Ordering::Relaxed)
            && self
                .overflowed
                .swap(false, ordering(Site::Overflow, Ordering::Acquire))
        {
            each(Wake::All);
        }
    }

    /// Whether nothing was woken since the last drain.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty() && !self.overflowed.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for WakeInbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeInbox")
            .field("overflowed", &self.overflowed)
            .finish_non_exhaustive()
    }
}

/// The shard behind an inbox.
struct Owner {
    sleeper: Arc<Sleeper>,
    bell: std::sync::Arc<dyn Bell>,
}

impl Owner {
    fn rouse(&self) {
        Sleeper::fence();
        if self.sleeper.must_ring() {
            self.bell.ring();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Bell for Count {
        fn ring(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn owner() -> (Arc<Sleeper>, Arc<Count>) {
        (Arc::default(), Arc::default())
    }

    #[test]
    fn a_full_inbox_gives_the_value_back() {
        let (sleeper, bell) = owner();
        let inbox = Inbox::new(2, sleeper, bell);
        assert_eq!(
            (inbox.push('a'), inbox.push('b'), inbox.push('c')),
            (Ok(()), Ok(()), Err('c'))
        );
        assert_eq!(
            (inbox.pop(), inbox.pop(), inbox.pop()),
            (Some('a'), Some('b'), None)
        );
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_closed_inbox_keeps_nothing() {
        let (sleeper, bell) = owner();
        let inbox = Inbox::new(2, sleeper, bell);
        let witness = std::rc::Rc::new(());
        inbox.push(witness.clone()).unwrap();
        inbox.close();
        inbox.push(witness.clone()).unwrap();
        assert_eq!(std::rc::Rc::strong_count(&witness), 1);
    }

    #[test]
    fn rings_a_sleeper_once() {
        let (sleeper, bell) = owner();
        let inbox = Inbox::new(8, Arc::clone(&sleeper), bell.clone());
        inbox.push(1).unwrap();
        assert_eq!(bell.0.load(Ordering::Relaxed), 0);
        sleeper.prepare();
        inbox.push(2).unwrap();
        inbox.push(3).unwrap();
        assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn wakes_beyond_the_list_become_a_wake_of_all() {
        let (sleeper, bell) = owner();
        let inbox = WakeInbox::new(2, sleeper, bell);
        let drained = || {
            let mut wakes = vec![];
            inbox.drain(|wake| wakes.push(wake));
            wakes
        };
        inbox.wake(5);
        inbox.wake(6);
        assert_eq!(drained(), [Wake::One(5), Wake::One(6)]);
        (1..=3).for_each(|id| inbox.wake(id));
        assert!(!inbox.is_empty());
        assert_eq!(drained(), [Wake::One(1), Wake::One(2), Wake::All]);
        assert!(inbox.is_empty() && drained().is_empty());
    }

    #[test]
    fn no_wake_of_many_threads_is_lost() {
        let (sleeper, bell) = owner();
        let inbox = WakeInbox::new(16, sleeper, bell);
        let woken = Mutex::new(HashSet::new());
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let (inbox, woken) = (&inbox, &woken);
                scope.spawn(move || {
                    for id in 0..5_000 {
                        let id = thread << 32 | id;
                        woken.lock().unwrap().insert(id);
                        inbox.wake(id);
                    }
                });
            }
            let mut seen = 0;
            while seen < 20_000 {
                inbox.drain(|wake| match wake {
                    Wake::One(id) => seen += usize::from(woken.lock().unwrap().remove(&id)),
                    Wake::All => seen += woken.lock().unwrap().drain().count(),
                });
                std::thread::yield_now();
            }
        });
        assert!(woken.into_inner().unwrap().is_empty());
    }
}
