//! The glommio driver: a shard as a task of a glommio `LocalExecutor`, for programs that run
//! glommio already. Not the default: see "What it costs".
//!
//! [`Shard::run_hosted`](crate::shard::Shard::run_hosted) is the task. Files are glommio's
//! `BufferedFile`, sockets are waited on by its `PollableFd`, the time of a park is its `Timer`.
//! The shard's mesh stays what it is, rings that the loop polls; of glommio's channels nothing is
//! used.
//!
//! # How the two loops go together
//!
//! glommio looks at its rings when no task can run, or when its preemption timer has fired. A
//! shard that were always ready to run would starve every socket of the executor, so it never
//! is: after each slice of its loop it waits for a timer of a moment (`YIELD`), which only
//! fires in a pass of the reactor. Parked, it waits for its bell, for a completion and for a
//! timer, whichever comes first.
//!
//! # What it costs
//!
//! - A turn of the executor is several system calls where the `uring` driver has one at most.
//!   Calls between shards that are awake don't feel it, but for the slices' ends; I/O does.
//! - A wake-up goes by glommio's queue of foreign wakes, an eventfd, and two rings, one of which
//!   watches the other.
//! - Bytes of files are copied, buffers of receives are cleared first, and each operation is a
//!   task with an allocation of its own.
//!
//! # Traps, and what is done about them
//!
//! - *It can park with runnable work* (glommio issue 53): when its preemption ring has an event
//!   just before it would run a task, and none after it. Whatever waits is then found by the next
//!   timer only, which may be lost in the same way. So a shard always has a whole row of timers
//!   armed, its heartbeat: the first is due in a millisecond (`BEAT_FIRST`), or in 16 when it
//!   has been asleep for long (`BEAT_LAST`). What is lost is time, never the wake.
//! - *Foreign wakes wait for the reactor*: at most a slice of the shard's own, but as long as the
//!   other tasks of the executor like. Those must yield, and an executor made by the program
//!   should have a `preempt_timer` of 10 ms instead of the usual 100.
//! - *A panic in a task of any queue but the first aborts the process.* The shard's passes catch
//!   panics of turns and of wakers, so none reaches the executor.
//! - *The wakers of a task are counted in 16 bits.* The bell keeps one.
//! - *A timer polled twice stays in the reactor twice.* Ours are polled once.
//! - *`DmaFile` finds out at its first open, by a read, whether a device can be polled, and is
//!   wrong about empty files*: reads fail from then on. It is not used, and files that are to be
//!   opened direct are refused; storage that wants direct I/O wants the `uring` driver.
//! - *Locked memory*: 512 KiB must be allowed, or no executor starts;
//!   [`DriverError::LockedMemory`](super::DriverError::LockedMemory) says so. The executors made
//!   [here](run) register 64 KiB instead of the usual 10 MiB.
//! - *The first park takes tens of milliseconds* in a process that has threads already, unless
//!   [`prepare`] was called before; `glommio::early_init` is the same.
//! - *Two listeners of glommio share a port without a word.* Ours don't.
//!
//! Whatever uses the driver must run inside the executor, its making and its operations too. Once
//! the task has been dropped with its executor, [`leave`](Exit::leave) keeps a shard that
//! is being closed from asking for more.

mod bell;
mod executor;
mod flight;
mod guard;
mod handles;
#[cfg(test)]
mod tests;
mod work;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::glommio::timer::Timer;

/// The very glommio that the driver uses.
pub use ::glommio as library;

pub use self::executor::{prepare, run};
pub use self::guard::nap;

use self::bell::TaskBell;
use self::flight::{Flight, Waits};
use self::guard::{Guards, armed};
use self::handles::{Handles, Open, Socket};
use super::random::SplitMix64;
use super::{
    Bell, Completion, Driver, DriverReport, Handle, Op, OpenOptions, Outcome, Token, check, system,
};
use crate::time::Time;

