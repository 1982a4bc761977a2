//! Dead letters: counted by reason, kept up to a bound, sent again.
#![allow(missing_docs)]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Sim, SimOptions};
use quark::{Context, DeadReason, sleep};
use quark_tests::{Gate, in_time, key_on, small};

const SECOND: Duration = Duration::from_secs(1);

/// Takes two messages beside the one it is at.
#[derive(Default)]
pub struct Desk {
    seen: Vec<u64>,
}

#[actor(mailbox = 2, when_full = "drop_newest")]
impl Desk {
    pub async fn hold(&mut self, time: Duration) {
        sleep(time).await;
    }

    pub async fn wait(&mut self, gate: Gate) {
        gate.pass().await;
    }

    pub fn note(&mut self, number: u64) {
        self.seen.push(number);
    }

    /// The id of the request it was sent with.
    pub fn request(&mut self, cx: &Cx<Self>) {
        self.seen.push(cx.request_id().unwrap_or(0));
    }

    pub fn keep(&mut self, _what: Arc<()>) {}

    pub fn seen(&self) -> Vec<u64> {
        self.seen.clone()
    }
}

/// Opens late.
#[derive(Default)]
pub struct Shop;

static OPEN: AtomicBool = AtomicBool::new(false);

#[actor]
impl Shop {
    fn on_activate(&mut self) -> Result<(), &'static str> {
        if OPEN.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err("closed")
        }
    }

    pub fn buy(&self) {}
}

fn world(seed: u64, kept: usize) -> Sim {
    Engine::builder()
        .dead_letters(kept)
        .simulate(seed, SimOptions::default())
        .expect("nothing is registered twice")
}

/// Fills the actor's mailbox and tells it `numbers`, none of which it takes.
fn tell_in_vain(sim: &Sim, desk: &DeskRef, numbers: impl IntoIterator<Item = u64>) {
    desk.hold(SECOND).tell().unwrap();
    sim.run_for(SECOND / 4);
    for number in [100, 101] {
        desk.note(number).tell().unwrap();
    }
    sim.run_for(SECOND / 4);
    for number in numbers {
        desk.note(number).tell().unwrap();
    }
    sim.run_until_idle();
}

#[test]
fn they_are_counted_by_reason_and_the_last_are_kept() {
    let sim = world(1, 3);
    let desk = sim.actor::<Desk>(7);
    tell_in_vain(&sim, &desk, 0..10);
    let shop = sim.actor::<Shop>(1);
    shop.buy().tell().unwrap();
    sim.run_until_idle();
    let letters = sim.dead_letters();
    assert_eq!(letters.total, 11);
    assert_eq!(letters.count(DeadReason::Dropped), 10);
    assert_eq!(letters.count(DeadReason::Activation), 1);
    assert_eq!(letters.count(DeadReason::Stopped), 0);
    let home = sim.engine().home_of::<Desk>(7);
    let of_desk: Vec<_> = letters
        .kept
        .iter()
        .filter(|letter| letter.shard == home && letter.method == "note")
        .collect();
    assert!((2..=3).contains(&of_desk.len()), "{letters:?}");
    for letter in of_desk {
        assert_eq!(letter.actor.to_string(), "Desk/7");
        assert_eq!(letter.reason, DeadReason::Dropped);
        assert_eq!(letter.error, CallError::Dropped);
        assert!(letter.at <= sim.now());
    }
    let mut errors = letters.kept.iter().map(|letter| letter.error.to_string());
    assert!(errors.any(|error| error.contains("closed")));
}

#[test]
fn they_are_sent_again_in_order() {
    let sim = world(2, 100);
    let desk = sim.actor::<Desk>(1);
    tell_in_vain(&sim, &desk, [1, 2]);
    desk.hold(SECOND).tell().unwrap();
    sim.run_for(SECOND / 4);
    for _ in 0..3 {
        desk.request().context(Context::new(77)).tell().unwrap();
    }
    sim.run_until_idle();
    assert_eq!(sim.dead_letters().kept.len(), 3);
    let replayed = sim.replay_dead_letters(|letter| letter.method == "note");
    assert_eq!(replayed, 2);
    sim.run_until_idle();
    assert_eq!(sim.dead_letters().kept.len(), 1, "the other stays");
    assert_eq!(sim.replay_dead_letters(|_| true), 1);
    sim.run_until_idle();
    assert_eq!(
        sim.block_on(desk.seen()),
        Ok(vec![100, 101, 77, 77, 1, 2, 77]),
        "in order, and with their contexts"
    );
    let letters = sim.dead_letters();
    assert_eq!((letters.total, letters.kept.len()), (3, 0));
}

#[test]
fn what_fails_again_is_a_dead_letter_again() {
    let sim = world(3, 100);
    let shop = sim.actor::<Shop>(1);
    for _ in 0..3 {
        shop.buy().tell().unwrap();
    }
    sim.run_until_idle();
    assert_eq!(sim.dead_letters().total, 3);
    assert_eq!(sim.replay_dead_letters(|_| true), 3);
    sim.run_until_idle();
    let letters = sim.dead_letters();
    assert_eq!((letters.total, letters.kept.len()), (6, 3));
    OPEN.store(true, Ordering::Relaxed);
    assert_eq!(sim.replay_dead_letters(|_| true), 3);
    sim.run_until_idle();
    OPEN.store(false, Ordering::Relaxed);
    let letters = sim.dead_letters();
    assert_eq!((letters.total, letters.kept.len()), (6, 0));
    assert_eq!(sim.replay_dead_letters(|_| true), 0);
}

