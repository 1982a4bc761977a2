//! What actors keep: states that outlive their activations, and what becomes of those that don't.
#![allow(missing_docs)]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use quark::prelude::*;
use quark::storage::memory::MemoryStore;
use quark::storage::provider::{ETag, Epoch, Expected, Provider, RecordKey, Write};
use quark::testing::{Double, Sim, SimOptions};
use quark::{ActorOptions, Old, Placement, RegisterError, StateError, UpgradeError, Versioned};
use quark_tests::shelf::{self, Shelf};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    cents: i64,
}

#[derive(Default, Stateful)]
pub struct Account {
    #[state]
    balance: State<Balance>,
    greeted: bool,
    seen_first: i64,
}

#[actor]
impl Account {
    fn on_activate(&mut self) {
        self.seen_first = self.balance.cents;
    }

    pub async fn deposit(&mut self, cents: i64) -> Result<i64, StateError> {
        self.balance.cents += cents;
        self.balance.save().await?;
        Ok(self.balance.cents)
    }

    pub fn look(&self) -> (i64, bool) {
        (self.balance.cents, self.balance.exists())
    }

    pub fn greet(&mut self) -> bool {
        std::mem::replace(&mut self.greeted, true)
    }

    pub fn seen_first(&self) -> i64 {
        self.seen_first
    }

    pub async fn reload(&mut self) -> Result<i64, StateError> {
        self.balance.reload().await?;
        Ok(self.balance.cents)
    }

    pub async fn close(&mut self) -> Result<(), StateError> {
        self.balance.clear().await
    }

    /// Saves `cents`, but waits for it no longer than one poll.
    pub async fn save_and_leave(&mut self, cents: i64) -> Option<ETag> {
        self.balance.cents = cents;
        let mut save = pin!(self.balance.save());
        let first = poll_fn(|cx| Poll::Ready(save.as_mut().poll(cx))).await;
        assert!(first.is_pending(), "the store takes its time");
        None
    }

    pub fn etag(&self) -> Option<ETag> {
        self.balance.etag()
    }

    pub fn sleep(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }

    pub fn shard(&self, cx: &Cx<Self>) -> u16 {
        cx.shard()
    }

    pub fn boom(&mut self) {
        self.balance.cents = -1;
        panic!("boom")
    }
}

fn sim(builder: quark::EngineBuilder) -> Sim {
    builder.simulate(1, SimOptions::default()).unwrap()
}

fn on_shelf() -> (Rc<Shelf>, Sim) {
    let shelf = shelf::fresh();
    (shelf, sim(Engine::builder().store(shelf::store())))
}

/// Runs what needs no shard, and is ready at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("memory answers at once"),
    }
}

/// Under which slot the store has met that record: nobody may come there under a lower epoch.
fn slot(memory: &MemoryStore, actor: &str, key: &str, name: &str) -> Option<u16> {
    (0..=u16::MAX).find(|slot| {
        let key = RecordKey::new(actor, key, name, *slot);
        now(memory.load(&key, Epoch(0))).is_err()
    })
}

#[test]
fn a_saved_state_outlives_its_activation() {
    let sim = sim(Engine::builder().store(Store::memory()));
    let alice = sim.actor::<Account>("alice");
    sim.block_on(async {
        assert_eq!(alice.look().await, Ok((0, false)));
        assert_eq!(alice.deposit(5).await, Ok(5));
        assert_eq!(alice.greet().await, Ok(false));
        assert_eq!(alice.look().await, Ok((5, true)));
        alice.sleep().await.unwrap();
    });
    sim.run_until_idle();
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.count(), 0, "it sleeps");
    sim.block_on(async {
        assert_eq!(alice.seen_first().await, Ok(5), "on_activate sees it");
        assert_eq!(
            alice.greet().await,
            Ok(false),
            "what is no state is forgotten"
        );
        assert_eq!(alice.deposit(2).await, Ok(7));
        assert_eq!(
            sim.actor::<Account>(7).deposit(1).await,
            Ok(1),
            "others have their own"
        );
    });
    let report = sim.engine().report();
    assert_eq!(report.stores["default"].kind, "memory");
    sim.shutdown();
}