/// A timer that has run out when the reactor looks at it next, and not before.
const YIELD: Duration = Duration::from_nanos(500);

/// How long a shard goes without a look, at first: see "It can park with runnable work".
const BEAT_FIRST: Duration = Duration::from_millis(1);
/// Each beat of a park is twice as long as the one before, up to this, so that an idle shard
/// costs next to nothing.
const BEAT_LAST: Duration = Duration::from_millis(16);

/// What a [`GlommioDriver`] is made from.
#[derive(Clone, Copy, Debug)]
pub struct GlommioConfig {
    /// Of the shard's randomness.
    pub seed: u64,
    /// When the clock shows [`Time::ZERO`]: one for all shards of an engine.
    pub start: Instant,
}

/// See the [module](self).
pub struct GlommioDriver {
    flight: Rc<Flight>,
    handles: Rc<RefCell<Handles>>,
    inside: Rc<Cell<bool>>,
    bell: Arc<TaskBell>,
    /// What the reactor fires to end a yield.
    yielding: Option<Timer>,
    /// What it fires when the park's time has come, if that is before the next beat.
    deadline: Option<Timer>,
    parked: bool,
    guards: Guards,
    beat: Duration,
    /// When the first of the guards is due.
    next_beat: Time,
    start: Instant,
    random: SplitMix64,
}

/// Tells a driver that its executor is gone, from where that is found out.
#[derive(Clone, Debug)]
pub struct Exit(Rc<Cell<bool>>);

impl Exit {
    /// From now on the driver refuses every operation, and closes what it is told to on the spot.
    pub fn leave(&self) {
        self.0.set(false);
    }
}

impl GlommioDriver {
    /// A driver for a shard of the executor that runs this. Its randomness is `config`'s.
    #[must_use]
    pub fn new(config: GlommioConfig) -> Self {
        GlommioDriver {
            flight: Rc::default(),
            handles: Rc::default(),
            inside: Rc::new(Cell::new(true)),
            bell: Arc::default(),
            yielding: None,
            deadline: None,
            parked: false,
            guards: Guards::default(),
            beat: BEAT_FIRST,
            next_beat: Time::ZERO,
            start: config.start,
            random: SplitMix64::new(config.seed),
        }
    }

    /// The way to tell it that its executor is gone.
    #[must_use]
    pub fn exit(&self) -> Exit {
        Exit(self.inside.clone())
    }

