//! The shard and its loop.

mod after_io;
mod hosted;
mod idling;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::calls::Calls;
use crate::current::{self, Attachment, Extension};
use crate::driver::{Completion, Driver};
use crate::foreign;
use crate::idle::IdlePolicy;
use crate::inbox::{Inbox, Wake, WakeInbox};
use crate::io::{IoContext, Operations};
use crate::local_ring::{LocalMessage, LocalRing};
use crate::mesh::{Inbound, MeshEnd, MeshShared, Outbound, ShardHandle};
use crate::park::Sleeper;
use crate::pool::BufferPool;
use crate::sleep::Timers;
use crate::stall::Pulse;
use crate::task::{TaskId, Tasks};
use crate::time::Time;

use after_io::AfterIo;
use idling::Lull;

/// Something to be done on a shard, brought by any thread.
pub type Errand = Box<dyn FnOnce(&Shard) + Send>;

/// How a shard behaves.
#[derive(Clone, Copy, Debug)]
pub struct ShardConfig {
    /// What it does when idle.
    pub idle: IdlePolicy,
    /// How long ready turns may run before the loop looks around again.
    pub quota: Duration,
    /// Errands and foreign wakes that can wait.
    pub inbox: usize,
}

impl Default for ShardConfig {
    fn default() -> Self {
        ShardConfig {
            idle: IdlePolicy::default(),
            quota: Duration::from_micros(500),
            inbox: 1024,
        }
    }
}

/// Bytes of free I/O buffers kept in each size class.
const BUFFER_BYTES: usize = 1 << 20;
/// Messages taken from one ring in one pass.
const MESH_BATCH: usize = 64;
/// Local messages, and tasks, between two looks at the clock.
const TURN_BATCH: usize = 64;
/// Batches in one pass at most, whatever the clock says.
const MAX_BATCHES: usize = 1024;
/// Passes between two looks at the clock while little happens in them.
const CLOCK_PASSES: u32 = 16;
/// Times that tasks are dropped which others, in being dropped, have started.
const CLEAR_ROUNDS: usize = 16;

/// The way back to whoever has sent a message: see [`Shard::inbound`].
pub enum WayBack<'a> {
    /// To another shard.
    Shard(&'a Inbound),
    /// To a port, which may leave meanwhile.
    Port(Rc<Inbound>),
}

impl Deref for WayBack<'_> {
    type Target = Inbound;

    #[inline(always)]
    fn deref(&self) -> &Inbound {
        match self {
            WayBack::Shard(inbound) => inbound,
            WayBack::Port(inbound) => inbound,
        }
    }
}

/// One core's world. Never leaves its thread.
pub struct Shard {
    id: u16,
    uid: u32,
    config: ShardConfig,
    mesh: Arc<MeshShared>,
    out: Box<[Option<Outbound>]>,
    inward: Box<[Option<Inbound>]>,
    ports: RefCell<Vec<Option<Rc<Inbound>>>>,
    calls: Calls,
    tasks: Tasks,
    local: LocalRing<Shard>,
    timers: Timers,
    now: Cell<Time>,
    /// Whether that was in this pass.
    read_in_pass: Cell<bool>,
    clock_age: Cell<u32>,
    /// The tick of the last sweep over calls' deadlines.
    swept: Cell<u64>,
    driver: RefCell<Box<dyn Driver>>,
    simulated: bool,
    operations: Operations,
    buffers: BufferPool,
    pulse: Arc<Pulse>,
    completions: RefCell<Vec<Completion>>,
    sleeper: Arc<Sleeper>,
    inbox: Arc<Inbox<Errand>>,
    wakes: Arc<WakeInbox>,
    stopping: Cell<bool>,
    parked: Cell<bool>,
    after_io: AfterIo,
    extension: Extension,
}