#[test]
fn a_restart_loads_again() {
    let sim = sim(Engine::builder().store(Store::memory()));
    let alice = sim.actor::<Account>("alice");
    sim.block_on(async {
        assert_eq!(alice.deposit(5).await, Ok(5));
        assert_eq!(alice.boom().await, Err(CallError::Panicked));
        assert_eq!(alice.look().await, Ok((5, true)));
        assert_eq!(alice.deposit(5).await, Ok(10));
    });
    sim.shutdown();
}

#[test]
fn calls_wait_until_all_is_loaded() {
    let (shelf, sim) = on_shelf();
    let alice = sim.actor::<Account>("alice");
    sim.block_on(alice.deposit(5)).unwrap();
    sim.block_on(alice.sleep()).unwrap();
    sim.run_for(Duration::from_secs(1));
    shelf.delay.set(Duration::from_secs(3));
    let before = sim.now();
    let looks = [alice.clone(), alice.clone()];
    for alice in looks {
        sim.spawn_on(
            0,
            async move { assert_eq!(alice.look().await, Ok((5, true))) },
        );
    }
    sim.run_until_idle();
    let took = sim.now() - before;
    assert!(
        took >= Duration::from_secs(3) && took < Duration::from_secs(4),
        "{took:?}"
    );
    assert_eq!(shelf.loads.get(), 2);
    sim.shutdown();
    assert_eq!(shelf.closed.get(), 2, "each shard closes its stores");
}

#[test]
fn a_state_that_does_not_load_fails_the_calls_and_is_tried_again() {
    let (shelf, sim) = on_shelf();
    let alice = sim.actor::<Account>("alice");
    sim.block_on(alice.deposit(5)).unwrap();
    sim.block_on(alice.sleep()).unwrap();
    sim.run_for(Duration::from_secs(1));
    let down = quark::storage::provider::StoreError::Unavailable {
        place: "the shelf".to_owned(),
        why: "it fell".to_owned(),
    };
    shelf.loads_fail.replace(Some(down.clone()));
    sim.block_on(async {
        let refused = alice.deposit(1).await.unwrap_err();
        assert_eq!(refused, CallError::State(Box::new(StateError::Store(down))));
        assert!(refused.never_ran());
        assert!(refused.to_string().contains("it fell"), "{refused}");
    });
    assert_eq!(sim.count(), 0, "nobody was activated");
    shelf.loads_fail.replace(None);
    assert_eq!(sim.block_on(alice.deposit(1)), Ok(6));
    sim.shutdown();
}

#[test]
fn what_cannot_be_read_is_left_as_it_is() {
    let (shelf, sim) = on_shelf();
    let alice = sim.actor::<Account>("alice");
    sim.block_on(alice.deposit(5)).unwrap();
    sim.block_on(alice.sleep()).unwrap();
    sim.run_for(Duration::from_secs(1));
    let slot = slot(&shelf.memory, "Account", "s:alice", "balance").unwrap();
    let key = RecordKey::new("Account", "s:alice", "balance", slot);
    for (bytes, newer) in [
        (&b"\x01\0\0\0\0rubbish"[..], false),
        (b"", false),
        (b"\x01\x07\0\0\0\x80", true),
    ] {
        let write = Write {
            epoch: Epoch(1),
            expected: Expected::Any,
            value: bytes::Bytes::copy_from_slice(bytes),
        };
        let etag = now(shelf.memory.save(&key, write)).unwrap();
        let refused = sim.block_on(alice.deposit(1)).unwrap_err();
        let CallError::State(error) = refused else {
            panic!("{refused}");
        };
        match *error {
            StateError::Undecodable { ref key, .. } if !newer => {
                assert_eq!(key, "Account/s:alice:balance")
            }
            StateError::Newer {
                version: 7,
                known: 0,
                ..
            } if newer => {}
            ref other => panic!("{other}"),
        }
        let kept = now(shelf.memory.load(&key, Epoch(1))).unwrap().unwrap();
        assert_eq!((kept.etag, &kept.value[..]), (etag, bytes));
    }
    sim.shutdown();
}