/// Tells an actor that takes no more, `count` times, something that is counted.
fn tell_counted(sim: &Sim, count: usize) -> Arc<()> {
    let desk = sim.actor::<Desk>(1);
    tell_in_vain(sim, &desk, []);
    desk.hold(SECOND).tell().unwrap();
    sim.run_for(SECOND / 4);
    let kept = Arc::new(());
    for _ in 0..count + 2 {
        desk.keep(kept.clone()).tell().unwrap();
    }
    sim.run_until_idle();
    kept
}

#[test]
fn no_more_messages_are_held_than_the_bound_says() {
    for (bound, held) in [(3, 3), (0, 0), (100, 10)] {
        let sim = world(4, bound);
        let kept = tell_counted(&sim, 10);
        assert_eq!(sim.dead_letters().total, 10);
        assert_eq!(Arc::strong_count(&kept), 1 + held);
        assert_eq!(sim.clear_dead_letters(), held);
        assert_eq!(Arc::strong_count(&kept), 1);
        let letters = sim.dead_letters();
        assert_eq!((letters.total, letters.kept.len()), (10, 0));
    }
}

#[test]
fn a_stopped_engine_holds_none() {
    let sim = world(5, 100);
    let kept = tell_counted(&sim, 10);
    assert_eq!(Arc::strong_count(&kept), 11);
    let handle = sim.engine().clone();
    sim.shutdown();
    assert_eq!(Arc::strong_count(&kept), 1);
    drop(handle);
}

#[test]
fn a_filter_that_panics_harms_nobody() {
    let sim = world(6, 100);
    let desk = sim.actor::<Desk>(1);
    tell_in_vain(&sim, &desk, [1, 2, 3]);
    let looked = Cell::new(0);
    let replayed = sim.replay_dead_letters(|_| {
        looked.set(looked.get() + 1);
        if looked.get() == 2 {
            std::panic::resume_unwind(Box::new("a filter of the test's"));
        }
        true
    });
    assert_eq!(replayed, 1);
    sim.run_until_idle();
    assert_eq!(sim.dead_letters().kept.len(), 2);
    assert_eq!(sim.block_on(desk.seen()), Ok(vec![100, 101, 1]));
}

/// Hears of a dead letter and makes more, right there.
struct Nosy {
    desk: DeskRef,
    heard: Arc<AtomicUsize>,
}

impl tracing::Subscriber for Nosy {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("quark")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        // What is traced in here is not told to anybody, so this comes to an end.
        self.heard.fetch_add(1, Ordering::Relaxed);
        for _ in 0..3 {
            // On the same shard, whose mailbox is full: a dead letter at once.
            self.desk.note(50).tell().unwrap();
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn who_listens_to_traces_may_come_back_in() {
    let sim = world(7, 100);
    let desk = sim.actor::<Desk>(1);
    let heard = Arc::new(AtomicUsize::new(0));
    let nosy = Nosy {
        desk: desk.clone(),
        heard: heard.clone(),
    };
    // On the first use of an event its subscribers are asked, and the answer is kept.
    let dispatch = tracing::Dispatch::new(nosy);
    tracing::callsite::rebuild_interest_cache();
    tracing::dispatcher::with_default(&dispatch, || tell_in_vain(&sim, &desk, [1]));
    assert_eq!(heard.load(Ordering::Relaxed), 1);
    assert_eq!(sim.dead_letters().total, 4);
}

#[test]
fn a_running_engine_lists_and_replays_them() {
    in_time(Duration::from_secs(60), || {
        let engine = small().launch().unwrap();
        let mut desks = Vec::new();
        for shard in 0..2 {
            let key = key_on(shard, |key| engine.home_of::<Desk>(key));
            let desk = engine.actor::<Desk>(key);
            let gate = Gate::new();
            desk.wait(gate.clone()).tell().unwrap();
            gate.wait_for(1);
            for number in 0..4 {
                desk.note(number).tell().unwrap();
            }
            desks.push((desk, gate));
        }
        while engine.dead_letters().count(DeadReason::Dropped) < 4 {
            thread::yield_now();
        }
        for (desk, gate) in &desks {
            gate.open();
            while desk.seen().wait() != Ok(vec![0, 1]) {
                thread::yield_now();
            }
        }
        assert_eq!(engine.dead_letters().kept.len(), 4);
        let shard = engine.dead_letters().kept[0].shard;
        let replayed = engine.replay_dead_letters(move |letter| letter.shard == shard);
        assert_eq!(replayed, 2);
        let (desk, _) = &desks[usize::from(shard)];
        while desk.seen().wait() != Ok(vec![0, 1, 2, 3]) {
            thread::yield_now();
        }
        assert_eq!(engine.clear_dead_letters(), 2);
        let letters = engine.dead_letters();
        assert_eq!((letters.total, letters.kept.len()), (4, 0));
    });
}
