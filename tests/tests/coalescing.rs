//! Coalescing: identical calls under way are answered by one turn.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Sim, SimOptions, for_seeds};
use quark::{BreakerState, sleep};

const MILLI: Duration = Duration::from_millis(1);

/// A reply that counts how often it was copied.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    text: String,
    copies: u32,
}

impl Clone for Page {
    fn clone(&self) -> Self {
        assert!(self.text != "a reply that can't be copied");
        Page {
            text: self.text.clone(),
            copies: self.copies + 1,
        }
    }
}

/// An argument that can be compared and copied, but for two that panic.
#[derive(Debug)]
pub struct Name(String);

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.0 != "incomparable" && other.0 != "incomparable");
        self.0 == other.0
    }
}

impl Clone for Name {
    fn clone(&self) -> Self {
        assert!(self.0 != "uncopiable");
        Name(self.0.clone())
    }
}

#[derive(Default)]
pub struct Cache {
    turns: Cell<u64>,
    version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing;

#[actor]
impl Cache {
    #[turn(coalesce)]
    pub async fn fetch(&self, name: String, time: Duration) -> Result<Page, Missing> {
        self.turns.set(self.turns.get() + 1);
        sleep(time).await;
        if name.is_empty() {
            return Err(Missing);
        }
        Ok(Page {
            text: name,
            copies: 0,
        })
    }

    #[turn(coalesce)]
    pub async fn named(&self, name: Name) -> u64 {
        self.turns.set(self.turns.get() + 1);
        sleep(MILLI).await;
        name.0.len() as u64
    }

    #[turn(coalesce)]
    pub async fn version(&self) -> u64 {
        self.turns.set(self.turns.get() + 1);
        let version = self.version;
        sleep(10 * MILLI).await;
        version
    }

    #[turn(coalesce)]
    pub async fn boom(&self) -> u64 {
        self.turns.set(self.turns.get() + 1);
        sleep(10 * MILLI).await;
        std::panic::resume_unwind(Box::new("a method of the test's"))
    }

    /// Comes back to itself by way of another, the same call within.
    #[turn(coalesce)]
    pub async fn round(&self, cx: &Cx<Self>, by: u64) -> u64 {
        self.turns.set(self.turns.get() + 1);
        if self.turns.get() > 1 {
            return 7;
        }
        let me = match cx.key() {
            quark::Key::Int(me) => me,
            quark::Key::Str(_) => unreachable!("keys of this test are numbers"),
        };
        let mirror = cx.actor::<Mirror>(by);
        mirror.reflect(me).await.unwrap_or(0)
    }

    /// Asks another, who takes its time.
    #[turn(coalesce)]
    pub async fn relay(&self, cx: &Cx<Self>, time: Duration) -> Result<u64, Missing> {
        self.turns.set(self.turns.get() + 1);
        let other = cx.actor::<Mirror>(99);
        other.rest(time).await.map_err(|_| Missing)
    }

    pub fn write(&mut self) {
        self.version += 1;
    }

    pub fn boom_beside(&self) {
        std::panic::resume_unwind(Box::new("a method of the test's"))
    }

    pub fn turns(&self) -> u64 {
        self.turns.get()
    }
}

#[derive(Default)]
pub struct Mirror;

#[actor]
impl Mirror {
    pub async fn reflect(&self, cx: &Cx<Self>, to: u64) -> Result<u64, String> {
        let me = match cx.key() {
            quark::Key::Int(me) => me,
            quark::Key::Str(_) => unreachable!("keys of this test are numbers"),
        };
        let answer = cx.actor::<Cache>(to).round(me).await;
        answer.map_err(|error| error.to_string())
    }

    pub async fn rest(&self, time: Duration) -> u64 {
        sleep(time).await;
        5
    }
}

/// Its calls are limited, and coalesced all the same.
#[derive(Default)]
pub struct Limited {
    turns: Cell<u64>,
}

#[actor(breaker(failures = 2, within_ms = 1000, open_ms = 100))]
impl Limited {
    #[turn(coalesce)]
    pub async fn fetch(&self, fails: bool) -> Result<u64, Missing> {
        self.turns.set(self.turns.get() + 1);
        sleep(10 * MILLI).await;
        if fails {
            Err(Missing)
        } else {
            Ok(self.turns.get())
        }
    }