#[test]
fn of_two_writers_the_second_is_told() {
    let (_shelf, ours) = on_shelf();
    let theirs = sim(Engine::builder().store(shelf::store()));
    let alice = ours.actor::<Account>("alice");
    let their_alice = theirs.actor::<Account>("alice");
    assert_eq!(ours.block_on(alice.look()), Ok((0, false)));
    assert_eq!(theirs.block_on(their_alice.deposit(3)), Ok(3));
    let refused = ours.block_on(alice.deposit(5));
    assert!(
        matches!(
            refused,
            Err(CallError::Failed(StateError::Conflict {
                current: Some(_),
                ..
            }))
        ),
        "{refused:?}"
    );
    assert!(ours.block_on(alice.close()).is_err(), "nor is it cleared");
    assert_eq!(ours.block_on(alice.reload()), Ok(3));
    assert_eq!(ours.block_on(alice.deposit(5)), Ok(8));
    assert_eq!(theirs.block_on(their_alice.reload()), Ok(8));
    ours.shutdown();
    theirs.shutdown();
}

#[test]
fn an_older_owner_is_shut_out() {
    let (_shelf, sim) = on_shelf();
    let (alice, bob) = (sim.actor::<Account>("alice"), sim.actor::<Account>("bob"));
    assert_eq!(sim.block_on(alice.deposit(5)), Ok(5));
    let newer = self::sim(Engine::builder().store(shelf::store()));
    newer.set_epoch(2);
    assert_eq!(
        newer.block_on(newer.actor::<Account>("alice").look()),
        Ok((5, true))
    );
    let refused = sim.block_on(alice.deposit(1));
    assert!(
        matches!(
            refused,
            Err(CallError::Failed(StateError::Fenced {
                current: Epoch(2),
                ..
            }))
        ),
        "{refused:?}"
    );
    assert_eq!(
        sim.block_on(bob.deposit(1)),
        Ok(1),
        "its slot has no other owner"
    );
    sim.block_on(alice.sleep()).unwrap();
    sim.run_for(Duration::from_secs(1));
    let refused = sim.block_on(alice.look());
    assert!(matches!(refused, Err(CallError::State(_))), "{refused:?}");
    sim.shutdown();
    newer.shutdown();
}

#[test]
fn clearing_forgets() {
    let (shelf, sim) = on_shelf();
    let alice = sim.actor::<Account>("alice");
    sim.block_on(async {
        alice.deposit(5).await.unwrap();
        alice.close().await.unwrap();
        assert_eq!(alice.look().await, Ok((0, false)));
        alice.close().await.unwrap();
        assert_eq!(alice.deposit(2).await, Ok(2), "and it can be kept anew");
        alice.close().await.unwrap();
        alice.sleep().await.unwrap();
    });
    sim.run_for(Duration::from_secs(1));
    assert_eq!(shelf.memory.report().records, 0);
    assert_eq!(sim.block_on(alice.look()), Ok((0, false)));
    sim.shutdown();
}

