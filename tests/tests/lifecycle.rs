//! From first call to sleep: hooks, idle collection, timers, factories, placement.
#![allow(missing_docs)]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use quark::{ActorOptions, Key, prelude::*};
use quark_tests::{Gate, in_time, key_on, small};

const LONG: Duration = Duration::from_secs(60);

/// What happened to the actors of one test.
#[derive(Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn write(&self, what: &str, key: &Key) {
        self.0.lock().unwrap().push(format!("{what} {key}"));
    }

    fn count(&self, what: &str) -> usize {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|line| *line == what || line.starts_with(&format!("{what} ")))
            .count()
    }

    /// Waits until `what` stands there `count` times.
    fn until(&self, what: &str, count: usize) {
        let begin = Instant::now();
        while self.count(what) < count {
            assert!(begin.elapsed() < LONG, "{:?}", self.0.lock().unwrap());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

pub struct Mortal {
    diary: Diary,
    fail: Arc<AtomicUsize>,
    sleep: Option<Gate>,
    ticks: u64,
}

#[actor]
impl Mortal {
    async fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), String> {
        self.diary.write("begin", &cx.key());
        quark::sleep(Duration::from_millis(1)).await;
        if self.fail.load(Ordering::SeqCst) > 0 {
            self.fail.fetch_sub(1, Ordering::SeqCst);
            return Err("the disk is full".to_owned());
        }
        self.diary.write("up", &cx.key());
        Ok(())
    }

    async fn on_deactivate(&mut self, cx: &Cx<Self>) {
        self.diary.write("down", &cx.key());
        if let Some(gate) = &self.sleep {
            gate.pass().await;
        }
        self.diary.write("end", &cx.key());
    }

    pub fn nothing(&self) {}

    pub fn end(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }

    pub fn end_behind(&mut self, cx: &Cx<Self>, gate: Gate) {
        self.sleep = Some(gate);
        cx.deactivate();
    }

    pub fn tick(&mut self) {
        self.ticks += 1;
    }

    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    pub fn start_timers(&self, cx: &Cx<Self>, millis: u64) {
        let millis = Duration::from_millis(millis);
        cx.after(millis, |me| me.tick());
        cx.every(millis, |me| me.tick());
        cx.after(millis, |me| me.tick()).cancel();
    }
}

struct Lives {
    engine: Engine,
    diary: Diary,
    fail: Arc<AtomicUsize>,
}

fn lives(options: ActorOptions) -> Lives {
    let (diary, fail) = (Diary::default(), Arc::new(AtomicUsize::new(0)));
    let (theirs, fails) = (diary.clone(), fail.clone());
    let engine = small().register_with::<Mortal>(options, move |_| Mortal {
        diary: theirs.clone(),
        fail: fails.clone(),
        sleep: None,
        ticks: 0,
    });
    Lives {
        engine: engine.launch().unwrap(),
        diary,
        fail,
    }
}

#[test]
fn a_failed_activation_answers_its_callers_and_the_next_call_tries_again() {
    in_time(LONG, || {
        let Lives {
            engine,
            diary,
            fail,
        } = lives(ActorOptions::new());
        for shard in 0..2 {
            let mortal = engine.actor::<Mortal>(key_on(shard, |key| engine.home_of::<Mortal>(key)));
            fail.store(1, Ordering::SeqCst);
            let refused = mortal.nothing().wait().unwrap_err();
            assert!(matches!(refused, CallError::Activation(_)) && refused.never_ran());
            assert!(
                refused.to_string().contains("the disk is full"),
                "{refused}"
            );
            assert_eq!(engine.count(), usize::from(shard), "it is gone");
            assert_eq!(mortal.nothing().wait(), Ok(()));
        }
        assert_eq!((diary.count("begin"), diary.count("up")), (4, 2));
    });
}

#[test]
fn idle_actors_go_to_sleep() {
    in_time(LONG, || {
        let idle = ActorOptions::new().idle_after(Duration::from_millis(40));
        let Lives { engine, diary, .. } = lives(idle);
        for key in 0..100_u64 {
            engine.actor::<Mortal>(key).nothing().wait().unwrap();
        }
        // One that is called stays.
        let begin = Instant::now();
        while engine.count() > 1 || diary.count("end") < 99 {
            engine.actor::<Mortal>("busy").nothing().wait().unwrap();
            assert!(begin.elapsed() < LONG, "{} are awake", engine.count());
        }
        diary.until("end", 100);
        diary.until("end busy", 1);
        engine.actor::<Mortal>(7_u64).nothing().wait().unwrap();
        assert_eq!(diary.count("up 7"), 2, "the next call wakes it");
    });
}

#[test]
fn every_actor_sleeps_at_shutdown() {
    in_time(LONG, || {
        let Lives { engine, diary, .. } = lives(ActorOptions::new());
        for key in 0..50_u64 {
            engine.actor::<Mortal>(key).nothing().wait().unwrap();
        }
        engine.shutdown();
        assert_eq!((diary.count("up"), diary.count("end")), (50, 50));
    });
}

#[test]
fn an_actor_may_ask_to_be_put_to_sleep() {
    in_time(LONG, || {
        let Lives { engine, diary, .. } = lives(ActorOptions::new());
        let mortal = engine.actor::<Mortal>(1);
        for life in 1..20 {
            mortal.tick().wait().unwrap();
            assert_eq!(mortal.ticks().wait(), Ok(1), "a fresh instance");
            mortal.end().wait().unwrap();
            diary.until("end", life);
        }
    });
}

#[test]
fn a_call_during_deactivation_is_served_by_the_next_life() {
    in_time(LONG, || {
        let Lives { engine, diary, .. } = lives(ActorOptions::new());
        for shard in 0..2 {
            let key = key_on(shard, |key| engine.home_of::<Mortal>(key));
            let mortal = engine.actor::<Mortal>(key);
            let gate = Gate::new();
            mortal.tick().wait().unwrap();
            mortal.end_behind(gate.clone()).wait().unwrap();
            gate.wait_for(1);
            thread::scope(|scope| {
                let asked = scope.spawn(|| mortal.ticks().wait());
                mortal.tick().tell().unwrap();
                while engine
                    .list()
                    .iter()
                    .map(|actor| actor.waiting)
                    .sum::<usize>()
                    < 2
                {
                    thread::yield_now();
                }
                gate.open();
                let ticks = asked.join().unwrap().unwrap();
                assert!(ticks <= 1, "of the life before: {ticks}");
            });
            assert_eq!(mortal.ticks().wait(), Ok(1));
            assert_eq!(diary.count(&format!("up {key}")), 2);
        }
        assert_eq!(engine.dead_letters().total, 0);
    });
}

#[derive(Default)]
pub struct Neighbour;

#[actor]
impl Neighbour {
    /// In one poll: tells the actor something, lets its `on_deactivate` end, and holds the shard
    /// until the test has something on its way from elsewhere.
    pub fn meddle(
        &self,
        cx: &Cx<Self>,
        key: u64,
        gate: Gate,
        begun: mpsc::SyncSender<()>,
        go: Arc<Barrier>,
    ) {
        begun.send(()).unwrap();
        go.wait();
        cx.actor::<Mortal>(key).tick().tell().unwrap();
        gate.open();
        go.wait();
    }

    pub async fn meddle_as_a_task(
        &self,
        cx: &Cx<Self>,
        key: u64,
        gate: Gate,
        begun: mpsc::SyncSender<()>,
        go: Arc<Barrier>,
    ) {
        quark::sleep(Duration::from_millis(1)).await;
        self.meddle(cx, key, gate, begun, go);
    }
}

#[test]
fn a_message_that_crosses_the_end_of_a_life_is_not_lost() {
    in_time(LONG, || {
        let Lives { engine, .. } = lives(ActorOptions::new());
        let key = key_on(1, |key| engine.home_of::<Mortal>(key));
        let neighbour =
            engine.actor::<Neighbour>(key_on(1, |key| engine.home_of::<Neighbour>(key)));
        let _port = engine.port().unwrap();
        for _ in 0..20 {
            let mortal = engine.actor::<Mortal>(key);
            // So that the reference knows the place of this very life.
            mortal.nothing().wait().unwrap();
            let gate = Gate::new();
            mortal.end_behind(gate.clone()).wait().unwrap();
            gate.wait_for(1);
            let (begun, has_begun) = mpsc::sync_channel(1);
            let go = Arc::new(Barrier::new(2));
            neighbour
                .meddle_as_a_task(key, gate.clone(), begun, go.clone())
                .tell()
                .unwrap();
            has_begun.recv().unwrap();
            go.wait();
            mortal.tick().tell().unwrap();
            go.wait();
            // One message from here and one from next door, in whichever order.
            while mortal.ticks().timeout(Duration::from_secs(5)).wait() != Ok(2) {
                thread::yield_now();
            }
            mortal.end().wait().unwrap();
            while engine.list().iter().any(|actor| actor.id.actor == "Mortal") {
                thread::yield_now();
            }
        }
    });
}

#[test]
fn timers_tick_and_end_with_their_life() {
    in_time(LONG, || {
        let Lives { engine, diary, .. } = lives(ActorOptions::new());
        let mortal = engine.actor::<Mortal>(1);
        let begin = Instant::now();
        mortal.start_timers(20).wait().unwrap();
        while mortal.ticks().wait().unwrap() < 5 {
            thread::sleep(Duration::from_millis(1));
        }
        // One `after` and four periods; the cancelled one is not among them.
        assert!(
            begin.elapsed() >= Duration::from_millis(80),
            "{:?}",
            begin.elapsed()
        );
        mortal.end().wait().unwrap();
        diary.until("end", 1);
        assert_eq!(mortal.ticks().wait(), Ok(0));
        thread::sleep(Duration::from_millis(60));
        assert_eq!(
            mortal.ticks().wait(),
            Ok(0),
            "a timer of the life before ticks"
        );
    });
}

#[derive(Default)]
pub struct Pinned;

#[actor(pinned = 1)]
impl Pinned {
    pub fn shard(&self, cx: &Cx<Self>) -> u16 {
        cx.shard()
    }
}

#[test]
fn pinned_types_live_on_their_shard() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for key in 0..50_u64 {
            assert_eq!(engine.home_of::<Pinned>(key), 1);
            assert_eq!(engine.actor::<Pinned>(key).shard().wait(), Ok(1));
        }
        let listed = engine.list();
        assert_eq!((listed.len(), engine.count()), (50, 50));
        assert!(
            listed
                .iter()
                .all(|actor| actor.shard == 1 && actor.id.actor == "Pinned")
        );
        let elsewhere = ActorOptions::new().pinned(0);
        let engine = small().configure::<Pinned>(elsewhere).launch().unwrap();
        assert_eq!(engine.actor::<Pinned>(1).shard().wait(), Ok(0));
    });
}

