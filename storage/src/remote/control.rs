//! The one thread that runs tokio.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How long what still runs when the last handle is dropped may take to end.
const PARTING: Duration = Duration::from_secs(1);

/// A thread with a tokio runtime of its own, for libraries that need one. Clones are handles to the
/// same; when the last is dropped, the thread ends and is joined.
#[derive(Clone, Debug)]
pub struct Control(Arc<Thread>);

#[derive(Debug)]
struct Thread {
    handle: Handle,
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Control {
    /// Starts it, under the name `quark-control`.
    ///
    /// # Errors
    /// Where the system has no thread or no file descriptor to give.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            // Dropping the sender is as good as sending.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(PARTING);
        };
        let thread = thread::Builder::new()
            .name("quark-control".to_owned())
            .spawn(run)?;
        let stop = Mutex::new(Some((stop, thread)));
        Ok(Control(Arc::new(Thread { handle, stop })))
    }

    /// The one that all of the process share, started if it does not run.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn shared() -> io::Result<Self> {
        static SHARED: Mutex<Weak<Thread>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = shared.upgrade() {
            return Ok(Control(thread));
        }
        let fresh = Control::start()?;
        *shared = Arc::downgrade(&fresh.0);
        Ok(fresh)
    }

    /// Runs `task` there until it ends or the thread does.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.handle.spawn(task));
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let stop = self.stop.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some((stop, thread)) = stop.take() else {
            return;
        };
        drop(stop);
        // A task may have held the last handle: a thread can't join itself.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the control thread has panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_its_last_handle() {
        let control = Control::start().expect("a thread starts");
        let other = control.clone();
        let (tell, told) = std::sync::mpsc::channel();
        other.spawn(async move {
            let _ = tell.send(thread::current().name().map(str::to_owned));
            std::future::pending::<()>().await;
        });
        let name = told.recv().expect("the task runs");
        assert_eq!(name.as_deref(), Some("quark-control"));
        drop(control);
        drop(other);
        assert!(told.recv().is_err(), "what ran there is gone");
    }
}
