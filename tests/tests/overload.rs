//! Too much: refused early, with a typed error, or held back in order; never dropped in silence.
#![allow(missing_docs)]

use std::thread;
use std::time::Duration;

use quark::{ActorOptions, Call, Credits, DeadReason, WhenFull, prelude::*};
use quark_tests::{Gate, block_on, in_time, key_on, small};

const LONG: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Counter {
    seen: Vec<u64>,
}

#[actor(mailbox = 4)]
impl Counter {
    pub async fn hold(&mut self, gate: Gate) {
        gate.pass().await;
    }

    pub fn note(&mut self, number: u64) -> u64 {
        self.seen.push(number);
        number
    }

    pub fn seen(&self) -> Vec<u64> {
        self.seen.clone()
    }
}

#[derive(Default)]
pub struct Patient {
    seen: Vec<u64>,
}

#[actor(mailbox = 4, when_full = "wait")]
impl Patient {
    pub async fn hold(&mut self, gate: Gate) {
        gate.pass().await;
    }

    pub fn note(&mut self, number: u64) -> u64 {
        self.seen.push(number);
        number
    }

    pub fn seen(&self) -> Vec<u64> {
        self.seen.clone()
    }
}

#[derive(Default)]
pub struct Feeder;

/// How many were taken, and what came back of the first that was not.
type Fed = (u64, Option<(u64, CallError)>);

#[actor]
impl Feeder {
    /// Tells until one is refused; says what came back with it.
    pub fn tell_all(&self, cx: &Cx<Self>, to: u64, count: u64) -> Fed {
        let to = cx.actor::<Counter>(to);
        for number in 0..count {
            if let Err(error) = to.note(number).tell() {
                return (number, Some((number, error.reason)));
            }
        }
        (count, None)
    }

    /// Tells until one is refused, and sends that same message with patience.
    pub async fn tell_then_send(&self, cx: &Cx<Self>, to: u64, count: u64) -> Result<u64, String> {
        let to = cx.actor::<Counter>(to);
        let mut refused = 0;
        for number in 0..count {
            if let Err(error) = to.note(number).tell() {
                refused += 1;
                let again = Call::of(&to, error.message).send().await;
                again.map_err(|error| error.to_string())?;
            }
        }
        Ok(refused)
    }

    pub async fn send_all(&self, cx: &Cx<Self>, to: u64, count: u64) -> Result<(), String> {
        let to = cx.actor::<Patient>(to);
        for number in 0..count {
            to.note(number)
                .send()
                .await
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Asks by way of another, whose turn somebody on a shard waits for then: such a turn must
    /// not queue for credit.
    pub async fn ask_nested(
        &self,
        cx: &Cx<Self>,
        by: u64,
        to: u64,
        gate: Gate,
    ) -> Result<(), CallError<CallError>> {
        cx.actor::<Feeder>(by).ask(to, gate).await
    }

    pub async fn ask(&self, cx: &Cx<Self>, to: u64, gate: Gate) -> Result<(), CallError> {
        cx.actor::<Counter>(to).hold(gate).await
    }
}

fn counter_on(engine: &Engine, shard: u16) -> u64 {
    key_on(shard, |key| engine.home_of::<Counter>(key))
}

fn feeder_on(engine: &Engine, shard: u16) -> FeederRef {
    engine.actor::<Feeder>(key_on(shard, |key| engine.home_of::<Feeder>(key)))
}

fn tiny() -> Credits {
    Credits {
        ask_slots: 4,
        reserve_slots: 4,
        tell_slots: 8,
    }
}

#[test]
fn a_full_mailbox_refuses() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        for shard in 0..2 {
            let key = counter_on(&engine, shard);
            let counter = engine.actor::<Counter>(key);
            let gate = Gate::new();
            thread::scope(|scope| {
                let holder = scope.spawn(|| counter.hold(gate.clone()).wait());
                gate.wait_for(1);
                let waiting: Vec<_> = (0..4)
                    .map(|number| {
                        let (counter, engine) = (&counter, &engine);
                        let call = scope.spawn(move || counter.note(number).wait());
                        while engine
                            .list()
                            .iter()
                            .all(|actor| actor.waiting <= number as usize)
                        {
                            thread::yield_now();
                        }
                        call
                    })
                    .collect();
                let refused = counter.note(9).wait().unwrap_err();
                assert_eq!(refused, CallError::MailboxFull);
                assert!(refused.never_ran());
                assert_eq!(block_on(counter.note(9)), Err(CallError::MailboxFull));
                gate.open();
                assert_eq!(holder.join().unwrap(), Ok(()));
                for (number, call) in (0..).zip(waiting) {
                    assert_eq!(call.join().unwrap(), Ok(number));
                }
            });
            assert_eq!(counter.seen().wait(), Ok(vec![0, 1, 2, 3]));
        }
    });
}

