//! Suites that cross crates live in `tests/`; this is what several of them need.

pub mod authority;
pub mod family;
mod gate;
pub mod model;
pub mod nomads;
pub mod servers;
pub mod shelf;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use quark::{Engine, EngineBuilder, IdlePolicy, Topology};

pub use gate::Gate;

/// An engine of two shards that runs on any machine, one of a single core too.
///
/// Its shutdown waits long for what is under way: a test that leaves something behind which never
/// ends, a call nobody will answer, does not end [in time](in_time).
///
/// # Panics
/// If the machine can't be read.
pub fn small() -> EngineBuilder {
    let topology = Topology::detect().expect("this machine can be read");
    Engine::builder()
        .topology(topology.shards(2).oversubscribe(true))
        .idle(IdlePolicy::Park)
        .grace(Duration::from_secs(600))
}

/// The first integer key that `home` puts on `shard`.
///
/// # Panics
/// If none of the first thousand is there.
pub fn key_on(shard: u16, home: impl Fn(u64) -> u16) -> u64 {
    (0..1000)
        .find(|key| home(*key) == shard)
        .expect("a thousand keys reach every shard")
}

/// Runs `body`, and fails the test if it takes longer than `limit`, instead of hanging.
///
/// # Panics
/// If it does, or if `body` panics.
pub fn in_time<T: Send + 'static>(limit: Duration, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    let running = thread::spawn(move || {
        let result = body();
        // Nobody listens any more once the limit has passed.
        let _ = done.send(());
        result
    });
    if is_done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        panic!("not done after {limit:?}: something hangs");
    }
    match running.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Runs a future on this thread, as any executor would.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
