//! Panics: each ends its turn, restarts its actor, and touches nobody else.
#![allow(missing_docs)]

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark::{ActorOptions, Backoff, Supervision};
use quark_tests::{Gate, in_time, key_on, small};

const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Fragile {
    seen: Vec<u64>,
    shared: Cell<u64>,
}

#[actor]
impl Fragile {
    pub fn note(&mut self, number: u64) -> Vec<u64> {
        self.seen.push(number);
        self.seen.clone()
    }

    pub fn boom(&mut self) {
        panic!("boom")
    }

    pub async fn boom_behind(&mut self, gate: Gate) {
        gate.pass().await;
        panic!("boom, later")
    }

    pub fn shared_boom(&self) {
        panic!("boom, shared")
    }

    pub async fn share(&self, gate: Gate) -> u64 {
        self.shared.set(self.shared.get() + 1);
        gate.pass().await;
        self.shared.get()
    }

    /// Has this very actor panic below this turn, then goes on or waits.
    pub async fn boom_below(&self, cx: &Cx<Self>, by: u64, gate: Option<Gate>) -> (u64, bool) {
        self.shared.set(self.shared.get() + 1);
        let key = match cx.key() {
            quark::Key::Int(key) => key,
            quark::Key::Str(_) => unreachable!("keys are integers here"),
        };
        let below = cx.actor::<Fragile>(by).boom_at(key).await;
        if let Some(gate) = gate {
            gate.pass().await;
        }
        (self.shared.get(), below == Ok(true))
    }

    /// Whether the other panicked.
    pub async fn boom_at(&self, cx: &Cx<Self>, key: u64) -> bool {
        cx.actor::<Fragile>(key).shared_boom().await == Err(CallError::Panicked)
    }
}

fn on(engine: &Engine, shard: u16, from: u64) -> u64 {
    from + key_on(shard, |key| engine.home_of::<Fragile>(from + key))
}

#[test]
fn mailbox_and_references_survive_a_panic() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for shard in 0..2 {
            let fragile = engine.actor::<Fragile>(on(&engine, shard, 0));
            assert_eq!(fragile.note(1).wait(), Ok(vec![1]));
            assert_eq!(fragile.boom().wait(), Err(CallError::Panicked));
            assert_eq!(fragile.note(2).wait(), Ok(vec![2]), "a fresh instance");
            let gate = Gate::new();
            let boom = thread::spawn({
                let (fragile, gate) = (fragile.clone(), gate.clone());
                move || fragile.boom_behind(gate).wait()
            });
            gate.wait_for(1);
            for number in 10..20 {
                fragile.note(number).tell().unwrap();
            }
            gate.open();
            assert_eq!(boom.join().unwrap(), Err(CallError::Panicked));
            let seen = fragile.note(20).wait().unwrap();
            assert!(
                seen.iter().copied().eq(10..=20),
                "what waited is served: {seen:?}"
            );
        }
        assert_eq!(engine.dead_letters().total, 0);
        let _port = engine.port().unwrap();
        let fragile = engine.actor::<Fragile>(on(&engine, 1, 0));
        assert_eq!(fragile.boom().wait(), Err(CallError::Panicked));
        assert_eq!(fragile.note(1).wait(), Ok(vec![1]));
    });
}

#[test]
fn suspended_turns_are_answered_restarted() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for shard in 0..2 {
            let fragile = engine.actor::<Fragile>(on(&engine, shard, 0));
            let gate = Gate::new();
            thread::scope(|scope| {
                let shared: Vec<_> = (0..3)
                    .map(|_| scope.spawn(|| fragile.share(gate.clone()).wait()))
                    .collect();
                gate.wait_for(3);
                assert_eq!(fragile.shared_boom().wait(), Err(CallError::Panicked));
                for turn in shared {
                    assert_eq!(turn.join().unwrap(), Err(CallError::Restarted));
                }
            });
            gate.open();
            assert_eq!(fragile.share(gate).wait(), Ok(1), "a fresh instance");
        }
    });
}

#[test]
fn a_panic_below_its_own_actors_turn_is_survived() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        // The other is next door, so that everything is on one stack; or on the other shard.
        for (shard, by) in [(0, 0), (0, 1)] {
            let key = on(&engine, shard, u64::from(by) * 5000);
            let by = on(&engine, by, 9000);
            let fragile = engine.actor::<Fragile>(key);
            let gate = Gate::new();
            thread::scope(|scope| {
                let aside = scope.spawn(|| fragile.share(gate.clone()).wait());
                gate.wait_for(1);
                match fragile.boom_below(by, None).wait() {
                    // It was on the stack above, and could return.
                    Ok(seen) => assert_eq!(seen, (2, true)),
                    // It was suspended.
                    Err(error) => assert_eq!(error, CallError::Restarted),
                }
                assert_eq!(aside.join().unwrap(), Err(CallError::Restarted));
            });
            let late = fragile.boom_below(by, Some(Gate::new())).wait();
            assert_eq!(
                late,
                Err(CallError::Restarted),
                "it waits in an actor that restarts"
            );
            gate.open();
            assert_eq!(fragile.share(gate).wait(), Ok(1));
        }
    });
}

