//! Doubles: what stands in for actors in a test.
#![allow(missing_docs)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Double, Outcome, Sim, SimOptions, for_seeds};
use quark::{ActorOptions, Key, RateLimit, Strategy, Supervision, sleep};
use quark_tests::{in_time, small};

/// What a test has none of.
pub struct Connection(());

/// Can't be made in a test.
pub struct Bank {
    _connection: Connection,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused;

/// Neither `Clone` nor `Debug`.
pub struct Sealed(u64);

#[actor]
impl Bank {
    async fn on_activate(&mut self) -> Result<(), String> {
        Err("a test has no bank".to_owned())
    }

    async fn on_deactivate(&mut self) {
        unreachable!("nobody makes one")
    }

    pub async fn book(&mut self, _from: u64, _cents: i64) -> Result<u64, Refused> {
        unreachable!("nobody makes one")
    }

    pub fn balance(&self, _of: u64) -> i64 {
        unreachable!("nobody makes one")
    }

    pub fn note(&mut self, _word: String) {
        unreachable!("nobody makes one")
    }

    #[turn(coalesce)]
    pub async fn rate(&self, _currency: u64) -> u64 {
        unreachable!("nobody makes one")
    }

    pub fn seal(&self, _sealed: Sealed) -> u64 {
        unreachable!("nobody makes one")
    }
}

#[derive(Default)]
pub struct Shop;

#[actor]
impl Shop {
    pub async fn sell(&mut self, cx: &Cx<Self>, cents: i64) -> Result<u64, CallError<Refused>> {
        cx.actor::<Bank>("main").book(7, cents).await
    }

    pub async fn ask(&self, cx: &Cx<Self>, of: u64) -> Result<i64, CallError> {
        cx.actor::<Bank>("main").balance(of).await
    }
}

fn world(seed: u64, bank: &Double<Bank>) -> Sim {
    let builder = Engine::builder()
        .register::<Bank>(|_| unreachable!("nobody makes one"))
        .double(bank);
    builder
        .simulate(seed, SimOptions::default())
        .expect("nothing is registered twice")
}

fn said(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it was to fail");
    let said = panic.downcast_ref::<String>().cloned();
    said.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()))
        .expect("failures are told in words")
}

#[test]
fn a_stub_answers_in_the_actors_stead() {
    let bank = Double::<Bank>::new()
        .on_async(BankRef::book, async |cx, (from, cents)| {
            assert_eq!((cx.key(), from), (Key::from("main"), 7));
            sleep(Duration::from_secs(2)).await;
            if cents > 100 { Err(Refused) } else { Ok(1) }
        })
        // A method that never suspends may have a stub that does.
        .on_async(BankRef::balance, async |_, (of,)| {
            sleep(Duration::from_secs(5)).await;
            of as i64
        })
        .expect(BankRef::book, 2)
        .expect(BankRef::note, 0);
    let sim = world(1, &bank);
    let shop = sim.actor::<Shop>(1);
    assert_eq!(sim.block_on(shop.sell(100)), Ok(1));
    assert_eq!(
        sim.block_on(shop.sell(101)),
        Err(CallError::Failed(CallError::Failed(Refused)))
    );
    let before = sim.now();
    assert_eq!(sim.block_on(shop.ask(3)), Ok(3));
    assert!(sim.now().since(before) >= Duration::from_secs(5));
    assert_eq!(bank.count(BankRef::book), 2);
    assert_eq!(bank.arguments(BankRef::book), [(7, 100), (7, 101)]);
    assert_eq!(bank.arguments(BankRef::balance), [(3,)]);
    bank.verify();
    // Its stubs can be replaced in the middle of a test.
    let _ = bank.clone().returns(BankRef::book, Ok(9));
    assert_eq!(sim.block_on(shop.sell(101)), Ok(9));
    let _ = bank.expect(BankRef::book, 2..);
    sim.shutdown();
}