    pub fn turns(&self) -> u64 {
        self.turns.get()
    }
}

fn world(seed: u64) -> Sim {
    Engine::builder()
        .simulate(seed, SimOptions::default())
        .expect("nothing is registered twice")
}

/// Has `count` tasks on both shards make a call each, all at about one time.
fn ask_all<F: Future + 'static>(
    sim: &Sim,
    count: u16,
    mut ask: impl FnMut(u16) -> F,
) -> Rc<RefCell<Vec<F::Output>>> {
    let answers = Rc::new(RefCell::new(Vec::new()));
    for number in 0..count {
        let (call, answers) = (ask(number), answers.clone());
        sim.spawn_on(number % 2, async move {
            let answer = call.await;
            answers.borrow_mut().push(answer);
        });
    }
    answers
}

fn turns(sim: &Sim, cache: &CacheRef) -> u64 {
    sim.block_on(cache.turns()).expect("it lives")
}

#[test]
fn one_turn_answers_all() {
    for_seeds(0..20, |seed| {
        let sim = world(seed);
        let cache = sim.actor::<Cache>(1);
        let answers = ask_all(&sim, 20, |_| {
            let cache = cache.clone();
            async move { cache.fetch("quark".into(), 50 * MILLI).await }
        });
        sim.run_until_idle();
        assert_eq!(turns(&sim, &cache), 1);
        let answers = answers.borrow();
        assert_eq!(answers.len(), 20);
        let originals = answers.iter().filter(|answer| {
            let page = answer.as_ref().expect("there is such a page");
            assert_eq!(page.text, "quark");
            assert!(page.copies <= 1);
            page.copies == 0
        });
        assert_eq!(originals.count(), 1, "each has a copy of its own, but one");
        sim.shutdown();
    });
}

#[test]
fn errors_are_shared_too() {
    let sim = world(1);
    let cache = sim.actor::<Cache>(1);
    let answers = ask_all(&sim, 6, |_| {
        let cache = cache.clone();
        async move { cache.fetch(String::new(), MILLI).await }
    });
    sim.run_until_idle();
    assert_eq!(turns(&sim, &cache), 1);
    let failed = Err(CallError::Failed(Missing));
    assert_eq!(answers.take(), vec![failed; 6]);
}

#[test]
fn others_have_turns_of_their_own() {
    let sim = world(2);
    let cache = sim.actor::<Cache>(1);
    let answers = ask_all(&sim, 12, |number| {
        let cache = cache.clone();
        async move {
            cache
                .fetch(format!("page {}", number % 3), 50 * MILLI)
                .await
        }
    });
    sim.run_until_idle();
    assert_eq!((turns(&sim, &cache), answers.borrow().len()), (3, 12));
    // What is answered is not under way.
    for expected in [4, 5] {
        let again = sim.block_on(cache.fetch("page 0".into(), MILLI));
        assert_eq!(again.map(|page| page.copies), Ok(0));
        assert_eq!(turns(&sim, &cache), expected);
    }
    // Another actor's calls are others.
    let other = sim.actor::<Cache>(2);
    assert!(sim.block_on(other.fetch("page 0".into(), MILLI)).is_ok());
    assert_eq!(turns(&sim, &other), 1);
}

#[test]
fn a_tell_is_no_answer_to_share() {
    let sim = world(3);
    let cache = sim.actor::<Cache>(1);
    for _ in 0..3 {
        cache.version().tell().unwrap();
    }
    sim.run_until_idle();
    assert_eq!(turns(&sim, &cache), 3, "each was to be done");
}

#[test]
fn all_hear_of_a_panic() {
    let sim = world(4);
    let cache = sim.actor::<Cache>(1);
    let answers = ask_all(&sim, 8, |_| {
        let cache = cache.clone();
        async move { cache.boom().await }
    });
    sim.run_until_idle();
    assert_eq!(answers.take(), vec![Err(CallError::Panicked); 8]);
    assert_eq!(sim.counts().restarted, 1, "one turn has panicked");
}