#[test]
fn a_save_that_nobody_waits_for_leaves_no_confusion() {
    // On the shard that keeps the record, and on another: there the write is done in any case.
    for away in [false, true] {
        let (shelf, sim) = on_shelf();
        let alice = sim.actor::<Account>("alice");
        let home = sim.engine().home_of::<Account>("alice");
        sim.block_on(alice.deposit(5)).unwrap();
        if away {
            sim.block_on(sim.engine().migrate(&alice, 1 - home))
                .unwrap();
        }
        shelf.delay.set(Duration::from_millis(100));
        sim.block_on(async {
            let etag = alice.etag().await.unwrap();
            assert!(etag.is_some());
            alice.save_and_leave(40).await.unwrap();
            assert_eq!(alice.etag().await, Ok(None), "it can't know");
            // The first look finds what it left, done or not.
            assert_eq!(alice.deposit(2).await, Ok(42));
            let etag = alice.etag().await.unwrap();
            assert!(etag.is_some());
            assert_eq!(alice.deposit(1).await, Ok(43));
            assert_eq!(alice.reload().await, Ok(43));
        });
        sim.shutdown();
    }
}

#[test]
fn a_lost_answer_is_looked_after() {
    let (shelf, sim) = on_shelf();
    let alice = sim.actor::<Account>("alice");
    sim.block_on(async {
        shelf.answers_lost.set(true);
        assert!(alice.deposit(5).await.is_err());
        assert!(alice.close().await.is_err());
        shelf.answers_lost.set(false);
        // The clear was done: what is saved now is the first.
        assert_eq!(alice.deposit(1).await, Ok(6));
        assert_eq!(alice.reload().await, Ok(6));
    });
    sim.shutdown();
}

#[test]
fn a_moved_actor_saves_where_it_is_kept() {
    let (shelf, sim) = on_shelf();
    let alice = sim.actor::<Account>("alice");
    let home = sim.engine().home_of::<Account>("alice");
    sim.block_on(async {
        assert_eq!(alice.deposit(5).await, Ok(5));
        sim.engine().migrate(&alice, 1 - home).await.unwrap();
        assert_eq!(alice.shard().await, Ok(1 - home));
        assert_eq!(alice.deposit(5).await, Ok(10));
        assert_eq!(alice.reload().await, Ok(10));
        assert!(shelf.asked_on.borrow().iter().all(|shard| *shard == home));
        alice.sleep().await.unwrap();
    });
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.block_on(alice.look()), Ok((10, true)));
    sim.shutdown();
}

#[test]
fn wherever_an_actor_lives_its_states_are_kept_in_one_place() {
    let shelf = shelf::fresh();
    for (round, placement) in [
        Placement::Hash,
        Placement::Random,
        Placement::Local,
        Placement::Pinned(2),
    ]
    .into_iter()
    .enumerate()
    {
        shelf.asked_on.borrow_mut().clear();
        let options = SimOptions {
            shards: 4,
            ..SimOptions::default()
        };
        let sim = Engine::builder()
            .store(shelf::store())
            .configure::<Account>(ActorOptions::new().placement(placement))
            .simulate(round as u64, options)
            .unwrap();
        let alice = sim.actor::<Account>("alice");
        assert_eq!(
            sim.block_on(alice.deposit(1)),
            Ok(round as i64 + 1),
            "{placement:?}"
        );
        let asked_on = shelf.asked_on.borrow().clone();
        assert_eq!(asked_on.len(), 2);
        assert!(asked_on.iter().all(|shard| *shard == asked_on[0]));
        sim.shutdown();
    }
}

#[derive(Default)]
pub struct Careless {
    balance: State<Balance>,
}

#[actor]
impl Careless {
    pub async fn save(&mut self) -> Result<(), StateError> {
        self.balance.cents += 1;
        self.balance.save().await.map(drop)
    }
}

#[test]
fn a_state_that_was_not_loaded_is_not_saved() {
    let sim = sim(Engine::builder().store(Store::memory()));
    let refused = sim.block_on(sim.actor::<Careless>(1).save()).unwrap_err();
    assert_eq!(refused, CallError::Failed(StateError::NotLoaded));
    assert!(refused.to_string().contains("derive Stateful"), "{refused}");
    sim.shutdown();
}

