//! Reminders: when they come, to whom, and what survives what.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Sim, SimDisks, SimOptions, for_seeds};
use quark::{ActorOptions, CatchUp, Due, EngineBuilder, Remind, StateError, Store, sleep};
use quark_storage::memory::MemoryStore;
use quark_tests::shelf;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

thread_local! {
    /// Memory that outlives an engine, by shard.
    static KEPT: RefCell<BTreeMap<u16, MemoryStore>> = const { RefCell::new(BTreeMap::new()) };
    /// What was heard, by whom: the reminder, how late, for how many times.
    static HEARD: RefCell<Vec<(String, String, Duration, u64)>> = const { RefCell::new(Vec::new()) };
    /// Which of their times they were called for.
    static TIMES: RefCell<Vec<(String, u64)>> = const { RefCell::new(Vec::new()) };
    static AT_ONCE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Writes down what it is reminded of.
#[derive(Default)]
pub struct Sleeper;

#[actor(idle_after_ms = 1000)]
impl Sleeper {
    pub async fn set(&self, cx: &Cx<Self>, name: String, when: Remind) -> Result<(), StateError> {
        cx.remind(&name, when).await
    }

    pub async fn forget(&self, cx: &Cx<Self>, name: String) -> Result<(), StateError> {
        cx.forget_reminder(&name).await
    }

    pub async fn due_in(
        &self,
        cx: &Cx<Self>,
        name: String,
    ) -> Result<Option<Duration>, StateError> {
        let due = cx.reminder(&name).await?;
        Ok(due.map(|due| due.since(cx.wall_time())))
    }

    async fn on_reminder(&mut self, cx: &Cx<Self>, due: Due) {
        let heard = (
            cx.key().to_string(),
            due.name.to_string(),
            due.late(),
            due.times,
        );
        HEARD.with_borrow_mut(|all| all.push(heard));
        TIMES.with_borrow_mut(|all| all.push((cx.key().to_string(), due.at.0)));
    }
}

/// Fails to hear the first few times.
#[derive(Default)]
pub struct Deaf;

#[actor(supervise(restarts = 100))]
impl Deaf {
    pub async fn set(&self, cx: &Cx<Self>, when: Remind) -> Result<(), StateError> {
        cx.remind("shout", when).await
    }

    fn on_reminder(&mut self, due: Due) {
        let tries = HEARD.with_borrow_mut(|all| {
            all.push((String::new(), due.name.to_string(), due.late(), due.times));
            all.len()
        });
        assert!(tries > 3, "not heard");
    }
}

/// Takes its time.
#[derive(Default)]
pub struct Slow;

#[actor]
impl Slow {
    pub async fn set(&self, cx: &Cx<Self>, when: Remind) -> Result<(), StateError> {
        cx.remind("work", when).await
    }

    async fn on_reminder(&mut self, _due: Due) {
        let (now, most) = AT_ONCE.get();
        AT_ONCE.set((now + 1, most.max(now + 1)));
        sleep(Duration::from_millis(5)).await;
        let (now, most) = AT_ONCE.get();
        AT_ONCE.set((now - 1, most));
        HEARD.with_borrow_mut(|all| all.push(Default::default()));
    }
}

fn kept() -> Store {
    Store::custom(|cx| {
        let shard = cx.shard();
        Rc::new(KEPT.with_borrow_mut(|all| all.entry(shard).or_default().clone()))
    })
}

fn clean() {
    KEPT.with_borrow_mut(BTreeMap::clear);
    HEARD.with_borrow_mut(Vec::clear);
    AT_ONCE.set((0, 0));
}

fn builder() -> EngineBuilder {
    Engine::builder()
        .store(kept())
        .configure::<Sleeper>(ActorOptions::new())
}

fn world(seed: u64) -> Sim {
    clean();
    builder().simulate(seed, SimOptions::default()).unwrap()
}

fn again(disks: SimDisks) -> Sim {
    builder().simulate_on(disks, SimOptions::default()).unwrap()
}

fn set(sim: &Sim, key: &str, name: &str, when: Remind) {
    let sleeper = sim.actor::<Sleeper>(key);
    let name = name.to_owned();
    sim.block_on(async { sleeper.set(name, when).await })
        .unwrap();
}

fn heard() -> Vec<(String, String, Duration, u64)> {
    HEARD.with_borrow_mut(std::mem::take)
}

#[test]
fn a_reminder_wakes_who_sleeps() {
    for_seeds(0..20, |seed| {
        let sim = world(seed);
        set(&sim, "a", "tea", Remind::after(HOUR));
        sim.run_for(HOUR / 2);
        assert_eq!(sim.count(), 0, "it sleeps");
        assert_eq!(heard(), []);
        sim.run_for(HOUR);
        let heard = heard();
        assert_eq!(heard.len(), 1);
        let (who, name, late, times) = &heard[0];
        assert_eq!((who.as_str(), name.as_str(), *times), ("a", "tea", 1));
        assert!(*late < SECOND, "{late:?}");
        sim.run_for(24 * HOUR);
        assert_eq!(self::heard(), [], "once is once");
    });
}

#[test]
fn a_period_does_not_drift_and_ends_when_taken_back() {
    let sim = world(1);
    set(&sim, "a", "tick", Remind::after(SECOND).every(10 * SECOND));
    sim.run_for(95 * SECOND);
    assert_eq!(heard().len(), 10);
    let a = sim.actor::<Sleeper>("a");
    let left = sim
        .block_on(async { a.due_in("tick".into()).await })
        .unwrap();
    assert!(
        left.is_some_and(|left| left > 5 * SECOND && left <= 6 * SECOND),
        "{left:?}"
    );
    sim.block_on(async { a.forget("tick".into()).await })
        .unwrap();
    assert_eq!(
        sim.block_on(async { a.due_in("tick".into()).await }),
        Ok(None)
    );
    sim.block_on(async { a.forget("tick".into()).await })
        .unwrap();
    sim.run_for(HOUR);
    assert_eq!(heard(), []);
}

#[test]
fn a_reminder_set_again_is_moved() {
    let sim = world(2);
    set(&sim, "a", "tea", Remind::after(HOUR));
    set(&sim, "a", "tea", Remind::after(SECOND));
    set(&sim, "a", "cake", Remind::after(2 * SECOND));
    sim.run_for(3 * SECOND);
    let names: Vec<_> = heard().into_iter().map(|(_, name, ..)| name).collect();
    assert_eq!(names, ["tea", "cake"]);
    set(&sim, "a", "tea", Remind::after(SECOND));
    set(&sim, "a", "tea", Remind::after(HOUR));
    sim.run_for(HOUR / 2);
    assert_eq!(heard(), []);
}

#[test]
fn what_was_missed_is_made_up_for_as_asked() {
    for_seeds(0..10, |seed| {
        let sim = world(seed);
        for (name, catch_up) in [
            ("once", CatchUp::Once),
            ("each", CatchUp::Each),
            ("skip", CatchUp::Skip),
        ] {
            let period = Remind::after(60 * SECOND)
                .every(60 * SECOND)
                .catch_up(catch_up);
            set(&sim, "a", name, period);
            let single = Remind::after(60 * SECOND).catch_up(catch_up);
            set(&sim, "a", &format!("single {name}"), single);
        }
        let off = sim.power_off().stay_off(HOUR - SECOND);
        let sim = again(off);
        sim.run_for(20 * SECOND);
        let mut calls = BTreeMap::<String, (usize, u64)>::new();
        for (_, name, _, times) in heard() {
            let sum = calls.entry(name).or_default();
            *sum = (sum.0 + 1, sum.1 + times);
        }
        // 59 were due while it was off, or 60 with the one just after.
        let once = calls["once"];
        assert!(
            (1..=2).contains(&once.0) && (59..=60).contains(&once.1),
            "{calls:?}"
        );
        let each = calls["each"];
        assert!(
            each.0 as u64 == each.1 && (59..=60).contains(&each.0),
            "{calls:?}"
        );
        assert!(
            calls.get("skip").is_none_or(|skip| skip.0 <= 1),
            "{calls:?}"
        );
        assert_eq!(calls["single once"], (1, 1));
        assert_eq!(calls["single each"], (1, 1));
        assert_eq!(calls.get("single skip"), None);
        // From here on all are in step again.
        sim.run_for(60 * SECOND);
        assert_eq!(heard().len(), 3);
    });
}

#[test]
fn who_does_not_hear_is_told_again() {
    clean();
    let sim = builder()
        .configure::<Deaf>(ActorOptions::new())
        .simulate(4, SimOptions::default())
        .unwrap();
    let deaf = sim.actor::<Deaf>("d");
    sim.block_on(async { deaf.set(Remind::after(SECOND)).await })
        .unwrap();
    sim.run_for(HOUR);
    assert_eq!(heard().len(), 4);
}

#[test]
fn many_at_once_take_turns() {
    clean();
    let sim = builder()
        .configure::<Slow>(ActorOptions::new())
        .simulate(5, SimOptions::default())
        .unwrap();
    const ALL: usize = 3_000;
    for key in 0..ALL {
        let slow = sim.actor::<Slow>(key);
        sim.spawn_on(
            0,
            async move { slow.set(Remind::after(HOUR)).await.unwrap() },
        );
    }
    sim.run_for(HOUR - SECOND);
    sim.run_for(10 * SECOND);
    let (now, most) = AT_ONCE.get();
    assert_eq!((now, heard().len()), (0, ALL));
    let shards = usize::from(sim.engine().shards());
    assert!(most <= 256 * shards && most >= 256, "{most} at once");
}

/// A page that is read while reminders end may name them as they were.
#[test]
fn nobody_is_called_twice_for_one_time() {
    // All shards have the shelf in common, and each would find every reminder.
    let one_shard = SimOptions {
        shards: 1,
        ..SimOptions::default()
    };
    for_seeds(0..4, |seed| {
        let shelf = shelf::fresh();
        let sim = Engine::builder()
            .store(shelf::store())
            .configure::<Sleeper>(ActorOptions::new())
            .simulate(seed, one_shard.clone())
            .unwrap();
        for key in 0..50 {
            let often = Remind::after(SECOND + Duration::from_micros(key * 200));
            let often = often
                .every(Duration::from_millis(10))
                .catch_up(CatchUp::Each);
            set(&sim, &key.to_string(), "tick", often);
        }
        shelf.delay.set(Duration::from_micros(700));
        TIMES.with_borrow_mut(Vec::clear);
        sim.run_for(3 * SECOND);
        let mut times = TIMES.with_borrow_mut(std::mem::take);
        assert!(times.len() > 5_000, "{} calls", times.len());
        let calls = times.len();
        times.sort();
        times.dedup();
        assert_eq!(
            times.len(),
            calls,
            "calls for a time that there had been one for"
        );
    });
}

#[test]
fn an_unknown_type_is_not_forgotten() {
    let sim = world(6);
    set(&sim, "a", "tea", Remind::after(SECOND));
    let off = sim.power_off().stay_off(HOUR);
    let stranger = Engine::builder().store(kept());
    let sim = stranger.simulate_on(off, SimOptions::default()).unwrap();
    sim.run_for(HOUR);
    assert_eq!(heard(), [], "nobody knows the type");
    let sim = again(sim.power_off());
    sim.run_for(SECOND);
    assert_eq!(heard().len(), 1);
}

#[test]
fn without_a_store_the_error_names_the_remedy() {
    clean();
    let sim = Engine::builder()
        .simulate(7, SimOptions::default())
        .unwrap();
    let sleeper = sim.actor::<Sleeper>("a");
    let error = sim
        .block_on(async { sleeper.set("tea".into(), Remind::after(SECOND)).await })
        .unwrap_err();
    assert_eq!(error, CallError::Failed(StateError::NoStore));
    assert!(
        error.to_string().contains(".store(Store::directory("),
        "{error}"
    );
}