#[test]
fn the_wait_before_a_restart_grows() {
    in_time(LONG, || {
        let steady = Supervision {
            backoff: Backoff {
                jitter_percent: 0,
                ..Backoff::default()
            },
            ..Supervision::DEFAULT
        };
        let options = ActorOptions::new().supervision(steady);
        let engine = small().configure::<Fragile>(options).launch().unwrap();
        let fragile = engine.actor::<Fragile>(1);
        for restart in 0..9_u32 {
            let begin = Instant::now();
            assert_eq!(fragile.boom().wait(), Err(CallError::Panicked));
            assert_eq!(fragile.note(1).wait(), Ok(vec![1]));
            let waited = begin.elapsed();
            assert!(
                waited >= Duration::from_millis(1 << restart),
                "{restart}: {waited:?}"
            );
        }
        let known = engine.list();
        assert_eq!((known.len(), known[0].restarts), (1, 9));
        // Another actor of the type does not pay for it.
        assert_eq!(engine.actor::<Fragile>(2).note(1).wait(), Ok(vec![1]));
    });
}

/// Panics when it is dropped, if nobody panics already.
#[derive(Default)]
pub struct Bomb(bool);

static EXPLOSIONS: AtomicUsize = AtomicUsize::new(0);
/// The tests that count explosions run one at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 && !thread::panicking() {
            EXPLOSIONS.fetch_add(1, Ordering::SeqCst);
            panic!("dropped");
        }
    }
}

#[derive(Default)]
pub struct Carrier {
    _bomb: Bomb,
}

#[actor(mailbox = 2)]
impl Carrier {
    pub fn arm(&mut self, cx: &Cx<Self>) {
        self._bomb = Bomb(true);
        cx.deactivate();
    }

    pub fn arm_and_boom(&mut self) {
        self._bomb = Bomb(true);
        panic!("boom")
    }

    pub fn take(&mut self, _bomb: Bomb) {}

    pub async fn hold(&mut self, gate: Gate) {
        gate.pass().await;
    }

    pub async fn hold_with(&self, gate: Gate) {
        let _bomb = Bomb(true);
        gate.pass().await;
    }

    pub fn shared_boom(&self) {
        panic!("boom")
    }

    pub async fn give(&mut self, gate: Gate) -> Bomb {
        gate.pass().await;
        Bomb(true)
    }

    /// Asks for a bomb, and goes before it comes.
    pub async fn order_and_leave(&self, cx: &Cx<Self>, from: u64, gate: Gate) {
        let from = cx.actor::<Carrier>(from);
        let call = from.give(gate).timeout(Duration::from_millis(5));
        assert!(call.await.is_err());
    }

    /// Tells with bombs, more than there is room for.
    pub fn shower(&self, cx: &Cx<Self>, to: u64) -> usize {
        let to = cx.actor::<Carrier>(to);
        let refused = (0..5).filter_map(|_| to.take(Bomb(true)).tell().err());
        refused.map(|error| std::mem::forget(error.message)).count()
    }

    pub fn nothing(&self) {}
}

/// Both shards still answer, `actor` too.
fn stands(engine: &Engine, carrier: &CarrierRef) {
    let nothing = || loop {
        match carrier.nothing().wait() {
            Err(CallError::MailboxFull) => thread::yield_now(),
            other => break other,
        }
    };
    assert_eq!(nothing(), Ok(()));
    for key in 100..110_u64 {
        assert_eq!(engine.actor::<Carrier>(key).nothing().wait(), Ok(()));
    }
}

/// Runs `test` with a carrier on each shard, and says how often something exploded.
fn explosions(test: impl Fn(&Engine, u64) + Send + 'static) -> usize {
    let _alone = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = EXPLOSIONS.load(Ordering::SeqCst);
    in_time(LONG, move || {
        let engine = small().launch().unwrap();
        for shard in 0..2 {
            let key = key_on(shard, |key| engine.home_of::<Carrier>(key));
            test(&engine, key);
            stands(&engine, &engine.actor::<Carrier>(key));
        }
        engine.shutdown();
    });
    EXPLOSIONS.load(Ordering::SeqCst) - before
}

#[test]
fn an_actor_that_panics_when_dropped_is_survived() {
    let exploded = explosions(|engine, key| {
        let carrier = engine.actor::<Carrier>(key);
        assert_eq!(carrier.arm().wait(), Ok(()));
        assert_eq!(carrier.nothing().wait(), Ok(()));
        assert_eq!(carrier.arm_and_boom().wait(), Err(CallError::Panicked));
    });
    assert_eq!(exploded, 4);
}

