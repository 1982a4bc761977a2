//! A gate that turns wait at until a test opens it.

use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// A gate for anybody, anywhere: opened once, it stays open. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    arrivals: usize,
    waiting: Vec<Waker>,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        let mut state = self.lock();
        state.open = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until the gate is open.
    pub async fn pass(&self) {
        let mut counted = false;
        poll_fn(|cx| {
            let mut state = self.lock();
            if !std::mem::replace(&mut counted, true) {
                state.arrivals += 1;
                self.0.arrived.notify_all();
            }
            if state.open {
                return Poll::Ready(());
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Blocks this thread until `count` have come to the gate.
    ///
    /// # Panics
    /// If they have not within 30 seconds.
    pub fn wait_for(&self, count: usize) {
        let limit = Duration::from_secs(30);
        let (state, result) = self
            .0
            .arrived
            .wait_timeout_while(self.lock(), limit, |state| state.arrivals < count)
            .unwrap_or_else(PoisonError::into_inner);
        let arrivals = state.arrivals;
        drop(state);
        assert!(
            !result.timed_out(),
            "{arrivals} of {count} came to the gate"
        );
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
