//! The engine in a simulated world, and the scheduler that drives it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use quark_shards::driver::Driver;
use quark_shards::driver::sim::SimWorld;
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::mesh;
use quark_shards::shard::{Shard, ShardConfig};
use quark_shards::time::Time;

use super::disks::SimDisks;
use super::faults::{Faults, SimCounts};
use super::hooks::{Hooks, Observer};
use super::log::Log;
use super::options::SimOptions;
use super::recorder::Recorder;
use super::seeds::{fail, message_of};
use crate::builder::EngineBuilder;
use crate::contract::{Addressed, RefOf};
use crate::dead_letter::{DeadLetter, DeadLetters};
use crate::density::{self, Collected};
use crate::engine::{Engine, Stage};
use crate::error::RegisterError;
use crate::key::Key;
use crate::limits::breaker::BreakerInfo;
use crate::neighbourhood::Neighbourhoods;
use crate::observe;
use crate::registry::ActorInfo;
use crate::report::LaunchReport;
use crate::running::close;
use crate::runtime::{RUNTIME, Runtime};
use crate::shutdown::Survey;
use crate::supervision::{Tree, leaves};

/// An engine in a simulated world; see the [module](crate::testing). Made by
/// [`EngineBuilder::simulate`].
///
/// Nothing happens in it by itself: the methods that take time ([`block_on`](Self::block_on),
/// [`run_for`](Self::run_for), [`run_until_idle`](Self::run_until_idle)) drive it. All of them
/// panic, with the seed, when the engine breaks one of its own rules on the way.
pub struct Sim {
    seed: u64,
    pub(super) world: SimWorld,
    pub(super) engine: Engine,
    pub(super) shards: Vec<Rc<Shard>>,
    pub(super) faults: Rc<Faults>,
    pub(super) options: SimOptions,
    tasks: Rc<Tasks>,
    pub(super) is_open: Cell<bool>,
    pub(super) passes_frozen: Cell<u64>,
}

/// The tasks that a test has started on shards.
#[derive(Default)]
pub(super) struct Tasks {
    live: Cell<usize>,
    polls: Cell<u64>,
    failed: RefCell<Option<String>>,
}

impl Sim {
    pub(crate) fn new(
        builder: EngineBuilder,
        seed: u64,
        options: SimOptions,
    ) -> Result<Self, RegisterError> {
        let world = SimWorld::new(seed, options.world.clone());
        Sim::on(builder, SimDisks { seed, world }, options)
    }

    pub(crate) fn on(
        builder: EngineBuilder,
        disks: SimDisks,
        options: SimOptions,
    ) -> Result<Self, RegisterError> {
        if let Some(refused) = builder.refused {
            return Err(refused);
        }
        let mut settings = builder.settings;
        settings.idle = IdlePolicy::Park;
        settings.simulated = true;
        settings.neighbourhoods = match options.topology.clone() {
            Some(topology) => {
                let topology = topology.shards(usize::from(options.shards.max(1)));
                let placement = topology
                    .place()
                    .map_err(|error| RegisterError::Topology(error.to_string()))?;
                Neighbourhoods::of(&topology, &placement.shards)
            }
            None => Neighbourhoods::flat(options.shards.max(1)),
        };
        let config = ShardConfig {
            idle: IdlePolicy::Park,
            quota: builder.quota,
            ..ShardConfig::default()
        };
        let SimDisks { seed, world } = disks;
        let faults = Rc::new(Faults::new(world.clone(), &options));
        let ends = mesh(options.shards.max(1), builder.credits, true);
        let engine = Engine::new(settings, ends[0].shared().clone(), builder.registry);
        let mut report = LaunchReport {
            idle: IdlePolicy::Park,
            idle_because: "simulated".to_owned(),
            ..LaunchReport::default()
        };
        let mut shards = Vec::new();
        for (end, number) in ends.into_iter().zip(0..) {
            let driver = world.driver(number);
            report.driver = driver.report();
            let shard = Shard::new(end, config, Box::new(driver));
            let runtime = Runtime::new(
                engine.clone(),
                Hooks::new(faults.clone()),
                shard.pulse().clone(),
            );
            shard.attach(&RUNTIME, runtime);
            shards.push(shard);
        }
        let sim = Sim {
            seed,
            world,
            engine,
            shards,
            faults,
            options,
            tasks: Rc::default(),
            is_open: Cell::new(true),
            passes_frozen: Cell::new(0),
        };
        report.stores = sim.open_stores()?;
        sim.engine.set_report(report);
        Ok(sim)
    }