    /// Begins `op`, or says why it can't be.
    fn begin(&mut self, token: Token, op: Op) -> io::Result<()> {
        let handles = self.handles.clone();
        match op {
            Op::Open { path, options } => {
                check::options(options)?;
                self.flight.start(token, Waits::No, async move {
                    open(&handles, &path, options).await
                });
            }
            Op::Read {
                file,
                buffer,
                offset,
            } => {
                check::spare(&buffer)?;
                let file = handles.borrow().file(file)?;
                let work = work::read(file, buffer, offset);
                self.flight.start(token, Waits::No, work);
            }
            Op::Write {
                file,
                buffer,
                offset,
            } => {
                let file = handles.borrow().file(file)?;
                let work = work::write(file, buffer, offset);
                self.flight.start(token, Waits::No, work);
            }
            Op::Fdatasync { file } => {
                let file = handles.borrow().file(file)?;
                self.flight.start(token, Waits::No, work::sync(file));
            }
            // One by one: whoever wants more submits it again.
            Op::Accept { listener: handle } | Op::AcceptMany { listener: handle } => {
                let listener = handles.borrow().socket(handle)?;
                self.flight.start(token, Waits::On(handle), async move {
                    let socket = work::accept(listener).await?;
                    Ok(opened(&handles, Open::Socket(Rc::new(socket))))
                });
            }
            Op::Connect { addr } => {
                self.flight.start(token, Waits::ForPeer, async move {
                    let socket = work::connect(addr).await?;
                    Ok(opened(&handles, Open::Socket(Rc::new(socket))))
                });
            }
            Op::Recv {
                socket: handle,
                buffer,
            } => {
                check::spare(&buffer)?;
                let socket = handles.borrow().socket(handle)?;
                let work = work::recv(socket, buffer);
                self.flight.start(token, Waits::On(handle), work);
            }
            Op::RecvMany { socket: handle } => {
                let socket = handles.borrow().socket(handle)?;
                self.flight
                    .start(token, Waits::On(handle), work::receive(socket));
            }
            Op::Send {
                socket: handle,
                buffer,
            } => {
                let socket = handles.borrow().socket(handle)?;
                let work = work::send(socket, buffer);
                self.flight.start(token, Waits::On(handle), work);
            }
            Op::SendMany {
                socket: handle,
                buffers,
            } => {
                let socket = handles.borrow().socket(handle)?;
                let work = work::send_many(socket, buffers);
                self.flight.start(token, Waits::On(handle), work);
            }
            Op::Close { handle } => self.close(token, handle)?,
            Op::WriteDurable {
                file,
                buffer,
                offset,
            } => {
                let file = handles.borrow().file(file)?;
                let work = work::write_durable(file, buffer, offset);
                self.flight.start(token, Waits::No, work);
            }
            Op::Allocate { file, offset, len } => {
                let file = handles.borrow().file(file)?;
                let work = work::allocate(file, offset, len);
                self.flight.start(token, Waits::No, work);
            }
            Op::Size { file } => {
                let file = handles.borrow().file(file)?;
                self.flight.start(token, Waits::No, work::size(file));
            }
            Op::Rename { from, to } => {
                self.aside(token, move || std::fs::rename(from, to), done);
            }
            Op::Remove { path } => self.aside(token, move || std::fs::remove_file(path), done),
            Op::MakeDir { path } => self.aside(token, move || system::make_dir(&path), done),
            Op::SyncDir { path } => self.aside(token, move || system::sync_dir(&path), done),
            Op::List { path } => {
                self.aside(token, move || system::list(&path), Outcome::Names);
            }
        }
        Ok(())
    }

    fn aside<T: Send + 'static>(
        &self,
        token: Token,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
        outcome: fn(T) -> Outcome,
    ) {
        self.flight.start(token, Waits::No, async move {
            work::aside(call).await.map(outcome)
        });
    }

    fn close(&mut self, token: Token, handle: Handle) -> io::Result<()> {
        let open = self.handles.borrow_mut().remove(handle)?;
        match open {
            Open::File(file) => self.flight.start(token, Waits::No, work::close_file(file)),
            Open::Socket(socket) => {
                self.flight.stop_on(handle);
                let left = Rc::downgrade(&socket);
                drop(socket);
                self.flight.start(token, Waits::No, gone(left));
            }
        }
        Ok(())
    }

    fn arm_guards(&mut self, now: Time, cx: &mut Context<'_>) {
        self.guards.arm(self.beat, cx);
        self.next_beat = now + self.beat;
    }

    fn has_news(&self, until: Option<Time>, now: Time) -> bool {
        self.bell.take() || self.flight.has_done() || until.is_some_and(|until| until <= now)
    }
}