#[test]
fn a_refused_message_comes_back() {
    in_time(LONG, || {
        let engine = small().credits(tiny()).launch().unwrap();
        for (from, to) in [(0, 0), (0, 1)] {
            let start = if from == to { 0 } else { 1000 };
            let key = (start..)
                .find(|key| engine.home_of::<Counter>(*key) == to)
                .unwrap();
            let feeder = feeder_on(&engine, from);
            // A turn tells faster than anything is taken out.
            let (told, refused) = feeder.tell_all(key, 1000).wait().unwrap();
            let (message, reason) = refused.expect("a thousand at once are too many");
            assert_eq!(message, told);
            let expected = if from == to {
                CallError::MailboxFull
            } else {
                CallError::Overloaded
            };
            assert_eq!(reason, expected);
            assert!(reason.never_ran());
        }
    });
}

#[test]
fn a_refused_message_can_be_sent_again() {
    in_time(LONG, || {
        // Only the way there is short: at the other end, what finds no room is buried.
        let roomy = ActorOptions::new().mailbox(1000);
        let engine = small()
            .credits(tiny())
            .configure::<Counter>(roomy)
            .launch()
            .unwrap();
        for (from, to) in [(0, 0), (0, 1)] {
            let start = if from == to { 0 } else { 1000 };
            let key = (start..)
                .find(|key| engine.home_of::<Counter>(*key) == to)
                .unwrap();
            let refused = feeder_on(&engine, from)
                .tell_then_send(key, 2000)
                .wait()
                .unwrap();
            assert!(refused > 0, "nothing was refused between {from} and {to}");
            let seen = loop {
                let seen = engine.actor::<Counter>(key).seen().wait().unwrap();
                if seen.len() == 2000 {
                    break seen;
                }
                thread::yield_now();
            };
            assert!(seen.into_iter().eq(0..2000), "the order is that of sending");
        }
        assert_eq!(engine.dead_letters().total, 0);
    });
}

#[test]
fn a_full_mailbox_makes_its_sender_wait() {
    in_time(LONG, || {
        let engine = small().credits(tiny()).launch().unwrap();
        for (from, to) in [(0, 0), (0, 1)] {
            let start = if from == to { 0 } else { 1000 };
            let key = (start..)
                .find(|key| engine.home_of::<Patient>(*key) == to)
                .unwrap();
            let patient = engine.actor::<Patient>(key);
            let gate = Gate::new();
            thread::scope(|scope| {
                let holder = scope.spawn(|| patient.hold(gate.clone()).wait());
                gate.wait_for(1);
                let sender = scope.spawn(|| {
                    feeder_on(&engine, from)
                        .send_all(key, 100)
                        .timeout(LONG)
                        .wait()
                        .unwrap()
                });
                thread::sleep(Duration::from_millis(50));
                assert!(!sender.is_finished(), "a hundred found room for four");
                let waiting = engine
                    .list()
                    .iter()
                    .map(|actor| actor.waiting)
                    .max()
                    .unwrap();
                assert!(
                    waiting <= 4 + 8,
                    "{waiting} wait: the sender was not slowed down"
                );
                gate.open();
                assert_eq!(holder.join().unwrap(), Ok(()));
                sender.join().unwrap();
            });
            while patient.seen().wait().unwrap().len() < 100 {
                thread::yield_now();
            }
            assert!(patient.seen().wait().unwrap().into_iter().eq(0..100));
        }
        assert_eq!(engine.dead_letters().total, 0);
    });
}