    /// The seed of this run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The engine. What would block this thread is refused, for this thread is to run the
    /// shards: [`Call::wait`](crate::Call::wait) answers
    /// [`WouldBlock`](crate::CallError::WouldBlock), and what an engine tells of itself by
    /// asking its shards, the simulation tells by methods of the same names.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A reference to the actor `key` of type `A`.
    #[must_use]
    pub fn actor<A: Addressed + ?Sized>(&self, key: impl Into<Key>) -> RefOf<A> {
        self.engine.actor::<A>(key)
    }

    /// The virtual time; it begins at [`Time::ZERO`].
    #[must_use]
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// A hash of everything that has happened, in order: equal in two runs by one seed.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.world.trace()
    }

    /// A word of the world's own seeded randomness, for the test's own choices.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.world.random()
    }

    /// Something to fold a test's own events into the trace by.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        Recorder::new(self.world.clone())
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> SimCounts {
        SimCounts {
            delays: self.world.delays(),
            ..self.faults.counts()
        }
    }

    /// How many actors are in memory.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ask_all(observe::count).into_iter().sum()
    }

    /// How many actors have left memory so far because they were idle, and to make room.
    #[must_use]
    pub fn collected(&self) -> Collected {
        let each = self.ask_all(observe::collected).into_iter();
        each.fold(Collected::default(), std::ops::Add::add)
    }

    /// Has the engine find that its process has `bytes` of memory resident, as a real one does
    /// every 100 ms where it has a [limit](crate::EngineBuilder::memory_limit).
    pub fn set_resident_memory(&self, bytes: u64) {
        let limit = self.engine.settings().memory_limit;
        if let Some(share) = density::share(bytes, limit) {
            self.ask_all(|shard, runtime| runtime.density.press(shard, share));
            self.ring_all();
        }
    }

    /// The actors in memory, 10,000 of each shard at most.
    #[must_use]
    pub fn list(&self) -> Vec<ActorInfo> {
        self.ask_all(observe::list).into_iter().flatten().collect()
    }

    /// Parents and children, awake and asleep; see [`Engine::tree`].
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::of(self.ask_all(leaves).into_iter().flatten())
    }

    /// How many actors the engine has given up.
    #[must_use]
    pub fn escalations(&self) -> u64 {
        self.ask_all(observe::escalations).into_iter().sum()
    }

    /// One-way messages that could not be delivered; see [`Engine::dead_letters`].
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        let mut all = DeadLetters::default();
        for letters in self.ask_all(observe::dead_letters) {
            all.add(letters);
        }
        all
    }

    /// The circuit breakers of the types that have one; see [`Engine::breakers`].
    #[must_use]
    pub fn breakers(&self) -> Vec<BreakerInfo> {
        self.ask_all(observe::breakers)
            .into_iter()
            .flatten()
            .collect()
    }

    /// Sends dead letters again; see [`Engine::replay_dead_letters`].
    pub fn replay_dead_letters(&self, chosen: impl Fn(&DeadLetter) -> bool) -> usize {
        let replayed = self.ask_all(|_, runtime| runtime.replay_dead_letters(&chosen));
        for shard in &self.shards {
            self.ring(shard);
        }
        replayed.into_iter().sum()
    }

    /// Lets go of the dead letters that are kept; see [`Engine::clear_dead_letters`].
    pub fn clear_dead_letters(&self) -> usize {
        self.ask_all(|_, runtime| runtime.clear_dead_letters())
            .into_iter()
            .sum()
    }

    /// Runs the world until `future` is ready. Its calls come from outside all shards, through
    /// their inboxes; it may not [`sleep`](crate::sleep), for it has no shard.
    ///
    /// # Panics
    /// With the seed: when nothing can happen any more and the future still waits, or when it
    /// has waited for longer than [`SimOptions::patience`].
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        let until = self.now() + self.options.patience;
        loop {
            let woken = flag.0.swap(false, Ordering::Relaxed);
            if woken && let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            // A future that wakes itself waits for time to pass.
            let goes_on = self.step(None) || flag.0.load(Ordering::Relaxed);
            if !goes_on {
                self.fail_stuck("a future waits and nothing can ever happen again");
            }
            if self.now() > until {
                self.fail_stuck("a future has waited for longer than the simulation's patience");
            }
        }
    }

    /// Starts a task on a shard: its calls come from there. It may [`sleep`](crate::sleep).
    ///
    /// # Panics
    /// If there is no such shard. A panic of the task itself ends the run, with the seed.
    pub fn spawn_on(&self, shard: u16, future: impl Future<Output = ()> + 'static) {
        let shard = &self.shards[usize::from(shard)];
        let task = Tasks::watched(&self.tasks, future);
        shard.enter(|shard| shard.spawn(task));
        self.ring(shard);
    }

    pub(super) fn ring_all(&self) {
        self.shards.iter().for_each(|shard| self.ring(shard));
    }

    /// Has a shard look for what was brought to it.
    fn ring(&self, shard: &Shard) {
        if let Some(handle) = self.engine.mesh().handle(shard.id()) {
            handle.bell.ring();
        }
    }

    /// Tasks started by [`spawn_on`](Self::spawn_on) that have not ended.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks.live.get()
    }

    /// Runs the world for `duration` of its time.
    pub fn run_for(&self, duration: Duration) {
        let until = self.now() + duration;
        while self.now() < until && self.step(Some(until)) {}
        self.world.advance_to(until);
    }

    /// Runs the world until no task of the test, no call, no turn and no message is under way.
    /// Timers still to come, idle times among them, don't count.
    ///
    /// # Panics
    /// With the seed: when nothing can happen any more though something is under way, or when
    /// [`SimOptions::patience`] runs out.
    pub fn run_until_idle(&self) {
        let until = self.now() + self.options.patience;
        while !self.is_idle() {
            if !self.step(None) {
                self.fail_stuck("something is under way and nothing can ever happen again");
            }
            if self.now() > until {
                self.fail_stuck("the world does not come to rest");
            }
        }
        self.check_credit();
    }

    /// Where nothing is under way, nothing holds credit.
    fn check_credit(&self) {
        for shard in &self.shards {
            let lanes = (0..self.engine.shards()).filter_map(|peer| shard.outbound(peer));
            let told: u64 = lanes.map(|lane| lane.tells().outstanding()).sum();
            let asked = shard.calls().credit_taken();
            if asked != 0 || told != 0 {
                self.fail(&format!(
                    "shard {}: credit for {asked} slots of asks and {told} of one-way messages \
                     was never given back",
                    shard.id()
                ));
            }
        }
    }

    /// Shuts the engine down as [`Engine::shutdown`] does, in virtual time: no calls from
    /// outside any more, what is under way finishes, actors are put to sleep, shards end; what
    /// has not finished after the grace is dropped, and its callers are answered.
    pub fn shutdown(self) {
        self.engine.advance(Stage::Draining);
        self.wind_down();
        self.end();
    }

    pub(super) fn wind_down(&self) {
        let grace = self.engine.settings().grace;
        self.drain(self.now() + grace);
        self.close_stores(grace);
    }

    fn drain(&self, deadline: Time) {
        const LOOK_EVERY: Duration = Duration::from_millis(1);
        let mut before = None;
        while self.now() < deadline {
            let survey = self.survey();
            if survey.is_quiet() && before == Some(survey) {
                break;
            }
            before = Some(survey);
            self.run_for(LOOK_EVERY);
        }
        while self.now() < deadline {
            let closed = self.ask_all(|shard, runtime| runtime.close_actors(shard));
            if closed.into_iter().all(|closed| closed) {
                return;
            }
            // Hooks have begun, and may have armed timers that a parked shard doesn't know of.
            self.ring_all();
            self.run_for(LOOK_EVERY);
        }
    }

    /// Ends the shards, in an order that the seed draws.
    fn end(&self) {
        if !self.is_open.replace(false) {
            return;
        }
        self.engine.advance(Stage::Stopped);
        self.world.calm();
        let mut left: Vec<_> = self.shards.iter().collect();
        while !left.is_empty() {
            let next = self.world.random() % left.len() as u64;
            close(left.remove(next as usize));
        }
        self.check();
        let doubles = self.engine.doubles();
        if let Some(wrong) = doubles.complaint().or_else(|| self.faults.points.missed()) {
            self.fail(&wrong);
        }
    }

    fn survey(&self) -> Survey {
        let surveys = self.ask_all(|shard, runtime| runtime.survey(shard));
        surveys.into_iter().fold(Survey::default(), Survey::and)
    }

    pub(super) fn ask_all<R>(&self, mut question: impl FnMut(&Shard, &Runtime) -> R) -> Vec<R> {
        let ask = |shard: &Rc<Shard>| {
            shard.enter(|shard| Some(question(shard, shard.attached(&RUNTIME)?)))
        };
        self.shards.iter().filter_map(ask).collect()
    }

    pub(super) fn is_runnable(&self) -> bool {
        (0..self.engine.shards()).any(|shard| self.world.is_runnable(shard))
    }

    pub(super) fn polls_of_tasks(&self) -> u64 {
        self.tasks.polls.get()
    }

    pub(super) fn log(&self) -> Option<&Log> {
        self.faults.log()
    }

    fn is_idle(&self) -> bool {
        !self.is_runnable()
            && !self.world.is_busy()
            && self.tasks() == 0
            && self.survey().is_quiet()
    }

    /// Lets a shard run, or else time pass, to `until` at most; false if nothing is left that
    /// could happen by then.
    pub(super) fn step(&self, until: Option<Time>) -> bool {
        self.count_frozen();
        let Some(shard) = self.world.pick() else {
            if self.world.is_frozen() {
                return false;
            }
            let next = self.world.next_event();
            let Some(next) = next.filter(|next| until.is_none_or(|until| *next <= until)) else {
                return false;
            };
            self.world.advance_to(next);
            return true;
        };
        let shard = &self.shards[usize::from(shard)];
        self.faults.count(|counts| counts.passes += 1);
        let pass = catch_unwind(AssertUnwindSafe(|| {
            // Only a bell, a timer or an event has ended its park; `pick` saw to that.
            if shard.is_parked() {
                shard.unpark();
            }
            if !pass(shard) {
                shard.park();
            }
        }));
        if let Err(panic) = pass {
            self.fail(&message_of(&*panic));
        }
        self.world.stall(self.draw_pass());
        self.check();
        true
    }

    fn draw_pass(&self) -> Duration {
        let (least, most) = (*self.options.pass.start(), *self.options.pass.end());
        let span = most.saturating_sub(least).as_nanos() as u64 + 1;
        least + Duration::from_nanos(self.world.random() % span)
    }

    fn check(&self) {
        let doubles = self.engine.doubles();
        if let Some(broken) = self.faults.broken().or_else(|| doubles.unexpected()) {
            self.fail(&broken);
        }
        if let Some(failed) = self.tasks.take_failed() {
            self.fail(&failed);
        }
    }

    pub(super) fn fail_stuck(&self, why: &str) -> ! {
        let mut busy = vec![format!("a deadlock: {why}; {} tasks live", self.tasks())];
        self.ask_all(|shard, runtime| {
            busy.push(format!(
                "shard {}: {} calls wait",
                shard.id(),
                shard.calls().open_count()
            ));
            for types in runtime.types.iter() {
                types.busy(&mut busy);
            }
        });
        if self.world.is_frozen() {
            busy.push("time stands still: what waits for it belongs outside .frozen(…)".to_owned());
        }
        self.fail(&busy.join("\n"))
    }

    fn fail(&self, why: &str) -> ! {
        fail(self.seed, why)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What broke a rule may be in no state to be ended. The test has failed: let it be.
            std::mem::forget(std::mem::take(&mut self.shards));
            return;
        }
        self.end();
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl Tasks {
    /// A task that is counted while it lives, and told of if it panics.
    pub(super) fn watched(
        tasks: &Rc<Self>,
        future: impl Future<Output = ()> + 'static,
    ) -> impl Future<Output = ()> + 'static {
        tasks.live.set(tasks.live.get() + 1);
        Watched {
            future: Box::pin(future),
            tasks: tasks.clone(),
        }
    }

    pub(super) fn take_failed(&self) -> Option<String> {
        self.failed.borrow_mut().take()
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A task of the test's: counted while it lives, and told of if it panics.
struct Watched<F> {
    future: Pin<Box<F>>,
    tasks: Rc<Tasks>,
}

impl<F: Future<Output = ()>> Future for Watched<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.tasks.polls.set(self.tasks.polls.get() + 1);
        let future = self.future.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(polled) => polled,
            Err(panic) => {
                let mut failed = self.tasks.failed.borrow_mut();
                failed.get_or_insert_with(|| message_of(&*panic));
                Poll::Ready(())
            }
        }
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        self.tasks.live.set(self.tasks.live.get() - 1);
    }
}

/// A function of its own, so that instructions can be counted which are the shard's and not the
/// simulator's.
#[inline(never)]
pub(super) fn pass(shard: &Shard) -> bool {
    shard.pass()
}
