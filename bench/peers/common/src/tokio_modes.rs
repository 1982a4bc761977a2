//! How peers that live on tokio are set up: a thread with a runtime of its own on each core, or one
//! pool for all cores.

use std::any::Any;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::cli::Mode;
use crate::pin::{CALLEE_CORE, CALLER_CORE, pin};

/// A thread with a current-thread runtime, pinned, for each core in use. It parks.
pub const CURRENT_THREAD: Mode = Mode {
    name: "current-thread",
    spins: false,
    places: true,
};

/// The multi-thread runtime, with a pinned worker for each core in use. It parks. Its workers hand
/// tasks to each other as they see fit, so that an actor "on the other core" often isn't.
pub const POOL: Mode = Mode {
    name: "pool",
    spins: false,
    places: false,
};

/// Nothing that a workload waits for takes as long: something was lost.
const PATIENCE: Duration = Duration::from_secs(300);

/// The cores that a workload runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// The caller's only.
    One,
    /// The caller's and the callee's.
    Two,
}

/// Where futures run, and the actors that they make.
pub trait Home: Clone + Send + Sync + 'static {
    /// Runs `future` there.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Runs `future` there and waits for it, from another home.
    fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        let (end, ended) = oneshot::channel();
        self.spawn(async move {
            // Whoever waits for it may have given up.
            let _ = end.send(future.await);
        });
        async { ended.await.expect("the future came to its end") }
    }

    /// Runs `future` there and waits for it, from a thread that may sleep.
    ///
    /// # Panics
    /// If it takes minutes: something was lost.
    fn drive<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (end, ended) = mpsc::channel();
        self.spawn(async move {
            // Whoever waits for it may have given up.
            let _ = end.send(future.await);
        });
        ended
            .recv_timeout(PATIENCE)
            .expect("the workload came to its end")
    }
}

impl Home for Handle {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(Handle::spawn(self, future));
    }
}

/// The homes of a workload, until it is dropped; to be dropped by the thread that made it.
pub struct Stage<H = Handle> {
    /// Where callers live.
    pub caller: H,
    /// Where callees live: with the caller if there is one core.
    pub callee: H,
    _life: Box<dyn Any>,
}

impl<H: Home> Stage<H> {
    /// Homes that live as long as `life`.
    pub fn new(caller: H, callee: H, life: impl Any) -> Self {
        Stage {
            caller,
            callee,
            _life: Box::new(life),
        }
    }
}

impl Stage {
    /// Sets tokio up as `mode` says: [`POOL`], or else as in [`CURRENT_THREAD`].
    #[must_use]
    pub fn tokio(mode: &Mode, cores: Cores) -> Self {
        match (*mode == POOL, cores) {
            (true, Cores::One) => Self::pool(1),
            (true, Cores::Two) => Self::pool(2),
            (false, Cores::One) => {
                let caller = Pinned::start(CALLER_CORE);
                Stage::new(caller.handle.clone(), caller.handle.clone(), caller)
            }
            (false, Cores::Two) => {
                let caller = Pinned::start(CALLER_CORE);
                let callee = Pinned::start(CALLEE_CORE);
                let (here, there) = (caller.handle.clone(), callee.handle.clone());
                Stage::new(here, there, (caller, callee))
            }
        }
    }

    fn pool(workers: usize) -> Self {
        let started = AtomicUsize::new(0);
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .on_thread_start(move || {
                // Helpers for blocking calls would come after the workers; nobody blocks here.
                let core = [CALLER_CORE, CALLEE_CORE][started.fetch_add(1, Ordering::Relaxed) % 2];
                pin(core);
            })
            .enable_all()
            .build()
            .expect("the system has threads");
        let handle = runtime.handle().clone();
        Stage::new(handle.clone(), handle, runtime)
    }
}

/// A current-thread runtime, with the drivers that the peer's build has of tokio: without `net`,
/// none for sockets, and the runtime needs no call of the system to look for other work.
///
/// # Panics
/// If the system has no room for it.
#[must_use]
pub fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the system has room for a runtime")
}

/// A thread on a core of its own with a runtime of its own.
struct Pinned {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pinned {
    fn start(core: usize) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            pin(core);
            let runtime = current_thread();
            begin
                .send(runtime.handle().clone())
                .expect("the starter waits");
            // Stopped by word or by the end of whoever could give it.
            let _ = runtime.block_on(stopped);
        });
        Pinned {
            handle: begun.recv().expect("the runtime starts"),
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been told of already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_run_futures_on_their_threads() {
        for mode in [CURRENT_THREAD, POOL] {
            for cores in [Cores::One, Cores::Two] {
                let stage = Stage::tokio(&mode, cores);
                let callee = stage.callee.clone();
                let thread = || std::thread::current().id();
                let (here, there) = stage
                    .caller
                    .drive(async move { (thread(), callee.run(async move { thread() }).await) });
                assert_ne!(here, thread());
                assert!(mode == POOL || (here == there) == (cores == Cores::One));
            }
        }
    }
}
