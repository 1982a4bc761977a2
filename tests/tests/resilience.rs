//! What must hold when user code fails, or comes back into the engine where it is least expected.
#![allow(missing_docs)] // actors' methods are public, and nobody reads them here

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark::{EngineBuilder, IdlePolicy};

/// Far beyond what any of these takes, far below the default timeout of a call.
const LONG: Duration = Duration::from_secs(10);

fn engine(shards: usize) -> EngineBuilder {
    let topology = Topology::detect()
        .unwrap()
        .shards(shards)
        .oversubscribe(true);
    Engine::builder().topology(topology).idle(IdlePolicy::Park)
}

fn launch(shards: usize) -> Engine {
    engine(shards).launch().unwrap()
}

/// Runs `f` on a thread of its own, and fails instead of hanging with it.
fn within<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(f()));
    result
        .recv_timeout(LONG)
        .expect("it takes forever, or panicked")
}

#[derive(Default)]
pub struct Picky {
    name: String,
}

#[actor]
impl Picky {
    fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), String> {
        self.name = cx.key().to_string();
        if self.name.starts_with("bad") {
            Err("not this one".to_owned())
        } else {
            Ok(())
        }
    }

    pub fn name(&self) -> String {
        self.name.clone()
    }
}

#[test]
fn a_call_whose_actor_refuses_to_activate_is_answered_and_reaches_no_other() {
    let engine = launch(1);
    let bad = engine.actor::<Picky>("bad");
    for _ in 0..2 {
        let bad = bad.clone();
        let refused = within(move || bad.name().timeout(LONG / 2).wait());
        assert!(
            matches!(refused, Err(CallError::Activation(_))),
            "{refused:?}"
        );
    }
    let good = engine.actor::<Picky>("good").name().wait();
    assert_eq!(good.unwrap(), "good");
    assert!(bad.name().wait().is_err(), "the place is another's now");
}

#[derive(Default)]
pub struct Touchy;

#[actor]
impl Touchy {
    fn on_activate(&mut self, cx: &Cx<Self>) {
        assert_ne!(cx.key().to_string(), "bad", "this hook panics");
    }

    fn on_deactivate(&mut self, cx: &Cx<Self>) {
        assert_ne!(cx.key().to_string(), "bad at its end", "this hook panics");
    }

    pub fn leave(&mut self, cx: &Cx<Self>) -> u8 {
        cx.deactivate();
        1
    }
}

#[test]
fn a_hook_that_panics_takes_nobody_along() {
    let engine = launch(1);
    let refused = engine
        .actor::<Touchy>("bad")
        .leave()
        .timeout(LONG / 2)
        .wait();
    assert!(
        matches!(refused, Err(CallError::Activation(_))),
        "{refused:?}"
    );
    for _ in 0..2 {
        let last = engine.actor::<Touchy>("bad at its end").leave().wait();
        assert_eq!(last.unwrap(), 1);
    }
    assert_eq!(engine.actor::<Touchy>("good").leave().wait().unwrap(), 1);
}

/// Panics when it is dropped.
pub struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("a bomb was dropped");
        }
    }
}

#[derive(Default)]
pub struct Armed;

#[actor(mailbox = 1)]
impl Armed {
    pub fn keep(&mut self, bomb: Bomb) {
        std::mem::forget(bomb);
    }

    pub fn give(&self) -> Bomb {
        Bomb
    }

    pub async fn hold(&mut self, millis: u64) {
        quark::sleep(Duration::from_millis(millis)).await;
    }

    pub fn ask(&self) -> u8 {
        7
    }
}

#[test]
fn what_panics_while_it_is_dropped_takes_no_shard_along() {
    let engine = launch(1);
    let armed = engine.actor::<Armed>(1);
    // A reply that nobody wants.
    armed.give().tell().unwrap();
    // Messages that find the mailbox full.
    armed.hold(300).tell().unwrap();
    for _ in 0..4 {
        match armed.keep(Bomb).tell() {
            Ok(()) => {}
            Err(refused) => std::mem::forget(refused.message),
        }
    }
    thread::sleep(Duration::from_millis(50));
    let elsewhere = engine.actor::<Armed>(2);
    assert_eq!(elsewhere.ask().timeout(LONG / 2).wait().unwrap(), 7);
    let here = within(move || {
        loop {
            if let Ok(answer) = armed.ask().timeout(LONG / 2).wait() {
                return answer;
            }
        }
    });
    assert_eq!(here, 7);
}

#[derive(Default)]
pub struct Counter {
    count: u64,
}

#[actor(mailbox = 4)]
impl Counter {
    pub fn add(&mut self) {
        self.count += 1;
    }

    pub fn count(&self) -> u64 {
        self.count
    }
}

#[derive(Default)]
pub struct Sender;

#[actor]
impl Sender {
    pub async fn fill(&mut self, cx: &Cx<Self>, key: u64, times: u64) -> u64 {
        let counter = cx.actor::<Counter>(key);
        for _ in 0..times {
            counter.add().send().await.unwrap();
        }
        counter.count().await.unwrap()
    }
}

#[test]
fn a_send_to_a_full_mailbox_on_the_same_shard_goes_on_when_there_is_room() {
    let engine = launch(1);
    let sent = engine
        .actor::<Sender>(1)
        .fill(1, 1000)
        .timeout(LONG / 2)
        .wait();
    assert_eq!(sent.unwrap(), 1000);
}