impl Shard {
    /// Makes the shard whose ends of the mesh are `end`, on the thread where it will live.
    #[must_use]
    pub fn new(end: MeshEnd, config: ShardConfig, mut driver: Box<dyn Driver>) -> Rc<Self> {
        let uid = foreign::new_uid();
        let sleeper = end.shared.sleeper(end.shard).clone();
        let bell = driver.bell();
        let inbox = Arc::new(Inbox::new(config.inbox, sleeper.clone(), bell.clone()));
        let wakes = Arc::new(WakeInbox::new(config.inbox, sleeper.clone(), bell.clone()));
        let credits = end.shared.credits();
        let calls = Calls::new(
            usize::from(end.shared.shards()),
            credits.ask_slots,
            credits.reserve_slots,
        );
        foreign::register(
            uid,
            Arc::new(foreign::Ways {
                wakes: wakes.clone(),
                errands: inbox.clone(),
            }),
        );
        end.shared.publish_handle(
            end.shard,
            ShardHandle {
                uid,
                bell,
                inbox: inbox.clone(),
                chain: calls.chain().clone(),
            },
        );
        let now = driver.now();
        Rc::new(Shard {
            id: end.shard,
            uid,
            config,
            mesh: end.shared,
            out: end.out,
            inward: end.inward,
            ports: RefCell::default(),
            calls,
            tasks: Tasks::new(uid),
            local: LocalRing::new(),
            timers: Timers::default(),
            now: Cell::new(now),
            read_in_pass: Cell::new(false),
            clock_age: Cell::new(0),
            swept: Cell::new(0),
            simulated: driver.is_simulated(),
            driver: RefCell::new(driver),
            operations: Operations::new(),
            buffers: BufferPool::new(BUFFER_BYTES),
            pulse: Arc::default(),
            completions: RefCell::default(),
            sleeper,
            inbox,
            wakes,
            stopping: Cell::new(false),
            parked: Cell::new(false),
            after_io: AfterIo::default(),
            extension: Extension::default(),
        })
    }

    /// Runs the loop until [`stop`](Self::stop).
    pub fn run(&self) {
        self.run_while(|| !self.stopping.get());
    }

    /// Runs the loop for as long as `goes_on` says, which is asked before every pass.
    pub fn run_while(&self, goes_on: impl Fn() -> bool) {
        let mut lull = Lull::new(self.config.idle);
        while goes_on() {
            if self.guarded_pass() {
                lull.end(self.now());
            } else if self.wants_park(&mut lull) {
                self.park();
            }
        }
    }

    /// One turn of the loop; false if there was nothing to do.
    #[inline]
    pub fn pass(&self) -> bool {
        self.pulse.pass();
        // What ran last runs no more; turns don't take their labels back one by one.
        self.pulse.run(None);
        self.read_in_pass.set(false);
        current::enter(self, || {
            // The way of a message comes first: what it wakes runs, and what that sends leaves,
            // before anything else is looked at, which then happens while the peers work.
            let mut work = self.mesh_in();
            work += self.run_turns();
            self.mesh_out();
            work += self.take_errands();
            work += self.complete_io();
            work += self.wake_after_io();
            work += self.fire_timers(work);
            work != 0
        })
    }