#[test]
fn all_hear_of_a_restart() {
    let sim = world(5);
    let cache = sim.actor::<Cache>(1);
    let answers = ask_all(&sim, 8, |_| {
        let cache = cache.clone();
        async move { cache.version().await }
    });
    sim.run_for(5 * MILLI);
    assert_eq!(sim.block_on(cache.boom_beside()), Err(CallError::Panicked));
    sim.run_until_idle();
    assert_eq!(answers.take(), vec![Err(CallError::Restarted); 8]);
    assert_eq!(sim.block_on(cache.version()), Ok(0));
}

#[test]
fn all_hear_of_the_end() {
    let builder = Engine::builder().grace(MILLI);
    let sim = builder.simulate(6, SimOptions::default()).unwrap();
    let cache = sim.actor::<Cache>(1);
    let mut cx = Context::from_waker(Waker::noop());
    let refs: Vec<_> = (0..4).map(|_| cache.clone()).collect();
    let mut calls: Vec<_> = refs
        .iter()
        .map(|cache| Box::pin(cache.fetch("slow".into(), Duration::from_secs(20))))
        .collect();
    for call in &mut calls {
        assert!(call.as_mut().poll(&mut cx).is_pending());
    }
    sim.run_for(MILLI);
    sim.shutdown();
    for mut call in calls {
        let answer = call.as_mut().poll(&mut cx);
        assert_eq!(answer, Poll::Ready(Err(CallError::Stopped)));
    }
}

#[test]
fn who_gives_up_takes_nobody_along() {
    let sim = world(7);
    let cache = sim.actor::<Cache>(1);
    let answers = ask_all(&sim, 8, |number| {
        let cache = cache.clone();
        async move {
            // Whoever leads among them, some of those who wait don't wait for long.
            let timeout = if number < 4 { 5 * MILLI } else { 1_000 * MILLI };
            cache.relay(50 * MILLI).timeout(timeout).await
        }
    });
    sim.run_until_idle();
    assert_eq!(turns(&sim, &cache), 1);
    let answers = answers.take();
    let given_up = |answer: &&_| **answer == Err(CallError::Timeout);
    assert_eq!(answers.iter().filter(given_up).count(), 4);
    let answered = |answer: &&_| **answer == Ok(5);
    assert_eq!(answers.iter().filter(answered).count(), 4);
    // Also the one whose turn it is, dropped while others wait for it.
    let leader = cache.clone();
    let mut leading = Box::pin(leader.relay(50 * MILLI));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(leading.as_mut().poll(&mut cx).is_pending());
    sim.run_for(10 * MILLI);
    let joined = ask_all(&sim, 3, |_| {
        let cache = cache.clone();
        async move { cache.relay(50 * MILLI).await }
    });
    sim.run_for(10 * MILLI);
    drop(leading);
    sim.run_until_idle();
    assert_eq!(joined.take(), [Ok(5), Ok(5), Ok(5)]);
    assert_eq!(turns(&sim, &cache), 2);
}

/// A read behind a write sees it, though an older read is under way.
#[test]
fn a_call_joins_only_what_it_could_have_been() {
    for_seeds(0..20, |seed| {
        let sim = world(seed);
        let cache = sim.actor::<Cache>(1);
        let (first, second) = (cache.clone(), cache.clone());
        let seen = Rc::new(RefCell::new(Vec::new()));
        let sees = seen.clone();
        sim.spawn_on(0, async move {
            let version = first.version().await;
            sees.borrow_mut().push(version);
        });
        let sees = seen.clone();
        sim.spawn_on(1, async move {
            sleep(5 * MILLI).await;
            second.write().tell().unwrap();
            let version = second.version().await;
            sees.borrow_mut().push(version);
        });
        sim.run_until_idle();
        assert_eq!(seen.take(), [Ok(0), Ok(1)]);
        assert_eq!(turns(&sim, &cache), 2);
        sim.shutdown();
    });
}