#[derive(Default)]
pub struct Relay;

#[actor(timeout_ms = 300)]
impl Relay {
    pub async fn pass_on(&mut self, cx: &Cx<Self>, to: u64, hops: u8) -> Result<u8, CallError> {
        if hops == 0 {
            return Ok(0);
        }
        let next = cx.actor::<Relay>(to).pass_on(to + 1, hops - 1).await;
        next.map(|hops| hops + 1).map_err(|error| match error {
            CallError::Failed(inner) => inner,
            other => other.map(|_| unreachable!()),
        })
    }
}

#[test]
fn a_call_after_a_long_sleep_is_not_late() {
    let engine = launch(2);
    let _port = engine.port().unwrap();
    for _ in 0..3 {
        let passed = engine
            .actor::<Relay>(0)
            .pass_on(1, 8)
            .timeout(LONG / 2)
            .wait();
        assert_eq!(passed.unwrap(), 8);
        // Longer than the calls between the relays may take.
        thread::sleep(Duration::from_millis(700));
    }
}

#[derive(Default)]
pub struct Chatterbox;

#[actor]
impl Chatterbox {
    pub fn chat(&mut self, cx: &Cx<Self>) {
        let _ = cx.me().chat().tell();
    }

    pub async fn nap(&self, millis: u64) {
        quark::sleep(Duration::from_millis(millis)).await;
    }
}

#[test]
fn actors_that_never_rest_hold_up_neither_timers_nor_the_shutdown() {
    let engine = engine(1)
        .grace(Duration::from_millis(200))
        .launch()
        .unwrap();
    for key in 0..200_u64 {
        engine.actor::<Chatterbox>(key).chat().tell().unwrap();
    }
    let napped = engine
        .actor::<Chatterbox>(1000)
        .nap(5)
        .timeout(LONG / 2)
        .wait();
    assert_eq!(napped, Ok(()));
    within(move || engine.shutdown());
}

#[test]
fn what_a_port_has_told_arrives_even_if_it_leaves_at_once() {
    const TOLD: u64 = 200;
    let engine = launch(1);
    let slow = engine.actor::<Armed>(1);
    // The shard is busy while the messages come.
    slow.ask().wait().unwrap();
    let port = engine.port().unwrap();
    let tally = engine.actor::<Tally>(1);
    tally.stall(50).tell().unwrap();
    let mut told = 0;
    for _ in 0..TOLD {
        told += u64::from(tally.add().tell().is_ok());
    }
    drop(port);
    thread::sleep(Duration::from_millis(100));
    assert_eq!(tally.count().wait().unwrap(), told);
}

#[derive(Default)]
pub struct Tally {
    count: u64,
}

#[actor]
impl Tally {
    pub fn stall(&mut self, millis: u64) {
        thread::sleep(Duration::from_millis(millis));
    }

    pub fn add(&mut self) {
        self.count += 1;
    }

    pub fn count(&self) -> u64 {
        self.count
    }
}

#[test]
fn a_call_from_outside_is_answered_whatever_moment_its_engine_stops() {
    for round in 0..40_u64 {
        let engine = launch(1);
        let tally = engine.actor::<Tally>(1);
        tally.count().wait().unwrap();
        let kept = engine.clone();
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let tally = tally.clone();
                thread::spawn(move || while tally.count().wait().is_ok() {})
            })
            .collect();
        thread::sleep(Duration::from_micros(round * 50));
        within(move || engine.shutdown());
        let until = Instant::now() + LONG;
        for caller in callers {
            while !caller.is_finished() {
                assert!(
                    Instant::now() < until,
                    "a caller waits for an engine that is gone"
                );
                thread::yield_now();
            }
        }
        drop(kept);
    }
}

static MADE: AtomicU32 = AtomicU32::new(0);

pub struct Twin(#[allow(dead_code)] u32);

#[actor]
impl Twin {
    pub fn number(&self) -> u32 {
        self.0
    }
}

#[test]
fn a_factory_that_calls_its_own_key_makes_one_activation() {
    let builder = engine(1).register::<Twin>(|cx| {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            // Its own key, before it is in the directory.
            cx.actor::<Twin>(cx.key()).number().tell().unwrap();
        }
        Twin(number)
    });
    let engine = builder.launch().unwrap();
    let twin = engine.actor::<Twin>(1);
    twin.number().wait().unwrap();
    assert_eq!(engine.count(), 1);
}

#[derive(Default)]
pub struct Impatient;

#[actor]
impl Impatient {
    /// Looks at a call once, and lets it go.
    pub async fn glance(&self, cx: &Cx<Self>) -> bool {
        let other = cx.actor::<Impatient>(2);
        let mut call = std::pin::pin!(other.long());
        std::future::poll_fn(|task| std::task::Poll::Ready(call.as_mut().poll(task).is_pending()))
            .await
    }

    pub async fn long(&self) {
        quark::sleep(Duration::from_millis(20)).await;
    }

    pub async fn through(&self, cx: &Cx<Self>) -> bool {
        cx.actor::<Impatient>(1).glance().await.unwrap()
    }
}

#[test]
fn a_call_that_was_let_go_leaves_nothing_behind() {
    let engine = engine(1).grace(LONG * 10).launch().unwrap();
    assert!(engine.actor::<Impatient>(0).through().wait().unwrap());
    within(move || engine.shutdown());
}