#[test]
fn workers_keep_nothing() {
    let workers = ActorOptions::new().placement(Placement::Workers { most: 2 });
    let refused = Engine::builder()
        .store(Store::memory())
        .configure::<Account>(workers)
        .simulate(1, SimOptions::default())
        .unwrap_err();
    assert_eq!(
        refused,
        RegisterError::WorkersKeepStates { name: "Account" }
    );
}

#[test]
fn a_double_loads_nothing() {
    let shelf = shelf::fresh();
    let double = Double::<Account>::new().returns(AccountRef::look, (7, true));
    let sim = sim(Engine::builder().store(shelf::store()).double(&double));
    assert_eq!(
        sim.block_on(sim.actor::<Account>("alice").look()),
        Ok((7, true))
    );
    assert_eq!(shelf.loads.get(), 0);
    sim.shutdown();
}

#[derive(Default, Serialize, Deserialize)]
pub struct Euros {
    euros: i64,
}

impl Versioned for Euros {
    const VERSION: u32 = 1;

    fn upgrade(from: u32, old: Old<'_>) -> Result<Self, UpgradeError> {
        assert_eq!(from, 0);
        let old: Balance = old.read()?;
        Ok(Euros {
            euros: old.cents / 100,
        })
    }
}

/// What [`Account`] is in the next version of the program.
#[derive(Default, Stateful)]
pub struct NewAccount {
    #[state]
    balance: State<Euros>,
}

#[actor(name = "Account")]
impl NewAccount {
    pub async fn deposit(&mut self, euros: i64) -> Result<i64, StateError> {
        self.balance.euros += euros;
        self.balance.save().await?;
        Ok(self.balance.euros)
    }
}

#[test]
fn an_old_state_is_upgraded_and_a_new_one_refused() {
    let (_shelf, old) = on_shelf();
    let alice = old.actor::<Account>("alice");
    assert_eq!(old.block_on(alice.deposit(500)), Ok(500));
    old.shutdown();
    let new = sim(Engine::builder().store(shelf::store()));
    assert_eq!(
        new.block_on(new.actor::<NewAccount>("alice").deposit(2)),
        Ok(7)
    );
    new.shutdown();
    let old = sim(Engine::builder().store(shelf::store()));
    let refused = old
        .block_on(old.actor::<Account>("alice").look())
        .unwrap_err();
    assert!(
        matches!(&refused, CallError::State(error) if matches!(**error, StateError::Newer { version: 1, .. })),
        "{refused}"
    );
    old.shutdown();
}

#[derive(Default, Stateful)]
pub struct Diary {
    #[state]
    text: State<String>,
}

#[actor]
impl Diary {
    pub async fn write(&mut self, bytes: usize) -> Result<(), StateError> {
        *self.text = "x".repeat(bytes);
        self.text.save().await.map(drop)
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let sim = sim(Engine::builder().store(Store::memory()));
    let diary = sim.actor::<Diary>(1);
    let refused = sim.block_on(diary.write(2 << 20));
    assert!(
        matches!(refused, Err(CallError::Failed(StateError::TooLarge { .. }))),
        "{refused:?}"
    );
    assert_eq!(sim.block_on(diary.write(1 << 19)), Ok(()));
    sim.shutdown();
}

#[test]
fn states_are_saved_by_their_millions() {
    // Not quite.
    let (shelf, sim) = on_shelf();
    shelf.delay.set(Duration::from_micros(50));
    for key in 0..500_u64 {
        let account = sim.actor::<Account>(key);
        sim.spawn_on((key % 2) as u16, async move {
            for round in 1..=3 {
                assert_eq!(account.deposit(1).await, Ok(round));
            }
            account.sleep().await.unwrap();
            assert!(account.deposit(1).await.is_ok());
        });
    }
    sim.run_until_idle();
    assert_eq!(shelf.memory.report().records, 500);
    sim.shutdown();
}
