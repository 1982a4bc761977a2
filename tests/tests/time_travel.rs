//! Moving a simulation's time.
#![allow(missing_docs)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Sim, SimConfig, SimOptions, for_seeds};
use quark::{Time, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Clock {
    rung: u64,
}

#[actor(idle_after_ms = 60_000)]
impl Clock {
    pub fn ring_in(&mut self, cx: &Cx<Self>, delay: Duration) {
        cx.after(delay, |me| me.ring());
    }

    pub fn ring(&mut self) {
        self.rung += 1;
    }

    pub fn rung(&self) -> u64 {
        self.rung
    }

    pub async fn pass_on(&self, cx: &Cx<Self>, to: u64, hops: u64) -> u64 {
        match hops {
            0 => 0,
            _ => {
                let next = cx.actor::<Clock>(to);
                1 + next.pass_on(to + 1, hops - 1).await.expect("it lives")
            }
        }
    }
}

fn world(seed: u64) -> Sim {
    let options = SimOptions {
        world: SimConfig {
            mesh_delay_probability: 0.5,
            mesh_delay_max: SECOND,
            ..SimConfig::default()
        },
        ..SimOptions::default()
    };
    Engine::builder().simulate(seed, options).unwrap()
}

#[test]
fn messages_flow_while_time_stands_still() {
    for_seeds(0..200, |seed| {
        let sim = world(seed);
        let clock = sim.actor::<Clock>(0);
        // Something may be held up already when time stops.
        sim.block_on(clock.pass_on(1, 8)).unwrap();
        let before = sim.now();
        let hops = sim.frozen(|| {
            let ringing = clock.ring_in(SECOND);
            sim.block_on(ringing).unwrap();
            let hops = sim.block_on(clock.pass_on(1, 8));
            sim.run_for(10 * SECOND);
            sim.run_until_idle();
            hops
        });
        assert_eq!((hops, sim.now()), (Ok(8), before));
        assert_eq!(sim.frozen(|| sim.block_on(clock.rung())), Ok(0));
        sim.run_for(SECOND + Duration::from_millis(1));
        assert_eq!(sim.frozen(|| sim.block_on(clock.rung())), Ok(1));
        sim.shutdown();
    });
}

#[test]
fn whoever_waits_for_time_that_stands_still_is_told_so() {
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let sim = world(1);
        sim.spawn_on(0, sleep(SECOND));
        sim.frozen(|| sim.run_until_idle());
    }));
    let failed = *failed.unwrap_err().downcast::<String>().unwrap();
    assert!(failed.contains("nothing can ever happen"), "{failed}");
    assert!(failed.contains("stands still"), "{failed}");
}

#[test]
fn a_jump_lands_on_the_next_thing_that_happens() {
    for_seeds(0..100, |seed| {
        let sim = world(seed);
        let clock = sim.actor::<Clock>(sim.random());
        let begun = sim.now();
        for seconds in [5, 3, 3600, 4] {
            sim.frozen(|| sim.block_on(clock.ring_in(seconds * SECOND)))
                .unwrap();
        }
        assert_eq!(sim.now(), begun);
        for (rung, seconds) in [(1, 3), (2, 4), (3, 5)] {
            assert!(sim.jump());
            assert_eq!(sim.frozen(|| sim.block_on(clock.rung())), Ok(rung));
            let late = sim.now().since(begun) - seconds * SECOND;
            assert!(late < Duration::from_millis(1), "{late:?} late");
        }
        // A minute without a message: it is put to sleep, and its last timer with it.
        assert!(sim.jump());
        let slept = sim.now().since(begun);
        assert!(slept > 60 * SECOND && slept < 90 * SECOND, "{slept:?}");
        assert_eq!(sim.count(), 0);
        assert!(!sim.jump());
        sim.shutdown();
    });
}

#[test]
fn a_jump_stops_where_a_task_of_the_test_wakes() {
    let sim = world(3);
    let woken = Rc::new(RefCell::new(Vec::new()));
    for (shard, seconds) in [(0, 30), (1, 10), (0, 20)] {
        let woken = woken.clone();
        sim.spawn_on(shard, async move {
            sleep(seconds * SECOND).await;
            woken.borrow_mut().push(seconds);
        });
    }
    sim.jump();
    assert_eq!(
        (sim.tasks(), sim.now().since(Time::ZERO) < SECOND),
        (3, true)
    );
    for count in 1..=3 {
        assert!(sim.jump());
        assert_eq!(woken.borrow().len(), count);
        let now = sim.now().since(Time::ZERO);
        let due = count as u32 * 10 * SECOND;
        assert!(now >= due && now < due + Duration::from_millis(1));
    }
    assert_eq!(*woken.borrow(), [10, 20, 30]);
    assert!(!sim.jump() && sim.next_event().is_none());
}

#[test]
fn a_moment_is_met_exactly() {
    let sim = world(4);
    let clock = sim.actor::<Clock>(1);
    sim.frozen(|| sim.block_on(clock.ring_in(10 * SECOND)))
        .unwrap();
    let just_before = Time::ZERO + (10 * SECOND - Duration::from_nanos(1));
    sim.run_until(just_before);
    assert_eq!(sim.now(), just_before);
    assert_eq!(sim.frozen(|| sim.block_on(clock.rung())), Ok(0));
    sim.run_until(Time::ZERO + SECOND);
    assert_eq!(sim.now(), just_before, "there is no way back");
    // Nobody ran meanwhile: the timer is late.
    sim.skip(100 * SECOND);
    assert_eq!(sim.now(), just_before + 100 * SECOND);
    sim.frozen(|| sim.run_until_idle());
    assert_eq!(sim.frozen(|| sim.block_on(clock.rung())), Ok(1));
}