    /// A pass that survives what panics in it outside any task: a waker, or a value that is
    /// dropped. What the pass had not come to, the next one does.
    pub fn guarded_pass(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.pass())).unwrap_or_else(|panic| {
            tracing::error!(shard = self.id, "a waker or a destructor panicked");
            // A payload may panic on its way out, too.
            std::mem::forget(panic);
            true
        })
    }

    /// Ends [`run`](Self::run) after the current pass.
    pub fn stop(&self) {
        self.stopping.set(true);
    }

    /// Its number in its engine.
    #[must_use]
    #[inline]
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Its number among all shards this process ever had.
    #[must_use]
    #[inline]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// What it shares with the other shards.
    #[must_use]
    #[inline]
    pub fn mesh(&self) -> &Arc<MeshShared> {
        &self.mesh
    }

    /// The way to another shard; `None` to itself and to shards that don't exist.
    #[must_use]
    #[inline]
    pub fn outbound(&self, shard: u16) -> Option<&Outbound> {
        self.out.get(usize::from(shard))?.as_ref()
    }

    /// The way back to the shard or port `peer`, if it is still there.
    #[must_use]
    #[inline(always)]
    pub fn inbound(&self, peer: u16) -> Option<WayBack<'_>> {
        match self.inward.get(usize::from(peer)) {
            Some(inward) => inward.as_ref().map(WayBack::Shard),
            None => self.port_inbound(peer).map(WayBack::Port),
        }
    }

    #[cold]
    #[inline(never)]
    fn port_inbound(&self, peer: u16) -> Option<Rc<Inbound>> {
        let port = usize::from(peer) - self.inward.len();
        self.ports.borrow().get(port)?.clone()
    }

    /// Its calls in flight.
    #[must_use]
    #[inline]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Its tasks.
    #[must_use]
    #[inline]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Its timers.
    #[must_use]
    #[inline]
    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Its recycled I/O buffers.
    #[must_use]
    pub fn buffers(&self) -> &BufferPool {
        &self.buffers
    }

    /// Its signs of life, for the watch over stalls.
    #[must_use]
    #[inline]
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// Starts a local task.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) -> TaskId {
        self.tasks.spawn(future)
    }

    /// Queues a message to itself, behind all queued before.
    #[inline(always)]
    pub fn defer<M: LocalMessage<Shard>>(&self, message: M) {
        self.local.push(message);
    }

    /// The clock as last read: good to a pass. For deadlines.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Time {
        self.now.get()
    }

    /// Reads the clock. For sleeps, which must not end early.
    pub fn read_clock(&self) -> Time {
        let now = self.driver.borrow_mut().now();
        self.now.set(now);
        self.read_in_pass.set(true);
        now
    }

    /// The clock as read in this very pass: for what must not be done too late, should the shard have
    /// stood still between two of them.
    #[must_use]
    #[inline]
    pub fn clock_of_pass(&self) -> Time {
        if self.read_in_pass.get() {
            self.now.get()
        } else {
            self.read_clock()
        }
    }

    /// A word of the shard's seeded randomness.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.driver.borrow_mut().random()
    }

    /// The time of day, since 1970-01-01 00:00 UTC: see [`Driver::wall_time`].
    #[must_use]
    pub fn wall_time(&self) -> Duration {
        self.driver.borrow_mut().wall_time()
    }

    /// A word for names that outlive the process: see [`Driver::unique`].
    #[must_use]
    pub fn unique(&self) -> u64 {
        self.driver.borrow_mut().unique()
    }

    /// Attaches the state of the layer above, once.
    ///
    /// # Panics
    /// If something is attached already.
    pub fn attach<T>(&self, key: &'static Attachment<T>, value: T) {
        self.extension.attach(key, value);
    }

    /// What the layer above has attached by `key`.
    #[must_use]
    #[inline(always)]
    pub fn attached<T>(&self, key: &'static Attachment<T>) -> Option<&T> {
        self.extension.get(key)
    }

    /// Takes no more errands and foreign wakes: those that come are dropped by whoever brings
    /// them.
    pub fn close_inbox(&self) {
        self.inbox.close();
    }

    /// Drops every task, with this shard as the current one.
    pub fn clear_tasks(&self) {
        current::enter(self, || self.tasks.clear());
    }

    /// Ends all tasks and drops what was attached, with this shard as the current one: their
    /// last words (replies, wakes) still find it.
    pub fn clear(&self) {
        current::enter(self, || {
            for _ in 0..CLEAR_ROUNDS {
                self.tasks.clear();
                // Those that lie here now: some may queue others without end.
                for _ in 0..self.local.len() {
                    self.local.deliver_next(self);
                }
                if self.tasks.live() == 0 && self.local.is_empty() {
                    break;
                }
            }
            if self.tasks.live() == 0 {
                self.extension.clear();
            } else {
                // Tasks that come back whenever they are dropped may refer to it.
                self.extension.forget();
            }
            self.mesh_out();
        });
    }

    /// Runs `f` with this shard as the current one, outside the loop.
    pub fn enter<R>(&self, f: impl FnOnce(&Shard) -> R) -> R {
        current::enter(self, || f(self))
    }

    pub(crate) fn add_port(&self, port: u16, inward: Inbound) {
        let mut ports = self.ports.borrow_mut();
        let index = usize::from(port) - self.inward.len();
        if ports.len() <= index {
            ports.resize_with(index + 1, || None);
        }
        ports[index] = Some(Rc::new(inward));
    }

    pub(crate) fn remove_port(&self, port: u16) {
        let index = usize::from(port) - self.inward.len();
        let left = self.ports.borrow().get(index).cloned().flatten();
        // What was sent before the port left arrives yet; its thread sends no more.
        while left
            .as_ref()
            .is_some_and(|port| port.take_requests(MESH_BATCH, self) != 0)
        {}
        if let Some(place) = self.ports.borrow_mut().get_mut(index) {
            *place = None;
        }
    }

    #[inline]
    fn mesh_in(&self) -> usize {
        let mut taken = 0;
        for (peer, (out, inward)) in self.out.iter().zip(&self.inward).enumerate() {
            let (Some(out), Some(inward)) = (out, inward) else {
                continue;
            };
            if out.has_replies()
                || inward.has_requests()
                || self.calls.has_waiters(peer as u16) && out.tells().has_news()
            {
                taken += self.take_from(peer as u16, out, inward);
            }
        }
        if !self.ports.borrow().is_empty() {
            taken += self.take_from_ports();
        }
        taken
    }

    #[inline]
    fn take_from(&self, peer: u16, out: &Outbound, inward: &Inbound) -> usize {
        // In this order: news are on a line that the peer writes to, and who need not hear of
        // them should not fetch it.
        if self.calls.has_waiters(peer) && out.tells().has_news() {
            self.calls.wake_waiters(peer);
        }
        if !out.has_replies() && !inward.has_requests() {
            return 0;
        }
        let budget = self.mesh_budget(peer);
        out.take_replies(budget, &self.calls) + inward.take_requests(budget, self)
    }

    fn take_from_ports(&self) -> usize {
        let mut taken = 0;
        let mut index = 0;
        loop {
            let port = match self.ports.borrow().get(index) {
                Some(port) => port.clone(),
                None => return taken,
            };
            if let Some(port) = port.filter(|port| port.has_requests()) {
                taken += port.take_requests(MESH_BATCH, self);
            }
            index += 1;
        }
    }

    #[inline]
    fn mesh_budget(&self, peer: u16) -> usize {
        if !self.simulated {
            return MESH_BATCH;
        }
        self.driver.borrow_mut().mesh_budget(peer).min(MESH_BATCH)
    }

    /// Publishes what was sent, once for each ring, then wakes those who sleep.
    #[inline]
    fn mesh_out(&self) {
        let mut published = false;
        for out in self.out.iter().flatten() {
            published |= out.publish();
        }
        for inward in self.inward.iter().flatten() {
            published |= inward.publish();
        }
        published &= self.mesh.may_sleep();
        for port in self.ports.borrow().iter().flatten() {
            published |= port.publish() && port.bell().may_sleep();
        }
        if published {
            self.ring_sleepers();
        }
    }

    fn ring_sleepers(&self) {
        Sleeper::fence();
        for out in self.out.iter().flatten() {
            out.bell().ring_if_asleep();
        }
        for port in self.ports.borrow().iter().flatten() {
            port.bell().ring_if_asleep();
        }
    }

    #[inline]
    fn take_errands(&self) -> usize {
        let mut taken = 0;
        if !self.wakes.is_empty() {
            self.wakes.drain(|wake| {
                taken += 1;
                match wake {
                    Wake::One(word) => self.tasks.wake_word(word),
                    Wake::All => self.tasks.wake_all(),
                }
            });
        }
        // Taking from an empty queue costs a full fence; looking does not.
        while taken < TURN_BATCH && !self.inbox.is_empty() {
            let Some(errand) = self.inbox.pop() else {
                break;
            };
            errand(self);
            taken += 1;
        }
        taken
    }

    #[inline]
    fn complete_io(&self) -> usize {
        let mut driver = self.driver.borrow_mut();
        self.operations.sweep(&mut **driver);
        if driver.in_flight() == 0 {
            return 0;
        }
        let mut completions = self.completions.take();
        driver.poll(&mut completions);
        drop(driver);
        let count = completions.len();
        for completion in completions.drain(..) {
            // One waker's panic must not lose the other completions.
            let complete = AssertUnwindSafe(|| self.operations.complete(completion));
            if let Err(panic) = catch_unwind(complete) {
                tracing::error!(shard = self.id, "a waker panicked");
                std::mem::forget(panic);
            }
        }
        self.completions.replace(completions);
        count
    }

    #[inline]
    fn fire_timers(&self, work: usize) -> usize {
        let age = self.clock_age.get() + 1 + work as u32;
        self.clock_age.set(age);
        if age < CLOCK_PASSES {
            return 0;
        }
        // Only here: whoever else reads the clock must not put off the timers by it.
        self.clock_age.set(0);
        let now = self.read_clock();
        let mut fired = self.timers.fire(now);
        // The sweep looks at deadlines in ticks of a millisecond.
        let tick = now.as_nanos() >> 20;
        if self.swept.replace(tick) != tick {
            fired += self.calls.sweep(now);
        }
        fired
    }

    #[inline]
    fn run_turns(&self) -> usize {
        let mut ran = self.run_batch();
        if ran >= TURN_BATCH {
            self.clock_age.set(CLOCK_PASSES);
        }
        // The quota is for a shard alone with its work: what others send is looked at first, so
        // that no turn that calls itself, or yields, holds them up.
        if ran >= TURN_BATCH && !self.has_arrivals(|_| true) {
            let until = self.read_clock() + self.config.quota;
            // Counted too: a simulated clock may stand still.
            for _ in 0..MAX_BATCHES {
                let batch = self.run_batch();
                ran += batch;
                if batch < TURN_BATCH || self.has_arrivals(|_| true) || self.read_clock() >= until {
                    break;
                }
                // Peers should not wait for our quota to hear what we have sent.
                self.mesh_out();
            }
        }
        ran
    }

    #[inline]
    fn run_batch(&self) -> usize {
        let mut ran = 0;
        while ran < TURN_BATCH && self.local.deliver_next(self) {
            ran += 1;
        }
        ran + self.tasks.run_ready(TURN_BATCH)
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        foreign::unregister(self.uid);
        self.inbox.close();
        self.clear();
    }
}

impl IoContext for Shard {
    fn with_driver(&self, f: &mut dyn FnMut(&mut dyn Driver)) {
        f(&mut **self.driver.borrow_mut());
    }

    fn operations(&self) -> &Operations {
        &self.operations
    }
}
