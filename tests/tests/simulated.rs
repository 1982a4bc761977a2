//! What a simulation is to those who test with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Sim, SimOptions, for_seeds};
use quark::{IdlePolicy, Time, sleep};

/// Waits as long as it is told.
#[derive(Default)]
pub struct Sleeper {
    naps: u32,
}

#[actor]
impl Sleeper {
    /// Sleeps for `nap`, and says how often it has.
    pub async fn nap(&mut self, nap: Duration) -> u32 {
        sleep(nap).await;
        self.naps += 1;
        self.naps
    }

    /// Never answers.
    pub async fn hang(&self) {
        std::future::pending().await
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn world(seed: u64) -> Sim {
    let builder = Engine::builder().timeout(10 * HOUR);
    let options = SimOptions::default();
    builder
        .simulate(seed, options)
        .expect("nothing is registered twice")
}

#[test]
fn time_passes_only_in_the_simulation() {
    let sim = world(1);
    let sleeper = sim.actor::<Sleeper>(1);
    assert_eq!(sim.now(), Time::ZERO);
    assert_eq!(sim.block_on(sleeper.nap(HOUR)), Ok(1));
    assert!(sim.now() >= Time::ZERO + HOUR);
    assert!(sim.now() < Time::ZERO + HOUR + Duration::from_secs(1));
    let before = sim.now();
    sim.run_for(HOUR);
    assert_eq!(sim.now(), before + HOUR);
    assert_eq!(sim.count(), 0, "nobody has called for an hour");
    assert_eq!(sim.block_on(sleeper.nap(HOUR)), Ok(1), "it began anew");
    sim.shutdown();
}

#[test]
fn a_task_calls_from_its_shard() {
    let sim = world(2);
    let naps = Rc::new(std::cell::Cell::new(0));
    for shard in 0..2 {
        let (sleeper, naps) = (sim.actor::<Sleeper>("both"), naps.clone());
        sim.spawn_on(shard, async move {
            sleep(HOUR).await;
            let last = sleeper.nap(HOUR).await.expect("it lives");
            naps.set(naps.get().max(last));
        });
    }
    assert_eq!(sim.tasks(), 2);
    sim.run_until_idle();
    assert_eq!((sim.tasks(), naps.get()), (0, 2));
    assert!(sim.now() >= Time::ZERO + 3 * HOUR);
}

#[test]
fn a_failure_names_its_seed() {
    let failures = [
        said(|| for_seeds(7..8, |_| panic!("an assertion of the test's"))),
        said(|| {
            let sim = world(7);
            sim.spawn_on(0, async { panic!("an assertion in a task") });
            sim.run_until_idle();
        }),
        said(|| {
            let builder = Engine::builder()
                .idle_after(Duration::MAX)
                .timeout(Duration::MAX);
            let sim = builder
                .simulate(7, SimOptions::default())
                .expect("nothing is registered twice");
            let sleeper = sim.actor::<Sleeper>(1);
            let _ = sim.block_on(sleeper.hang());
        }),
    ];
    let whys = ["of the test's", "in a task", "Sleeper/1"];
    for (failure, why) in failures.iter().zip(whys) {
        assert!(failure.contains(why), "{failure}");
        assert!(failure.contains("QUARK_SEED=7"), "{failure}");
    }
}

fn said(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it was to fail");
    *panic
        .downcast::<String>()
        .expect("failures are told in words")
}

#[test]
fn what_would_block_is_refused() {
    let sim = world(3);
    let sleeper = sim.actor::<Sleeper>(1);
    assert_eq!(sleeper.nap(HOUR).wait(), Err(CallError::WouldBlock));
    assert!(sim.engine().port().is_err());
    assert_eq!(sim.engine().count(), 0);
    assert_eq!(sim.engine().report().idle, IdlePolicy::Park);
}

#[test]
fn injected_faults_are_counted() {
    let options = SimOptions {
        panic_probability: 0.2,
        stall_probability: 0.2,
        ..SimOptions::default()
    };
    let sim = Engine::builder()
        .simulate(4, options)
        .expect("nothing is registered twice");
    let sleeper = sim.actor::<Sleeper>(1);
    let mut panicked = 0;
    for _ in 0..100 {
        match sim.block_on(sleeper.nap(Duration::from_millis(1))) {
            Ok(_) | Err(CallError::Timeout) => {}
            Err(CallError::Panicked) => panicked += 1,
            Err(error) => panic!("{error}"),
        }
    }
    let counts = sim.counts();
    assert!(panicked > 0 && counts.panics == panicked, "{counts:?}");
    assert!(counts.stalls > 0 && counts.restarted > 0, "{counts:?}");
    sim.shutdown();
}

#[test]
fn a_shutdown_answers_what_it_cuts_off() {
    let sim = Engine::builder()
        .grace(Duration::from_secs(1))
        .simulate(5, SimOptions::default())
        .expect("nothing is registered twice");
    let sleeper = sim.actor::<Sleeper>(1);
    let mut hang = std::pin::pin!(sleeper.hang());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(hang.as_mut().poll(&mut cx).is_pending());
    sim.shutdown();
    let answer = hang.as_mut().poll(&mut cx);
    assert_eq!(answer, std::task::Poll::Ready(Err(CallError::Stopped)));
}