#[test]
fn a_message_without_a_stub_fails_the_test_and_is_named() {
    for_seeds(0..20, |seed| {
        let failed = said(|| {
            let sim = world(seed, &Double::new());
            let shop = sim.actor::<Shop>(1);
            let _ = sim.block_on(shop.sell(5));
        });
        let whole = ["Bank/main", "book(7, 5)", &format!("QUARK_SEED={seed}")];
        for part in whole {
            assert!(failed.contains(part), "{failed}");
        }
    });
}

#[test]
fn what_was_expected_and_did_not_come_is_told_when_the_run_ends() {
    let bank = Double::<Bank>::new()
        .on(BankRef::note, |_, _| ())
        .expect(BankRef::note, 3)
        .expect(BankRef::balance, 1..=2);
    let failed = said(|| {
        let sim = world(3, &bank);
        let main = sim.actor::<Bank>("main");
        sim.block_on(main.note("one".to_owned())).unwrap();
        sim.block_on(main.note("two".to_owned())).unwrap();
        sim.shutdown();
    });
    let whole = [
        "note was expected 3 times and came 2 times",
        "balance was expected 1 to 2 times and came 0 times",
        "main: note(\"two\")",
    ];
    for part in whole {
        assert!(failed.contains(part), "{failed}");
    }
    assert!(said(|| bank.verify()).contains("note was expected"));
}

#[test]
fn arguments_that_are_not_clone_reach_the_stub_all_the_same() {
    let bank = Double::<Bank>::new().on(BankRef::seal, |_, (sealed,)| sealed.0 + 1);
    let sim = world(4, &bank);
    let main = sim.actor::<Bank>("main");
    assert_eq!(sim.block_on(main.seal(Sealed(4))), Ok(5));
    assert_eq!(bank.count(BankRef::seal), 1);
    let failed = said(|| drop(bank.arguments(BankRef::seal)));
    assert!(failed.contains("not Clone"), "{failed}");
    sim.shutdown();
}

