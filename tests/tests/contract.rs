//! Actors that are called by a contract: by other processes, and beside those who implement it.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "what tests call explains itself"
)]

use std::fmt::Debug;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark::testing::SimOptions;
use quark::{ActorOptions, CallError, Client, DownReason, Listen, Placement, RegisterError};

/// What programs that only call have.
mod api {
    use quark::prelude::*;

    #[message]
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Refused {
        TooLittle { cents: i64 },
    }

    #[actor(name = "bank.account")]
    pub trait Account {
        fn deposit(&mut self, cents: i64) -> i64;
        async fn withdraw(&mut self, cents: i64) -> Result<i64, Refused>;
        fn balance(&self) -> i64;
        /// The shard on which it runs.
        fn place(&self) -> u16;
        fn end(&mut self);
        async fn dawdle(&self, millis: u64);
    }
}

use api::{Account, Refused};

/// What the server has besides.
mod bank {
    use super::*;

    #[derive(Default)]
    pub struct Ledger {
        cents: i64,
    }

    #[actor]
    impl Account for Ledger {
        fn deposit(&mut self, cents: i64) -> i64 {
            self.cents += cents;
            self.cents
        }

        async fn withdraw(&mut self, cx: &Cx<Self>, cents: i64) -> Result<i64, Refused> {
            if self.cents < cents {
                return Err(Refused::TooLittle { cents: self.cents });
            }
            // By the contract, to itself: it is one actor by either name.
            let me = cx.actor::<dyn Account>(cx.key().clone());
            me.deposit(-cents).tell().expect("there is room");
            Ok(self.cents - cents)
        }

        fn balance(&self) -> i64 {
            self.cents
        }

        fn place(&self, cx: &Cx<Self>) -> u16 {
            cx.shard()
        }

        fn end(&mut self, cx: &Cx<Self>) {
            cx.stop();
        }

        async fn dawdle(&self, millis: u64) {
            quark::sleep(Duration::from_millis(millis)).await;
        }
    }
}

use bank::Ledger;

/// Another that has the same.
#[derive(Default)]
struct Ghost;

#[actor]
impl Account for Ghost {
    fn deposit(&mut self, _cents: i64) -> i64 {
        0
    }
    async fn withdraw(&mut self, _cents: i64) -> Result<i64, Refused> {
        Ok(0)
    }
    fn balance(&self) -> i64 {
        0
    }
    fn place(&self) -> u16 {
        0
    }
    fn end(&mut self) {}
    async fn dawdle(&self, _millis: u64) {}
}

/// A neighbour that knows the contract alone.
#[derive(Default)]
struct Teller {
    down: Vec<DownReason>,
}

#[actor]
impl Teller {
    pub async fn pay(&mut self, cx: &Cx<Self>, to: u64, cents: i64) -> Result<i64, CallError> {
        cx.actor::<dyn Account>(to).deposit(cents).await
    }

    pub async fn take(
        &mut self,
        cx: &Cx<Self>,
        from: u64,
        cents: i64,
    ) -> Result<i64, CallError<Refused>> {
        cx.actor::<dyn Account>(from).withdraw(cents).await
    }

    pub fn watch(&mut self, cx: &Cx<Self>, account: u64) {
        let account = cx.actor::<dyn Account>(account);
        cx.watch(&account, |me, down| me.on_down(down));
    }

    pub fn on_down(&mut self, down: quark::Down) {
        self.down.push(down.reason);
    }

    pub fn down(&self) -> usize {
        self.down.len()
    }
}

fn two_shards() -> Topology {
    let found = Topology::detect().expect("the machine can be read");
    found.shards(2).oversubscribe(true)
}

fn bank() -> Engine {
    Engine::builder()
        .topology(two_shards())
        .configure::<Ledger>(ActorOptions::new())
        .launch()
        .expect("a bank")
}

