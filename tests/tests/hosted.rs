//! Shards on executors of the program's own, beside its other tasks.
#![allow(missing_docs)]

use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use quark::hosted::HostedShard;
use quark::hosted::glommio::timer::sleep;
use quark::hosted::glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement, spawn_local};
use quark::{
    ActorOptions, DriverKind, EngineBuilder, IdlePolicy, LaunchError, StateError, prelude::*,
};
use quark_tests::{block_on, in_time, key_on, small};

const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Adder {
    sum: u64,
    waited_for: Cell<bool>,
}

#[actor]
impl Adder {
    pub fn add(&mut self, number: u64) -> u64 {
        self.sum += number;
        self.sum
    }

    pub async fn add_to(&self, cx: &Cx<Self>, other: u64, number: u64) -> Result<u64, CallError> {
        cx.actor::<Adder>(other).add(number).await
    }

    pub fn panics(&mut self) {
        panic!("as asked");
    }

    pub fn is_waited_for(&self) -> bool {
        self.waited_for.get()
    }

    pub async fn never(&self) {
        self.waited_for.set(true);
        std::future::pending::<()>().await;
    }
}

fn executor() -> LocalExecutorBuilder {
    LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(64 << 10)
        .preempt_timer(Duration::from_millis(1))
}

fn run(shard: HostedShard) -> ExecutorJoinHandle<()> {
    executor().spawn(|| shard.run()).expect("an executor")
}

/// An engine whose shards run on executors made here.
fn hosted(builder: EngineBuilder) -> (Engine, Vec<ExecutorJoinHandle<()>>) {
    let (hosting, shards) = builder.host().expect("a plan");
    let executors = shards.into_iter().map(run).collect();
    (hosting.launch().expect("all are up"), executors)
}

#[test]
fn actors_call_each_other_from_executor_to_executor() {
    for idle in [IdlePolicy::Park, IdlePolicy::ADAPTIVE, IdlePolicy::Spin] {
        in_time(LONG, move || {
            let (engine, executors) = hosted(small().idle(idle));
            assert_eq!(engine.report().driver.name, "glommio");
            let [near, far] = [0, 1].map(|shard| key_on(shard, |key| engine.home_of::<Adder>(key)));
            // Shards that spin hand their calls over at the system's own pace where cores are few.
            let rounds = if idle.sleeps() { 100 } else { 3 };
            for round in 1..=rounds {
                let sum = engine.actor::<Adder>(near).add_to(far, 1).wait();
                assert_eq!(sum, Ok(round));
            }
            let panicked = engine.actor::<Adder>(far).panics().wait();
            assert!(matches!(panicked, Err(CallError::Panicked)), "{panicked:?}");
            engine.shutdown();
            for executor in executors {
                executor.join().expect("no panic has come to the executor");
            }
        });
    }
}

#[derive(Default, Stateful)]
pub struct Purse {
    #[state]
    cents: State<i64>,
}

#[actor]
impl Purse {
    pub async fn deposit(&mut self, cx: &Cx<Self>) -> Result<i64, StateError> {
        *self.cents += 1;
        self.cents.save().await?;
        cx.deactivate();
        Ok(*self.cents)
    }
}

#[test]
fn states_are_kept_on_executors_too() {
    in_time(LONG, || {
        let kept = small().store(Store::memory());
        let kept = kept.configure::<Purse>(ActorOptions::new().placement(quark::Placement::Random));
        let (engine, executors) = hosted(kept);
        assert_eq!(engine.report().stores["default"].kind, "memory");
        for key in 0..20_u64 {
            for cents in 1..=3 {
                assert_eq!(engine.actor::<Purse>(key).deposit().wait(), Ok(cents));
            }
        }
        engine.shutdown();
        for executor in executors {
            executor.join().expect("no panic has come to the executor");
        }
        let engine = small()
            .driver(DriverKind::Glommio)
            .store(Store::memory())
            .launch()
            .unwrap();
        assert_eq!(engine.actor::<Purse>(1).deposit().wait(), Ok(1));
        engine.shutdown();
    });
}