#[test]
fn an_argument_that_panics_when_dropped_is_survived() {
    let exploded = explosions(|engine, key| {
        let carrier = engine.actor::<Carrier>(key);
        // In its turn, which that ends.
        assert_eq!(carrier.take(Bomb(true)).wait(), Err(CallError::Panicked));
        // At the door, where there is no room for it: told from next door and from afar.
        let gate = Gate::new();
        carrier.hold(gate.clone()).tell().unwrap();
        gate.wait_for(1);
        for shard in 0..2 {
            let from = (200..)
                .find(|key| engine.home_of::<Carrier>(*key) == shard)
                .unwrap();
            engine.actor::<Carrier>(from).shower(key).wait().unwrap();
        }
        let asked = carrier.take(Bomb(true)).wait();
        assert_eq!(asked, Err(CallError::MailboxFull));
        gate.open();
    });
    assert!(exploded >= 6, "{exploded}");
}

#[test]
fn a_message_that_panics_when_it_is_too_late_is_survived() {
    let exploded = explosions(|engine, key| {
        let carrier = engine.actor::<Carrier>(key);
        let gate = Gate::new();
        carrier.hold(gate.clone()).tell().unwrap();
        gate.wait_for(1);
        let late = carrier
            .take(Bomb(true))
            .timeout(Duration::from_millis(5))
            .wait();
        assert_eq!(late, Err(CallError::Timeout));
        gate.open();
    });
    assert_eq!(exploded, 2);
}

#[test]
fn a_reply_that_panics_when_nobody_wants_it_is_survived() {
    let exploded = explosions(|engine, key| {
        for from in 0..2 {
            let from = (200..)
                .find(|key| engine.home_of::<Carrier>(*key) == from)
                .unwrap();
            let gate = Gate::new();
            let caller = engine.actor::<Carrier>(from);
            assert_eq!(caller.order_and_leave(key, gate.clone()).wait(), Ok(()));
            gate.open();
            stands(engine, &caller);
        }
        let _port = engine.port().unwrap();
        let gate = Gate::new();
        let carrier = engine.actor::<Carrier>(key);
        let call = carrier.give(gate.clone()).timeout(Duration::from_millis(5));
        assert!(call.wait().is_err());
        gate.open();
        assert_eq!(carrier.nothing().wait(), Ok(()));
    });
    assert_eq!(exploded, 6);
}

#[test]
fn a_suspended_turn_that_panics_when_dropped_is_survived() {
    let exploded = explosions(|engine, key| {
        let carrier = engine.actor::<Carrier>(key);
        let gate = Gate::new();
        thread::scope(|scope| {
            let held = scope.spawn(|| carrier.hold_with(gate.clone()).wait());
            gate.wait_for(1);
            assert_eq!(carrier.shared_boom().wait(), Err(CallError::Panicked));
            assert_eq!(held.join().unwrap(), Err(CallError::Restarted));
        });
    });
    assert_eq!(exploded, 2);
}

#[derive(Default)]
pub struct Hooked {
    bad: bool,
}

static ACTIVATIONS: AtomicUsize = AtomicUsize::new(0);

#[actor]
impl Hooked {
    async fn on_activate(&mut self, cx: &Cx<Self>) {
        let first = ACTIVATIONS.fetch_add(1, Ordering::SeqCst) == 0;
        quark::sleep(Duration::from_millis(1)).await;
        if first {
            panic!("not yet: {}", cx.key());
        }
    }

    async fn on_deactivate(&mut self) {
        quark::sleep(Duration::from_millis(1)).await;
        assert!(!self.bad, "it does not want to go");
    }

    pub fn spoil(&mut self, cx: &Cx<Self>) {
        self.bad = true;
        cx.deactivate();
    }

    pub fn nothing(&self) {}
}

#[test]
fn hooks_that_panic_are_survived() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let hooked = engine.actor::<Hooked>(1);
        let refused = hooked.nothing().wait().unwrap_err();
        assert!(matches!(refused, CallError::Activation(_)), "{refused}");
        assert!(
            refused.to_string().contains("on_activate panicked"),
            "{refused}"
        );
        assert_eq!(hooked.nothing().wait(), Ok(()));
        for _ in 0..3 {
            assert_eq!(hooked.spoil().wait(), Ok(()));
            assert_eq!(hooked.nothing().wait(), Ok(()));
        }
        assert_eq!(hooked.spoil().wait(), Ok(()));
        engine.shutdown();
    });
}

pub struct Made;

#[actor]
impl Made {
    pub fn nothing(&self) {}
}

#[test]
fn a_factory_that_panics_is_survived() {
    in_time(LONG, || {
        let calls = AtomicUsize::new(0);
        let engine = small().register::<Made>(move |_| {
            assert!(
                calls.fetch_add(1, Ordering::SeqCst) % 2 == 1,
                "every other time"
            );
            Made
        });
        let engine = engine.launch().unwrap();
        for key in 0..4_u64 {
            let made = engine.actor::<Made>(key);
            let refused = made.nothing().wait().unwrap_err();
            assert!(
                refused.to_string().contains("the factory panicked"),
                "{refused}"
            );
            assert_eq!(made.nothing().wait(), Ok(()));
        }
    });
}