fn unregistered<T: Debug, E: Debug>(refused: Result<T, CallError<E>>) -> RegisterError {
    match refused {
        Err(CallError::Unregistered(why)) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_that_has_the_contract_alone_calls_what_implements_it() {
    let listen = Listen::at("127.0.0.1:0".parse().expect("an address"));
    let engine = Engine::builder()
        .topology(two_shards())
        .configure::<Ledger>(ActorOptions::new())
        .listen(listen)
        .launch()
        .expect("a bank");
    let client = Client::connect(engine.addresses()[0]).expect("a client");
    for key in 0..20u64 {
        let account = client.actor::<dyn Account>(key);
        assert_eq!(account.deposit(7).wait(), Ok(7));
        assert_eq!(account.withdraw(2).wait(), Ok(5));
        let refused = Refused::TooLittle { cents: 5 };
        assert_eq!(account.withdraw(9).wait(), Err(CallError::Failed(refused)));
        // Where it lives, it is one actor, by the contract and by its own name.
        assert_eq!(engine.actor::<Ledger>(key).balance().wait(), Ok(5));
        assert_eq!(engine.actor::<dyn Account>(key).balance().wait(), Ok(5));
    }
}

#[test]
fn neighbours_on_every_shard_call_by_the_contract() {
    let engine = bank();
    for key in 0..20u64 {
        let teller = engine.actor::<Teller>(key);
        for account in 0..20u64 {
            assert_eq!(teller.pay(account, 3).wait(), Ok(3 * (key as i64 + 1)));
        }
    }
    for account in 0..20u64 {
        assert_eq!(engine.actor::<Ledger>(account).balance().wait(), Ok(60));
        let taken = engine.actor::<Teller>(account).take(account, 100).wait();
        let refused = Refused::TooLittle { cents: 60 };
        assert_eq!(
            taken,
            Err(CallError::Failed(CallError::Failed(refused))),
            "account {account}"
        );
    }
}

#[test]
fn messages_by_the_contract_and_by_name_keep_their_order() {
    let engine = bank();
    for account in 0..4u64 {
        let by_contract = engine.actor::<dyn Account>(account);
        let by_name = engine.actor::<Ledger>(account);
        engine
            .actor::<Teller>(account)
            .pay(account, 1)
            .wait()
            .expect("paid");
        for round in 0..200 {
            let told = if round % 2 == 0 {
                by_contract.deposit(1).tell().is_ok()
            } else {
                by_name.deposit(1).tell().is_ok()
            };
            assert!(told, "round {round}");
            assert_eq!(by_contract.balance().wait(), Ok(i64::from(round) + 2));
        }
    }
}

#[test]
fn threads_outside_and_ports_call_by_the_contract() {
    let engine = bank();
    let port = engine.port().expect("a port");
    for account in 0..8u64 {
        let reference = engine.actor::<dyn Account>(account);
        reference.deposit(4).tell().expect("there is room");
        assert_eq!(reference.deposit(5).wait(), Ok(9));
        // What was learned by one call must not lead the next astray.
        assert_eq!(reference.clone().deposit(6).wait(), Ok(15));
    }
    drop(port);
    for account in 0..8u64 {
        let reference = engine.actor::<dyn Account>(account);
        reference.deposit(4).tell().expect("there is room");
        assert_eq!(reference.deposit(1).wait(), Ok(20));
    }
}

#[test]
fn the_placement_is_that_of_what_implements_it() {
    let engine = Engine::builder()
        .topology(two_shards())
        .configure::<Ledger>(ActorOptions::new().placement(Placement::Pinned(1)))
        .launch()
        .expect("a bank");
    for account in 0..8u64 {
        assert_eq!(engine.home_of::<dyn Account>(account), 1);
        assert_eq!(engine.actor::<dyn Account>(account).place().wait(), Ok(1));
        let teller = engine.actor::<Teller>(account);
        assert_eq!(teller.pay(account, 1).wait(), Ok(1));
    }
}

#[test]
fn actors_that_were_moved_are_found_by_the_contract() {
    let engine = bank();
    for account in 0..8u64 {
        let by_name = engine.actor::<Ledger>(account);
        let by_contract = engine.actor::<dyn Account>(account);
        assert_eq!(by_contract.deposit(5).wait(), Ok(5));
        let to = 1 - by_contract.place().wait().expect("a place");
        engine.migrate(&by_name, to).wait().expect("moved");
        assert_eq!(by_contract.place().wait(), Ok(to));
        assert_eq!(by_contract.deposit(5).wait(), Ok(10));
        for teller in 0..4u64 {
            let paid = engine.actor::<Teller>(teller).pay(account, 1).wait();
            assert_eq!(paid, Ok(11 + teller as i64));
        }
    }
    // It speaks of its own messages, not of those that the engine has.
    let refused = engine.migrate(&engine.actor::<dyn Account>(1), 0).wait();
    let name = "bank.account";
    assert_eq!(unregistered(refused), RegisterError::ByContract { name });
}

#[test]
fn an_actor_is_watched_by_the_contract() {
    let engine = bank();
    for account in 0..8u64 {
        let teller = engine.actor::<Teller>(account + 1);
        let watched = engine.actor::<dyn Account>(account);
        assert_eq!(watched.deposit(1).wait(), Ok(1));
        teller.watch(account).wait().expect("watched");
        watched.end().wait().expect("ended");
        let begun = Instant::now();
        while teller.down().wait() != Ok(1) {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody was told");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_full_mailbox_is_full_by_the_contract_too() {
    let sim = Engine::builder()
        .configure::<Ledger>(ActorOptions::new().mailbox(4))
        .simulate(1, SimOptions::default())
        .expect("a simulation");
    let account = sim.actor::<dyn Account>(1);
    let by_contract = account.clone();
    sim.spawn_on(0, async move {
        let told = (0..10).take_while(|_| by_contract.deposit(1).tell().is_ok());
        assert_eq!(told.count(), 4);
        for _ in 0..10 {
            let sent = by_contract.deposit(1).send().await;
            sent.expect("there is room, later");
        }
    });
    sim.run_until_idle();
    assert_eq!(sim.block_on(account.balance()), Ok(14));
}

#[test]
fn a_call_by_the_contract_waits_no_longer_than_it_says() {
    let engine = bank();
    let account = engine.actor::<dyn Account>(1);
    let waited = account
        .dawdle(500)
        .timeout(Duration::from_millis(20))
        .wait();
    assert_eq!(waited, Err(CallError::Timeout));
    assert_eq!(account.dawdle(1).wait(), Ok(()));
}

#[test]
fn an_engine_without_an_implementation_says_so() {
    let engine = Engine::launch(two_shards()).expect("an engine");
    let refused = engine.actor::<dyn Account>(1).deposit(1).wait();
    let name = "bank.account";
    assert_eq!(
        unregistered(refused),
        RegisterError::NotImplemented { name }
    );
}

#[test]
fn an_engine_has_one_implementation_of_a_contract() {
    let launched = Engine::builder()
        .topology(two_shards())
        .configure::<Ledger>(ActorOptions::new())
        .configure::<Ghost>(ActorOptions::new())
        .launch();
    let why = launched.expect_err("two of them").to_string();
    assert!(why.contains("two registered types implement"), "{why}");
}

#[test]
fn a_simulated_engine_hands_messages_over_too() {
    let sim = Engine::builder()
        .configure::<Ledger>(ActorOptions::new())
        .simulate(2, SimOptions::default())
        .expect("a simulation");
    let account = sim.actor::<dyn Account>(1);
    let total = sim.block_on(async move {
        let mut total = 0;
        for _ in 0..10 {
            total = account.deposit(2).await?;
        }
        Ok::<_, CallError>(total)
    });
    assert_eq!(total, Ok(20));
}
