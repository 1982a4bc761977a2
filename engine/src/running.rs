//! A running engine, and how it ends: calls are drained, actors put to sleep, shards closed.
//!
//! Runs on the user's thread and on shards' threads after their loops: the clock and the sleeps
//! here are never a shard's.
#![allow(clippy::disallowed_methods)]

#[cfg(feature = "glommio")]
use std::sync::mpsc::Receiver;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quark_shards::shard::Shard;
use quark_shards::stall::StallWatcher;

use crate::density::MemoryWatcher;
use crate::engine::{Engine, Stage};
use crate::errand::{ask_all, run_on};
use crate::runtime::{Closing, RUNTIME, try_with_runtime};
use crate::shutdown::Survey;
use crate::state::close_stores;

/// A running engine's shards, until it is shut down.
pub(crate) struct Running {
    /// Held while they are ended: who comes second waits for the first.
    shards: Mutex<Option<Shards>>,
    engine: Engine,
}

struct Shards {
    endings: Vec<Ending>,
    /// End when dropped.
    _watcher: Option<StallWatcher>,
    _memory: Option<MemoryWatcher>,
}

/// How the end of a shard is waited for.
pub(crate) enum Ending {
    /// It has a thread of its own.
    Thread(JoinHandle<()>),
    /// It runs in somebody else's thread, and lets go of the other end.
    #[cfg(feature = "glommio")]
    Hosted(Receiver<()>),
}

impl Running {
    pub(crate) fn new(
        engine: Engine,
        endings: Vec<Ending>,
        watcher: Option<StallWatcher>,
        memory: Option<MemoryWatcher>,
    ) -> Self {
        let shards = Shards {
            endings,
            _watcher: watcher,
            _memory: memory,
        };
        Running {
            shards: Mutex::new(Some(shards)),
            engine,
        }
    }

    /// Shuts the engine down, once; later callers wait for the first. On a shard, which must not
    /// wait, it is only begun: a thread of its own goes on with it.
    pub(crate) fn shut_down(self: &Arc<Self>) {
        self.engine.advance(Stage::Draining);
        if on_shard() {
            let running = self.clone();
            self.elsewhere(move || running.end());
        } else {
            self.end();
        }
    }

    fn end(&self) {
        let mut shards = lock(&self.shards);
        if let Some(shards) = shards.take() {
            shards.end(&self.engine);
        }
    }

    fn elsewhere(&self, end: impl FnOnce() + std::marker::Send + 'static) {
        let thread = thread::Builder::new().name("quark-end".into()).spawn(end);
        if let Err(error) = thread {
            tracing::error!(%error, "no thread for the shutdown: its engine stays, and takes no calls");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.engine.advance(Stage::Draining);
        let Some(shards) = lock(&self.shards).take() else {
            return;
        };
        // A hosted shard may be a task of this very thread.
        if on_shard() || shards.are_hosted() {
            let engine = self.engine.clone();
            self.elsewhere(move || shards.end(&engine));
        } else {
            shards.end(&self.engine);
        }
    }
}

impl Shards {
    fn end(self, engine: &Engine) {
        let grace = engine.settings().grace;
        leave_cluster(engine);
        leave(engine);
        drain(engine, Instant::now() + grace);
        end_stores(engine, grace);
        engine.advance(Stage::Stopped);
        for shard in 0..engine.shards() {
            run_on(engine, shard, |shard, _| shard.stop());
        }
        for ending in self.endings {
            ending.wait();
        }
        engine.advance(Stage::Ended);
        engine.clear_inboxes();
    }

    fn are_hosted(&self) -> bool {
        !matches!(self.endings.first(), None | Some(Ending::Thread(_)))
    }
}

impl Ending {
    /// Waits for a shard that was never set going; one in somebody else's thread may not have
    /// come there yet, and is not waited for.
    pub(crate) fn wait_for_thread(self) {
        match self {
            thread @ Ending::Thread(_) => thread.wait(),
            #[cfg(feature = "glommio")]
            Ending::Hosted(_) => {}
        }
    }

