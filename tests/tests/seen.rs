//! The log of messages that a simulation keeps, and what can be asserted of it.
#![allow(missing_docs)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{Double, Outcome, Sim, SimOptions, for_seeds};
use quark::{ActorOptions, Context, sleep};

#[derive(Default)]
pub struct Account {
    cents: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Overdrawn;

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    pub async fn withdraw(&mut self, cents: i64) -> Result<i64, Overdrawn> {
        sleep(Duration::from_millis(1)).await;
        if cents > self.cents {
            return Err(Overdrawn);
        }
        self.cents -= cents;
        Ok(self.cents)
    }

    pub async fn balance(&self) -> i64 {
        self.cents
    }

    pub fn boom(&mut self) {
        std::panic::resume_unwind(Box::new("as the test wants it"));
    }
}

#[derive(Default)]
pub struct Teller;

#[actor]
impl Teller {
    pub async fn transfer(&mut self, cx: &Cx<Self>, from: u64, to: u64, cents: i64) -> bool {
        let (from, to) = (cx.actor::<Account>(from), cx.actor::<Account>(to));
        let withdrawn = from.withdraw(cents).await.is_ok();
        if withdrawn {
            to.deposit(cents).send().await.unwrap();
        }
        withdrawn
    }

    pub fn request(&self, cx: &Cx<Self>) -> Option<u64> {
        cx.request_id()
    }
}

fn world(seed: u64) -> Sim {
    let options = SimOptions {
        log_messages: true,
        ..SimOptions::default()
    };
    Engine::builder()
        .configure::<Account>(ActorOptions::new().mailbox(2))
        .simulate(seed, options)
        .unwrap()
}

fn said(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it was to fail");
    let said = panic.downcast_ref::<String>().cloned();
    said.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()))
        .expect("failures are told in words")
}

#[test]
fn messages_are_seen_with_sender_arguments_and_outcome() {
    for_seeds(0..100, |seed| {
        let sim = world(seed);
        let teller = sim.actor::<Teller>("main");
        sim.block_on(sim.actor::<Account>(1).deposit(100)).unwrap();
        assert_eq!(sim.block_on(teller.transfer(1, 2, 30)), Ok(true));
        assert_eq!(sim.block_on(teller.transfer(1, 2, 300)), Ok(false));
        sim.run_until_idle();

        let seen = sim.seen::<Account>();
        let withdrawn = seen.method(AccountRef::withdraw).assert_count(2);
        assert_eq!(withdrawn.arguments(), [(30,), (300,)]);
        let by_teller = withdrawn.from::<Teller>("main").asked().assert_count(2);
        by_teller.ended(&Outcome::Failed).assert_count(1);
        by_teller
            .ended(&Outcome::Replied)
            .with(|(cents,)| *cents == 30)
            .assert_count(1);
        for message in by_teller.messages() {
            let took = message.ended.unwrap().since(message.began);
            assert!(took >= Duration::from_millis(1), "{message}");
        }
        let paid_in = seen.method(AccountRef::deposit).to(2).assert_count(1);
        paid_in.told().from::<Teller>("main").assert_count(1);
        withdrawn.ended(&Outcome::Replied).assert_before(&paid_in);
        seen.method(AccountRef::balance).assert_none();
        let outside = seen.only_if(|message| message.from.is_none());
        outside.assert_count(1).assert_all(|message| message.asked);
        assert_eq!(sim.seen_messages().len(), 6, "two of them to the teller");
        sim.shutdown();
    });
}

#[test]
fn panics_and_refusals_are_seen() {
    let sim = world(2);
    let account = sim.actor::<Account>(1);
    assert_eq!(sim.block_on(account.boom()), Err(CallError::Panicked));
    for _ in 0..8 {
        let account = account.clone();
        sim.spawn_on(0, async move {
            let _ = account.withdraw(1).await;
        });
    }
    sim.run_until_idle();
    let seen = sim.seen::<Account>();
    seen.method(AccountRef::boom)
        .ended(&Outcome::Panicked)
        .assert_count(1);
    let refused = seen.only_if(|message| matches!(message.outcome, Outcome::Refused(_)));
    let refused = refused.assert_some();
    assert_eq!(seen.method(AccountRef::withdraw).count(), 8);
    let failed = seen.ended(&Outcome::Failed).count();
    assert_eq!(refused.count() + failed, 8);
    sim.shutdown();
}

#[test]
fn a_failure_shows_the_log() {
    let sim = world(3);
    let account = sim.actor::<Account>("alice");
    sim.block_on(account.deposit(5)).unwrap();
    let seen = sim.seen::<Account>().to("alice");
    let failed = said(|| drop(seen.clone().assert_count(2)));
    let whole = [
        "Account to alice: 2 were to be seen, not 1",
        "(outside) asks",
        "Account/alice: deposit(5) replied",
    ];
    for part in whole {
        assert!(failed.contains(part), "{failed}");
    }
    let deposits = seen.method(AccountRef::deposit);
    assert!(said(|| deposits.assert_before(&deposits)).contains("to come before"));
    assert!(said(|| drop(deposits.clone().assert_none())).contains("0 were to be seen"));
    assert!(said(|| drop(seen.ended(&Outcome::Panicked).assert_some())).contains("one at least"));
    let other = said(|| drop(seen.clone().assert_all(|message| !message.asked)));
    assert!(other.contains("otherwise"), "{other}");
    let none = Engine::builder()
        .simulate(3, SimOptions::default())
        .unwrap();
    assert!(said(|| drop(none.seen::<Account>())).contains("log_messages"));
}

#[test]
fn the_log_leaves_contexts_alone() {
    let sim = world(4);
    let teller = sim.actor::<Teller>(1);
    assert_eq!(sim.block_on(teller.request()), Ok(None));
    let request = teller.request().context(Context::new(7));
    assert_eq!(sim.block_on(request), Ok(Some(7)));
    sim.shutdown();
}

#[test]
fn doubles_are_seen_like_their_actors() {
    let accounts = Double::<Account>::new()
        .returns(AccountRef::deposit, 1)
        .on(AccountRef::withdraw, |_, (cents,)| Ok(cents));
    let options = SimOptions {
        log_messages: true,
        ..SimOptions::default()
    };
    let sim = Engine::builder()
        .double(&accounts)
        .simulate(5, options)
        .unwrap();
    let teller = sim.actor::<Teller>("main");
    assert_eq!(sim.block_on(teller.transfer(1, 2, 30)), Ok(true));
    sim.run_until_idle();
    let seen = sim.seen::<Account>().from::<Teller>("main");
    seen.assert_count(2)
        .ended(&Outcome::Replied)
        .assert_count(2);
    sim.shutdown();
}

#[test]
fn a_seed_leaves_one_log() {
    let run = |seed| {
        let sim = world(seed);
        for shard in 0..2 {
            let teller = sim.actor::<Teller>(u64::from(shard));
            sim.spawn_on(shard, async move {
                for to in 0..20 {
                    let _ = teller.transfer(to % 3, to % 5, -1).await;
                }
            });
        }
        sim.run_until_idle();
        (sim.trace(), sim.seen_messages())
    };
    for_seeds(0..20, |seed| assert_eq!(run(seed), run(seed)));
}