impl Driver for GlommioDriver {
    fn now(&mut self) -> Time {
        let since = Instant::now().saturating_duration_since(self.start);
        Time::from_nanos(since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos()))
    }

    fn wall_time(&mut self) -> Duration {
        system::wall_time()
    }

    fn random(&mut self) -> u64 {
        self.random.next()
    }

    fn unique(&mut self) -> u64 {
        system::unique()
    }

    fn submit(&mut self, token: Token, op: Op) {
        let begun = match op {
            op if self.inside.get() => self.begin(token, op),
            Op::Close { handle } => self.handles.borrow_mut().remove(handle).map(drop),
            _ => Ok(()),
        };
        let refusal = match begun {
            Err(error) => error,
            Ok(()) if self.inside.get() => return,
            Ok(()) => io::Error::other("the executor of this shard is gone"),
        };
        self.flight.refuse(token, refusal);
    }

    fn cancel(&mut self, token: Token) {
        self.flight.stop(token);
    }

    fn in_flight(&self) -> usize {
        self.flight.open()
    }

    fn poll(&mut self, done: &mut Vec<Completion>) {
        self.flight.take(done);
    }

    /// Returns at once: blocking here would stop the executor, and with it what is waited for.
    /// [`poll_park`](Driver::poll_park) is the way.
    fn park(&mut self, until: Option<Time>) {
        let _ = until;
    }

    fn poll_park(&mut self, until: Option<Time>, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.now();
        self.deadline = None;
        self.bell.listen(cx.waker());
        if self.has_news(until, now) {
            self.flight.silence();
            self.parked = false;
            return Poll::Ready(());
        }
        self.flight.wake_when_done(cx.waker());
        self.beat = if std::mem::replace(&mut self.parked, true) {
            (self.beat * 2).min(BEAT_LAST)
        } else {
            BEAT_FIRST
        };
        self.arm_guards(now, cx);
        self.deadline = until
            .filter(|until| *until < self.next_beat)
            .map(|until| armed(until.since(now), cx));
        Poll::Pending
    }

    fn poll_yield(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielding.take().is_some() {
            return Poll::Ready(());
        }
        let now = self.now();
        if now >= self.next_beat {
            self.beat = BEAT_FIRST;
            self.arm_guards(now, cx);
        }
        self.yielding = Some(armed(YIELD, cx));
        Poll::Pending
    }

    fn bell(&self) -> Arc<dyn Bell> {
        self.bell.clone()
    }

    fn listen(&mut self, addr: SocketAddr, backlog: u32) -> io::Result<Handle> {
        let socket = work::listen(addr, backlog)?;
        let open = Open::Socket(Rc::new(socket));
        Ok(self.handles.borrow_mut().add(open))
    }

    fn local_addr(&mut self, handle: Handle) -> io::Result<SocketAddr> {
        let socket = self.handles.borrow().socket(handle)?;
        internet(socket.get_ref().local_addr()?)
    }

    fn peer_addr(&mut self, handle: Handle) -> io::Result<SocketAddr> {
        let socket = self.handles.borrow().socket(handle)?;
        internet(socket.get_ref().peer_addr()?)
    }

    fn report(&self) -> DriverReport {
        DriverReport {
            name: "glommio",
            on: vec!["hosted in an executor", "buffered files"],
            missing: vec![
                "a poll hook (glommio has none): I/O and wakes of other threads wait for the \
                 executor's turns"
                    .into(),
            ],
        }
    }
}

impl Drop for GlommioDriver {
    fn drop(&mut self) {
        self.bell.silence();
        self.flight.silence();
        self.flight.stop_all();
    }
}

async fn open(
    handles: &RefCell<Handles>,
    path: &std::path::Path,
    options: OpenOptions,
) -> io::Result<Outcome> {
    let file = work::open(path, options).await?;
    Ok(opened(handles, Open::File(Rc::new(file))))
}

fn done((): ()) -> Outcome {
    Outcome::Done
}

fn opened(handles: &RefCell<Handles>, open: Open) -> Outcome {
    Outcome::Opened(handles.borrow_mut().add(open))
}

/// Waits until those that were told to stop have let go of the socket, so that a port is free
/// when its listener is said to be closed. They are before us in the executor's queue.
async fn gone(socket: Weak<Socket>) -> io::Result<Outcome> {
    while socket.strong_count() > 0 {
        let mut waited = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
    Ok(Outcome::Done)
}

fn internet(addr: socket2::SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket()
        .ok_or_else(|| io::ErrorKind::Unsupported.into())
}