#[test]
fn what_cannot_be_delivered_is_a_dead_letter() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let key = counter_on(&engine, 1);
        let counter = engine.actor::<Counter>(key);
        let gate = Gate::new();
        counter.hold(gate.clone()).tell().unwrap();
        gate.wait_for(1);
        // From another shard: taken by the ring, refused at the door.
        let told = feeder_on(&engine, 0).tell_all(key, 20).wait().unwrap();
        assert_eq!(told, (20, None));
        while engine.dead_letters().total < 16 {
            thread::yield_now();
        }
        gate.open();
        let seen = loop {
            match counter.seen().wait() {
                Ok(seen) => break seen,
                Err(error) => assert_eq!(error, CallError::MailboxFull),
            }
        };
        assert_eq!(seen, [0, 1, 2, 3]);
        let letters = engine.dead_letters();
        assert_eq!((letters.total, letters.kept.len()), (16, 16));
        assert_eq!(letters.count(DeadReason::MailboxFull), 16);
        let first = &letters.kept[0];
        assert_eq!((first.actor.actor, first.method), ("Counter", "note"));
        assert_eq!(first.reason, DeadReason::MailboxFull);
        assert_eq!(first.error, CallError::MailboxFull);
    });
}

#[test]
fn a_nested_ask_without_credit_is_overloaded() {
    in_time(LONG, || {
        let engine = small().credits(tiny()).launch().unwrap();
        let gate = Gate::new();
        let feeder = feeder_on(&engine, 0);
        let by = (500..)
            .find(|key| engine.home_of::<Feeder>(*key) == 0)
            .unwrap();
        let keys: Vec<u64> = (0..1000)
            .filter(|key| engine.home_of::<Counter>(*key) == 1)
            .collect();
        thread::scope(|scope| {
            let asks: Vec<_> = keys[..40]
                .iter()
                .map(|key| scope.spawn(|| feeder.ask_nested(by, *key, gate.clone()).wait()))
                .collect();
            // Those who are refused come back while the others wait at the gate.
            while !asks.iter().any(|ask| ask.is_finished()) {
                thread::yield_now();
            }
            gate.open();
            let ends: Vec<_> = asks.into_iter().map(|ask| ask.join().unwrap()).collect();
            let overloaded = Err(CallError::Failed(CallError::Failed(CallError::Overloaded)));
            assert!(
                ends.contains(&overloaded) && ends.contains(&Ok(())),
                "{ends:?}"
            );
            assert!(
                ends.iter().all(|end| *end == overloaded || *end == Ok(())),
                "{ends:?}"
            );
        });
        // All credit has come back.
        assert_eq!(feeder.ask_nested(by, keys[50], gate.clone()).wait(), Ok(()));
    });
}

#[derive(Default)]
pub struct Stuck;

#[actor]
impl Stuck {
    /// Holds its whole shard until told that enough has happened.
    pub fn block(
        &self,
        begun: std::sync::mpsc::SyncSender<()>,
        until: std::sync::Arc<std::sync::Barrier>,
    ) {
        begun.send(()).unwrap();
        until.wait();
    }

    pub fn nothing(&self) {}
}

#[test]
fn a_full_inbox_refuses_those_outside_and_gives_the_message_back() {
    in_time(LONG, || {
        let engine = small().launch().unwrap();
        let stuck = engine.actor::<Stuck>(1);
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(2));
        let (begun, has_begun) = std::sync::mpsc::sync_channel(1);
        stuck.block(begun, barrier.clone()).tell().unwrap();
        has_begun.recv().unwrap();
        let mut told = 0;
        let refused = loop {
            match stuck.nothing().tell() {
                Ok(()) => told += 1,
                Err(error) => break error,
            }
            assert!(told < 100_000, "the inbox has no bound");
        };
        assert_eq!(refused.reason, CallError::Overloaded);
        assert_eq!(block_on(stuck.nothing()), Err(CallError::Overloaded));
        barrier.wait();
        block_on(Call::of(&stuck, refused.message).send()).unwrap();
        assert_eq!(stuck.nothing().wait(), Ok(()));
        assert_eq!(engine.dead_letters().total, 0);
    });
}

#[test]
fn options_given_at_launch_go_before_the_attribute() {
    in_time(LONG, || {
        let waits = ActorOptions::new().when_full(WhenFull::Wait).mailbox(1);
        let engine = small().configure::<Counter>(waits).launch().unwrap();
        let counter = engine.actor::<Counter>(1);
        let gate = Gate::new();
        thread::scope(|scope| {
            scope.spawn(|| counter.hold(gate.clone()).wait().unwrap());
            gate.wait_for(1);
            for number in 0..5 {
                let counter = &counter;
                scope.spawn(move || assert_eq!(counter.note(number).wait(), Ok(number)));
            }
            thread::sleep(Duration::from_millis(30));
            gate.open();
        });
        assert_eq!(counter.seen().wait().unwrap().len(), 5);
    });
}