#[test]
fn a_call_does_not_wait_for_its_own_chain() {
    for by in 0..6 {
        let sim = world(8);
        let cache = sim.actor::<Cache>(1);
        assert_eq!(sim.block_on(cache.round(by)), Ok(7));
        assert_eq!(turns(&sim, &cache), 2);
        assert!(sim.now() < quark::Time::ZERO + Duration::from_secs(1));
    }
}

#[test]
fn arguments_that_panic_are_not_shared() {
    let sim = world(9);
    let cache = sim.actor::<Cache>(1);
    for (name, expected) in [("incomparable", 3), ("uncopiable", 6)] {
        let answers = ask_all(&sim, 3, |_| {
            let cache = cache.clone();
            async move { cache.named(Name(name.into())).await }
        });
        sim.run_until_idle();
        assert_eq!(answers.take(), vec![Ok(name.len() as u64); 3]);
        assert_eq!(turns(&sim, &cache), expected);
    }
    // A reply that can't be copied ends the turn, and all hear of it.
    let answers = ask_all(&sim, 3, |_| {
        let cache = cache.clone();
        let text = "a reply that can't be copied".to_owned();
        async move { cache.fetch(text, 10 * MILLI).await.map(|page| page.copies) }
    });
    sim.run_until_idle();
    assert_eq!(answers.take(), vec![Err(CallError::Panicked); 3]);
    assert_eq!(sim.block_on(cache.version()), Ok(0));
}

#[test]
fn limited_types_coalesce_too() {
    let sim = world(10);
    let limited = sim.actor::<Limited>(1);
    let ask = |fails: bool| {
        let answers = ask_all(&sim, 6, |_| {
            let limited = limited.clone();
            async move { limited.fetch(fails).await }
        });
        sim.run_until_idle();
        answers.take()
    };
    assert_eq!(ask(false), vec![Ok(1); 6]);
    // One turn that fails is one failure.
    assert_eq!(ask(true), vec![Err(CallError::Failed(Missing)); 6]);
    let home = sim.engine().home_of::<Limited>(1);
    let mut breakers = sim.breakers().into_iter();
    let breaker = breakers.find(|breaker| breaker.shard == home).unwrap();
    assert_eq!((breaker.state, breaker.failures), (BreakerState::Closed, 1));
    assert_eq!(ask(false), vec![Ok(3); 6]);
    assert_eq!(sim.block_on(limited.turns()), Ok(3));
}

/// Callers, arguments, panics and impatience by many seeds: each call has an answer, no turn ran
/// for nobody, and no two identical ones beside each other but where one was a tell.
#[test]
fn every_seed_answers_every_call() {
    let full = std::env::var_os("QUARK_FULL").is_some();
    let mut saved = 0;
    for_seeds(0..if full { 1_000 } else { 40 }, |seed| {
        let sim = world(seed);
        let cache = sim.actor::<Cache>(seed);
        let answered = Rc::new(Cell::new(0));
        for number in 0..40u64 {
            let (cache, answered) = (cache.clone(), answered.clone());
            let (wait, page) = (sim.random() % 30_000, sim.random() % 4);
            let timeout = 1 + sim.random() % 40;
            sim.spawn_on((number % 2) as u16, async move {
                sleep(Duration::from_micros(wait)).await;
                if number % 13 == 12 {
                    cache.write().tell().unwrap();
                }
                let call = cache.fetch(format!("{page}"), 10 * MILLI);
                match call.timeout(Duration::from_millis(timeout)).await {
                    Ok(got) => assert_eq!(got.text, format!("{page}")),
                    Err(error) => assert_eq!(error, CallError::Timeout),
                }
                answered.set(answered.get() + 1);
            });
        }
        sim.run_until_idle();
        assert_eq!(answered.get(), 40);
        let turns = turns(&sim, &cache);
        assert!((4..=40).contains(&turns));
        saved += 40 - turns;
        sim.shutdown();
    });
    assert!(saved > 0, "nothing was ever shared");
}