    fn wait(self) {
        match self {
            Ending::Thread(thread) => {
                if thread.join().is_err() {
                    tracing::error!("a shard's thread had ended by a panic");
                }
            }
            // Nothing is ever sent.
            #[cfg(feature = "glommio")]
            Ending::Hosted(ended) => drop(ended.recv()),
        }
    }
}

fn on_shard() -> bool {
    try_with_runtime(|here| here.is_some())
}

/// Waits until nothing is under way, then until every actor sleeps; no longer than `deadline`.
fn drain(engine: &Engine, deadline: Instant) {
    const LOOK_EVERY: Duration = Duration::from_millis(1);
    let mut before = None;
    while Instant::now() < deadline {
        let Some(survey) = survey(engine) else { return };
        if survey.is_quiet() && before == Some(survey) {
            break;
        }
        before = Some(survey);
        thread::sleep(LOOK_EVERY);
    }
    while Instant::now() < deadline {
        let closed = ask_all(engine, |shard, runtime| runtime.close_actors(shard));
        if closed.is_none_or(|closed| closed.into_iter().all(|closed| closed)) {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Has a node give its slots to the others of its cluster, and serve them until then.
fn leave_cluster(engine: &Engine) {
    const LOOK_EVERY: Duration = Duration::from_millis(2);
    let Some(cluster) = &engine.settings().remote.joins else {
        return;
    };
    run_on(engine, 0, |_, runtime| {
        if let Some(node) = runtime.remote().and_then(|remote| remote.node()) {
            node.leave();
        }
    });
    let deadline = Instant::now() + cluster.leave_within;
    while Instant::now() < deadline {
        let left = ask_all(engine, |_, runtime| {
            let node = runtime.remote().and_then(|remote| remote.node());
            node.is_none_or(|node| node.has_left())
        });
        if left.is_none_or(|left| left.into_iter().all(|left| left)) {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
    tracing::warn!(
        within = ?cluster.leave_within,
        "this node could not hand its slots over in time; the others take them when its lease is over"
    );
}

/// Has every shard take no more calls from other processes.
fn leave(engine: &Engine) {
    if engine.settings().remote.listen.is_none() {
        return;
    }
    // Answered when it is done: what comes after it is refused by those who would send it.
    let _ = ask_all(engine, |_, runtime| {
        if let Some(remote) = runtime.remote() {
            remote.leave();
        }
    });
}

fn survey(engine: &Engine) -> Option<Survey> {
    let surveys = ask_all(engine, |shard, runtime| runtime.survey(shard))?;
    Some(surveys.into_iter().fold(Survey::default(), Survey::and))
}

/// Has every shard close its stores, while its loop still runs; waits no longer than `grace`.
fn end_stores(engine: &Engine, grace: Duration) {
    if engine.settings().stores.is_empty() {
        return;
    }
    let (closed, closings) = mpsc::channel::<()>();
    for shard in 0..engine.shards() {
        let closed = closed.clone();
        run_on(engine, shard, move |shard, runtime| {
            let closing = close_stores(runtime.stores.take_all());
            shard.spawn(async move {
                closing.await;
                drop(closed);
            });
        });
    }
    drop(closed);
    // Nothing is ever sent: it ends when all have let go.
    if closings.recv_timeout(grace) == Err(RecvTimeoutError::Timeout) {
        tracing::error!("stores were not closed within the grace of {grace:?}");
    }
}

/// Ends a shard that runs no more: everyone who still waits is answered.
pub(crate) fn close(shard: &Shard) {
    shard.close_inbox();
    shard.enter(|shard| {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            runtime.set_closing(Closing::All);
            for types in runtime.types.iter() {
                types.refuse_all(shard, runtime);
            }
            if let Some(remote) = runtime.remote() {
                remote.refuse_waiting();
            }
        }
    });
    // Turns that never end must not keep the shard.
    shard.clear_tasks();
    // Nor must stores, which may hold it; their files are closed by the passes below.
    shard.enter(|shard| {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            runtime.stores.clear();
        }
    });
    // Messages that lie in the rings yet find every actor closed.
    for _ in 0..CLOSING_PASSES {
        if !shard.guarded_pass() {
            break;
        }
    }
    shard.clear_tasks();
    shard.enter(|shard| {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            runtime.types.iter().for_each(|types| types.drop_all());
            // What the messages among them hold may be what somebody outside waits for.
            runtime.clear_dead_letters();
        }
    });
    shard.clear();
}

/// Passes of a closing shard at most, in case somebody sends without end.
const CLOSING_PASSES: usize = 100_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