#[test]
fn a_type_pinned_to_a_missing_shard_is_refused() {
    in_time(LONG, || {
        let away = ActorOptions::new().pinned(7);
        let engine = small().configure::<Pinned>(away).launch();
        let error = match engine {
            Err(error) => error.to_string(),
            Ok(engine) => engine
                .actor::<Pinned>(1)
                .shard()
                .wait()
                .unwrap_err()
                .to_string(),
        };
        assert!(
            error.contains("shard 7") && error.contains("has 2"),
            "{error}"
        );
    });
}

pub struct Served {
    key: Key,
    service: Arc<AtomicU64>,
    friend: MortalRef,
}

#[actor]
impl Served {
    pub fn use_service(&self) -> (Key, u64) {
        (
            self.key.clone(),
            self.service.fetch_add(1, Ordering::SeqCst),
        )
    }

    pub async fn call_friend(&self) -> Result<(), CallError> {
        self.friend.nothing().await
    }
}

#[test]
fn factories_make_what_needs_services() {
    in_time(LONG, || {
        let service = Arc::new(AtomicU64::new(5));
        let theirs = service.clone();
        let engine = small().register::<Served>(move |cx| Served {
            key: cx.key().clone(),
            service: theirs.clone(),
            friend: cx.actor::<Mortal>(1),
        });
        let engine = engine.launch().unwrap();
        assert_eq!(
            engine.actor::<Served>("a").use_service().wait(),
            Ok(("a".into(), 5))
        );
        assert_eq!(
            engine.actor::<Served>(2).use_service().wait(),
            Ok((2.into(), 6))
        );
        // Its friend can't be made here: nobody said how.
        let refused = engine
            .actor::<Served>("a")
            .call_friend()
            .wait()
            .unwrap_err();
        let CallError::Failed(refused) = refused else {
            panic!("{refused}")
        };
        assert!(matches!(refused, CallError::Unregistered(_)) && refused.never_ran());
        assert!(
            refused.to_string().contains("register a factory"),
            "{refused}"
        );
        let refused = engine.actor::<Mortal>(3).nothing().wait().unwrap_err();
        assert!(
            refused.to_string().contains("\"Mortal\" is not Default"),
            "{refused}"
        );
    });
}