/// The gate, the mailbox and the order are the actor's own.
#[test]
fn a_double_takes_turns_as_its_actor_would() {
    for_seeds(0..200, |seed| {
        let inside = Arc::new(AtomicU64::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let (theirs, notes) = (inside.clone(), order.clone());
        let bank = Double::<Bank>::new()
            .on_async(BankRef::book, async move |_, (from, cents)| {
                assert_eq!(theirs.fetch_add(1, Ordering::SeqCst), 0, "it is alone");
                sleep(Duration::from_micros(50)).await;
                theirs.fetch_sub(1, Ordering::SeqCst);
                notes.lock().unwrap().push((from, cents));
                Ok(from)
            })
            .expect(BankRef::book, 40);
        let options = ActorOptions::new().mailbox(64);
        let sim = Engine::builder()
            .register_with::<Bank>(options, |_| unreachable!("nobody makes one"))
            .double(&bank)
            .simulate(seed, SimOptions::default())
            .unwrap();
        for sender in 0..4 {
            let main = sim.actor::<Bank>("main");
            sim.spawn_on(sender % 2, async move {
                for number in 0..10 {
                    if sender < 2 {
                        main.book(u64::from(sender), number).send().await.unwrap();
                    } else {
                        main.book(u64::from(sender), number).await.unwrap();
                    }
                }
            });
        }
        sim.run_until_idle();
        for sender in 0..4 {
            let order = order.lock().unwrap();
            let own = order.iter().filter(|(from, _)| *from == sender);
            let own: Vec<_> = own.map(|(_, number)| *number).collect();
            assert_eq!(own, (0..10).collect::<Vec<_>>(), "in the order sent");
        }
        sim.shutdown();
    });
}

#[test]
fn a_full_mailbox_is_full_for_a_double_too() {
    let bank = Double::<Bank>::new().on_async(BankRef::note, async |_, _| {
        sleep(Duration::from_secs(1)).await;
    });
    let sim = Engine::builder()
        .register_with::<Bank>(ActorOptions::new().mailbox(2), |_| {
            unreachable!("nobody makes one")
        })
        .double(&bank)
        .simulate(6, SimOptions::default())
        .unwrap();
    let refused = Arc::new(AtomicU64::new(0));
    for _ in 0..8 {
        let (main, refused) = (sim.actor::<Bank>(1), refused.clone());
        sim.spawn_on(0, async move {
            match main.note(String::new()).await {
                Ok(()) => {}
                Err(CallError::MailboxFull) => drop(refused.fetch_add(1, Ordering::SeqCst)),
                Err(other) => panic!("{other}"),
            }
        });
    }
    sim.run_until_idle();
    let refused = refused.load(Ordering::SeqCst);
    assert!(refused > 0, "eight at once, of which two may wait");
    assert_eq!(bank.count(BankRef::note) + refused, 8);
    sim.shutdown();
}

#[test]
fn a_panicking_stub_ends_its_turn_only() {
    let bank = Double::<Bank>::new().on_async(BankRef::book, async |_, (_, cents)| {
        sleep(Duration::from_millis(1)).await;
        assert!(cents > 0, "as the test wants it");
        Ok(0)
    });
    let sim = world(7, &bank);
    let main = sim.actor::<Bank>("main");
    assert_eq!(sim.block_on(main.book(1, -1)), Err(CallError::Panicked));
    assert_eq!(sim.block_on(main.book(1, 1)), Ok(0));
    // It sleeps and wakes like any other.
    sim.run_for(Duration::from_secs(1000));
    assert_eq!(sim.count(), 0);
    assert_eq!(sim.block_on(main.book(1, 1)), Ok(0));
    sim.shutdown();
}

/// Has two of a bank's doubles as children.
#[derive(Default)]
pub struct Holding;

#[actor]
impl Holding {
    pub async fn found(&mut self, cx: &Cx<Self>) {
        for key in ["east", "west"] {
            let _ = cx.child::<Bank>(key).balance(0).await;
        }
    }
}

#[test]
fn a_double_that_fails_is_supervised() {
    for_seeds(0..50, |seed| {
        let strategy = ActorOptions::new().supervision(Supervision {
            strategy: Strategy::AllForOne,
            ..Supervision::DEFAULT
        });
        let bank = Double::<Bank>::new()
            .returns(BankRef::balance, 5)
            .on(BankRef::book, |_, _| {
                std::panic::resume_unwind(Box::new("as the test wants it"))
            });
        let sim = Engine::builder()
            .configure::<Holding>(strategy)
            .double(&bank)
            .simulate(seed, SimOptions::default())
            .unwrap();
        sim.block_on(sim.actor::<Holding>(1).found()).unwrap();
        for round in 1..=3 {
            let east = sim.actor::<Bank>("east");
            assert_eq!(sim.block_on(east.book(1, 1)), Err(CallError::Panicked));
            sim.run_for(Duration::from_secs(1));
            assert_eq!(sim.counts().restarted, 2 * round, "both begin anew");
            for key in ["east", "west"] {
                assert_eq!(sim.block_on(sim.actor::<Bank>(key).balance(0)), Ok(5));
            }
        }
        sim.shutdown();
    });
}

#[test]
fn a_double_moves() {
    for_seeds(0..50, |seed| {
        let bank = Double::<Bank>::new().on(BankRef::balance, |cx, _| i64::from(cx.shard()));
        let sim = world(seed, &bank);
        let main = sim.actor::<Bank>("main");
        let home = sim.block_on(main.balance(0)).unwrap();
        for to in [1 - home, home, 1 - home] {
            let moved = sim.engine().migrate(&main, to as u16);
            assert_eq!(sim.block_on(moved), Ok(()));
            sim.run_until_idle();
            assert_eq!(sim.block_on(main.balance(0)), Ok(to));
        }
        assert_eq!(sim.count(), 1);
        sim.shutdown();
    });
}

#[test]
fn a_doubles_type_keeps_its_limits() {
    let limit = RateLimit {
        per_second: 1,
        burst: 2,
    };
    let bank = Double::<Bank>::new().returns(BankRef::balance, 5);
    let sim = Engine::builder()
        .register_with::<Bank>(ActorOptions::new().rate_limit(limit), |_| {
            unreachable!("nobody makes one")
        })
        .double(&bank)
        .simulate(9, SimOptions::default())
        .unwrap();
    let main = sim.actor::<Bank>("main");
    let answers: Vec<_> = (0..4).map(|_| sim.block_on(main.balance(0))).collect();
    assert_eq!(answers[..2], [Ok(5), Ok(5)]);
    for refused in &answers[2..] {
        let refused = refused.as_ref().expect_err("two at once are enough");
        assert!(refused.never_ran(), "{refused}");
    }
    assert_eq!(bank.count(BankRef::balance), 2);
    sim.shutdown();
}

#[test]
fn identical_calls_share_a_doubles_turn() {
    for_seeds(0..20, |seed| {
        let bank = Double::<Bank>::new()
            .on_async(BankRef::rate, async |_, (currency,)| {
                sleep(Duration::from_secs(1)).await;
                currency + 100
            })
            .expect(BankRef::rate, 2);
        let options = SimOptions {
            log_messages: true,
            ..SimOptions::default()
        };
        let sim = Engine::builder()
            .double(&bank)
            .simulate(seed, options)
            .unwrap();
        for caller in 0..6 {
            let main = sim.actor::<Bank>("main");
            sim.spawn_on(caller % 2, async move {
                let currency = u64::from(caller % 3 == 0);
                assert_eq!(main.rate(currency).await, Ok(currency + 100));
            });
        }
        sim.run_until_idle();
        let seen = sim.seen::<Bank>().method(BankRef::rate).assert_count(6);
        seen.ended(&Outcome::Replied).assert_count(2);
        seen.ended(&Outcome::Joined).assert_count(4);
        sim.shutdown();
    });
}

#[test]
fn a_seed_leaves_one_trace_with_doubles() {
    let run = |seed| {
        let bank = Double::<Bank>::new().on_async(BankRef::book, async |cx, _| {
            sleep(Duration::from_micros(cx.random() % 100)).await;
            Ok(0)
        });
        let sim = world(seed, &bank);
        for shard in 0..2 {
            let shop = sim.actor::<Shop>(u64::from(shard));
            sim.spawn_on(shard, async move {
                for cents in 0..20 {
                    shop.sell(cents).await.unwrap();
                }
            });
        }
        sim.run_until_idle();
        sim.trace()
    };
    for_seeds(0..20, |seed| assert_eq!(run(seed), run(seed)));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_real_engine_takes_doubles_too() {
    in_time(Duration::from_secs(60), || {
        let bank = Double::<Bank>::new()
            .on_async(BankRef::book, async |_, (_, cents)| {
                sleep(Duration::from_millis(1)).await;
                if cents > 0 { Ok(0) } else { Err(Refused) }
            })
            .expect(BankRef::book, 40);
        let engine = small().double(&bank).launch().unwrap();
        for key in 0..20_u64 {
            let shop = engine.actor::<Shop>(key);
            assert_eq!(shop.sell(1).wait(), Ok(0));
            let refused = CallError::Failed(CallError::Failed(Refused));
            assert_eq!(shop.sell(-1).wait(), Err(refused));
        }
        bank.verify();
        let main = engine.actor::<Bank>("main");
        assert_eq!(main.balance(1).wait(), Err(CallError::Panicked));
        assert!(said(|| bank.verify()).contains("balance(1)"));
        engine.shutdown();
    });
}