#[test]
fn the_programs_own_tasks_run_beside_a_shard_that_spins() {
    in_time(LONG, || {
        let (hosting, mut shards) = small().idle(IdlePolicy::Spin).host().expect("a plan");
        let (ticks, ticked) = mpsc::channel();
        let last = run(shards.pop().expect("two shards"));
        let first = shards.pop().expect("two shards");
        let first = executor().spawn(move || async move {
            let ticking = spawn_local(async move {
                for tick in 0..20 {
                    sleep(Duration::from_millis(1)).await;
                    ticks.send(tick).expect("they are counted");
                }
            });
            first.run().await;
            drop(ticking);
        });
        let engine = hosting.launch().expect("all are up");
        assert_eq!(ticked.iter().count(), 20);
        engine.shutdown();
        first.expect("an executor").join().expect("no panic");
        last.join().expect("no panic");
    });
}

#[test]
fn tasks_of_an_executor_call_actors_of_its_shard_and_of_others() {
    in_time(LONG, || {
        let (hosting, mut shards) = small().host().expect("a plan");
        let (engines, engine) = mpsc::channel::<Engine>();
        let last = run(shards.pop().expect("two shards"));
        let first = shards.pop().expect("two shards");
        let first = executor().spawn(move || async move {
            let running = spawn_local(first.run());
            let engine = loop {
                match engine.try_recv() {
                    Ok(engine) => break engine,
                    Err(_) => sleep(Duration::from_millis(1)).await,
                }
            };
            for shard in 0..2 {
                let key = key_on(shard, |key| engine.home_of::<Adder>(key));
                for round in 1..=100 {
                    assert_eq!(engine.actor::<Adder>(key).add(1).await, Ok(round));
                }
            }
            // The last of it, dropped in a thread that it must not block.
            drop(engine);
            running.await;
        });
        let engine = hosting.launch().expect("all are up");
        engines.send(engine).expect("it waits for it");
        first.expect("an executor").join().expect("no panic");
        last.join().expect("no panic");
    });
}

#[test]
fn a_shard_that_is_dropped_instead_fails_the_launch() {
    in_time(LONG, || {
        let (hosting, mut shards) = small().host().expect("a plan");
        let last = run(shards.pop().expect("two shards"));
        drop(shards);
        let error = hosting.launch().expect_err("one is missing");
        assert!(matches!(error, LaunchError::Died { shard: 0 }), "{error}");
        last.join().expect("it ends, too");
    });
}

#[test]
fn a_shard_whose_task_is_dropped_answers_who_waits() {
    in_time(LONG, || {
        let (hosting, mut shards) = small().host().expect("a plan");
        let last = run(shards.pop().expect("two shards"));
        let first = shards.pop().expect("two shards");
        let (stop, stopped) = mpsc::channel::<()>();
        let first = executor().spawn(move || async move {
            let _running = spawn_local(first.run());
            while stopped.try_recv().is_err() {
                sleep(Duration::from_millis(1)).await;
            }
        });
        let engine = hosting.launch().expect("all are up");
        let key = key_on(0, |key| engine.home_of::<Adder>(key));
        let adder = engine.actor::<Adder>(key);
        let waiting = {
            let adder = adder.clone();
            std::thread::spawn(move || block_on(async { adder.never().await }))
        };
        while adder.is_waited_for().wait() == Ok(false) {}
        stop.send(()).expect("it looks");
        first.expect("an executor").join().expect("no panic");
        let answer = waiting.join().expect("no panic");
        assert!(matches!(answer, Err(CallError::Stopped)), "{answer:?}");
        drop(engine);
        last.join().expect("no panic");
    });
}

#[test]
fn a_launch_starts_executors_by_itself() {
    in_time(LONG, || {
        let engine = small()
            .driver(DriverKind::Glommio)
            .launch()
            .expect("a launch");
        assert_eq!(engine.report().driver.name, "glommio");
        let [near, far] = [0, 1].map(|shard| key_on(shard, |key| engine.home_of::<Adder>(key)));
        assert_eq!(engine.actor::<Adder>(near).add_to(far, 7).wait(), Ok(7));
        // Longer than any beat of a parked shard.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(engine.actor::<Adder>(near).add_to(far, 1).wait(), Ok(8));
    });
}

#[test]
fn executors_leave_no_descriptors_behind() {
    fn open() -> usize {
        std::fs::read_dir("/proc/self/fd").expect("Linux").count()
    }
    in_time(LONG, || {
        let launch = || {
            drop(
                small()
                    .driver(DriverKind::Glommio)
                    .launch()
                    .expect("a launch"),
            )
        };
        launch();
        let before = open();
        (0..5).for_each(|_| launch());
        // Other tests of this program open and close theirs meanwhile; a leak would be of ten
        // executors with several each.
        let after = open();
        assert!(after < before + 40, "{before} before, {after} after");
    });
}
