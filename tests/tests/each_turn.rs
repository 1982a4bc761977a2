//! States that are saved at the end of each turn that changed them, before its reply leaves.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use quark::prelude::*;
use quark::storage::provider::StoreError;
use quark::testing::{Outcome, Sim, SimOptions, for_seeds};
use quark::{ActorOptions, Due, EngineBuilder, RateLimit, Remind, StateError};
use quark_tests::shelf::{self, Shelf};

#[derive(Default, Stateful)]
pub struct Purse {
    #[state(save = "each_turn")]
    cents: State<i64>,
    #[state(save = "each_turn")]
    notes: State<Vec<String>>,
    #[state]
    by_hand: State<i64>,
    lives: u32,
}

#[actor]
impl Purse {
    pub fn deposit(&mut self, cents: i64) -> i64 {
        *self.cents += cents;
        *self.cents
    }

    pub async fn deposit_slowly(&mut self, cents: i64) -> i64 {
        *self.cents += cents;
        quark::sleep(Duration::from_millis(10)).await;
        *self.cents
    }

    pub fn refuse(&mut self, cents: i64) -> Result<(), String> {
        *self.cents -= cents;
        Err("changed all the same".to_owned())
    }

    pub fn note(&mut self, note: String) -> i64 {
        *self.cents += 1;
        self.notes.push(note);
        *self.by_hand += 1;
        *self.cents
    }

    pub async fn save_twice(&mut self) -> Result<i64, StateError> {
        *self.cents += 1;
        self.cents.save().await?;
        Ok(*self.cents)
    }

    pub fn touch_nothing(&mut self) -> i64 {
        self.lives += 1;
        *self.cents
    }

    pub fn look(&self) -> i64 {
        *self.cents
    }

    pub async fn look_slowly(&self) -> i64 {
        quark::sleep(Duration::from_millis(1)).await;
        *self.cents
    }

    pub fn all(&self) -> (i64, usize, i64) {
        (*self.cents, self.notes.len(), *self.by_hand)
    }

    pub async fn reload(&mut self) -> Result<i64, StateError> {
        self.cents.reload().await?;
        Ok(*self.cents)
    }

    pub fn boom(&mut self) {
        *self.cents = -1;
        panic!("boom")
    }

    pub fn sleep(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }
}

fn sim(builder: EngineBuilder) -> Sim {
    builder.simulate(1, SimOptions::default()).unwrap()
}

fn on_shelf() -> (Rc<Shelf>, Sim) {
    let shelf = shelf::fresh();
    (shelf, sim(Engine::builder().store(shelf::store())))
}

fn down() -> StoreError {
    StoreError::Unavailable {
        place: "the shelf".to_owned(),
        why: "it fell".to_owned(),
    }
}

fn fall_asleep(sim: &Sim, purse: &PurseRef) {
    sim.block_on(purse.sleep()).unwrap();
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.count(), 0, "it sleeps");
}

#[test]
fn what_a_turn_changed_is_saved_without_being_told_to() {
    let (shelf, sim) = on_shelf();
    let purse = sim.actor::<Purse>("alice");
    sim.block_on(async {
        assert_eq!(purse.deposit(5).await, Ok(5));
        assert_eq!(purse.deposit_slowly(5).await, Ok(10));
        purse.deposit(1).tell().unwrap();
        let refused = purse.refuse(1).await;
        assert!(matches!(refused, Err(CallError::Failed(_))), "{refused:?}");
    });
    assert_eq!(shelf.saves.get(), 4);
    fall_asleep(&sim, &purse);
    assert_eq!(sim.block_on(purse.look()), Ok(10));
    sim.shutdown();
}

#[test]
fn turns_that_change_nothing_write_nothing() {
    let (shelf, sim) = on_shelf();
    let purse = sim.actor::<Purse>("alice");
    sim.block_on(async {
        assert_eq!(purse.touch_nothing().await, Ok(0));
        assert_eq!(purse.look().await, Ok(0));
        assert_eq!(purse.look_slowly().await, Ok(0));
        assert_eq!(shelf.saves.get(), 0);
        assert_eq!(purse.save_twice().await, Ok(1));
        assert_eq!(
            shelf.saves.get(),
            1,
            "what was saved by hand is not saved again"
        );
        assert_eq!(purse.reload().await, Ok(1));
        assert_eq!(shelf.saves.get(), 1);
        // Each that has changed, and only of those that say so.
        assert_eq!(purse.note("tea".to_owned()).await, Ok(2));
        assert_eq!(shelf.saves.get(), 3);
    });
    fall_asleep(&sim, &purse);
    assert_eq!(sim.block_on(purse.all()), Ok((2, 1, 0)));
    assert_eq!(shelf.saves.get(), 3);
    sim.shutdown();
}

#[test]
fn a_reply_waits_until_it_is_durable_and_nobody_sees_it_before() {
    let (shelf, sim) = on_shelf();
    let purse = sim.actor::<Purse>("alice");
    sim.block_on(purse.deposit(1)).unwrap();
    shelf.delay.set(Duration::from_secs(3));
    let before = sim.now();
    let seen = Rc::new(Cell::new(0));
    let (other, looked) = (purse.clone(), seen.clone());
    let (sent, waits) = (purse.clone(), Rc::new(Cell::new(false)));
    let answered = waits.clone();
    sim.spawn_on(0, async move {
        assert_eq!(sent.deposit(1).await, Ok(2));
        answered.set(true);
    });
    sim.run_for(Duration::from_millis(100));
    sim.spawn_on(1, async move { looked.set(other.look().await.unwrap()) });
    sim.run_for(Duration::from_secs(2));
    assert!(!waits.get(), "the store has not answered");
    assert_eq!(seen.get(), 0, "who looks waits");
    sim.run_until_idle();
    assert!(waits.get());
    assert_eq!(seen.get(), 2);
    assert!(sim.now() - before >= Duration::from_secs(3));
    sim.shutdown();
}

#[test]
fn what_was_answered_survives_loss_of_power_by_every_seed() {
    for_seeds(0..60, |seed| {
        let builder = || Engine::builder().store(Store::directory("data"));
        let mut sim = builder().simulate(seed, SimOptions::default()).unwrap();
        let mut least = [0_i64; 6];
        for _ in 0..3 {
            let answered = Rc::new(RefCell::new(least));
            for key in 0..least.len() {
                let (answered, purse) = (answered.clone(), sim.actor::<Purse>(key as u64));
                sim.spawn_on((key % 2) as u16, async move {
                    while let Ok(cents) = purse.deposit(1).await {
                        answered.borrow_mut()[key] = cents;
                    }
                });
            }
            sim.run_for(Duration::from_millis(3 + seed % 7));
            let disks = sim.lose_power();
            sim = builder().simulate_on(disks, SimOptions::default()).unwrap();
            let answered = *answered.borrow();
            for (key, answered) in answered.into_iter().enumerate() {
                let purse = sim.actor::<Purse>(key as u64);
                let kept = sim.block_on(purse.look()).unwrap();
                // One more may be there: its answer was lost.
                assert!(
                    kept == answered || kept == answered + 1,
                    "purse {key}: {kept} are kept, and {answered} were answered"
                );
                least[key] = kept;
            }
        }
        assert!(least.iter().all(|cents| *cents > 0), "{least:?}");
        sim.shutdown();
    });
}

#[test]
fn what_is_not_saved_is_told_and_forgotten() {
    let (shelf, sim) = on_shelf();
    let purse = sim.actor::<Purse>("alice");
    sim.block_on(purse.deposit(5)).unwrap();
    for cents in [1, 2] {
        shelf.writes_fail.replace(Some(down()));
        let refused = match cents {
            1 => sim.block_on(purse.deposit(1)),
            _ => sim.block_on(purse.deposit_slowly(2)),
        };
        let refused = refused.unwrap_err();
        assert_eq!(
            refused,
            CallError::NotSaved(Box::new(StateError::Store(down())))
        );
        assert!(!refused.never_ran());
        shelf.writes_fail.replace(None);
        assert_eq!(sim.block_on(purse.look()), Ok(5), "as it is kept");
    }
    // Nobody waits: it is forgotten all the same.
    shelf.writes_fail.replace(Some(down()));
    purse.deposit(100).tell().unwrap();
    sim.run_for(Duration::from_millis(100));
    shelf.writes_fail.replace(None);
    assert_eq!(sim.block_on(purse.deposit(1)), Ok(6));
    sim.shutdown();
}

#[test]
fn those_who_wait_meanwhile_find_what_is_kept() {
    let (shelf, sim) = on_shelf();
    let purse = sim.actor::<Purse>("alice");
    sim.block_on(purse.deposit(5)).unwrap();
    shelf.delay.set(Duration::from_millis(100));
    shelf.writes_fail.replace(Some(down()));
    let failing = purse.clone();
    sim.spawn_on(0, async move {
        let refused = failing.deposit(1).await;
        assert!(
            matches!(refused, Err(CallError::NotSaved(_))),
            "{refused:?}"
        );
    });
    sim.run_for(Duration::from_millis(50));
    shelf.writes_fail.replace(None);
    let answers = Rc::new(RefCell::new(Vec::new()));
    for shard in [0, 1] {
        let (purse, answers) = (purse.clone(), answers.clone());
        sim.spawn_on(shard, async move {
            let answer = purse.deposit(10).await;
            answers.borrow_mut().push(answer);
        });
    }
    sim.run_until_idle();
    assert_eq!(*answers.borrow(), [Ok(15), Ok(25)]);
    sim.shutdown();
}

#[test]
fn after_a_conflict_the_actor_has_what_the_other_wrote() {
    let (_shelf, ours) = on_shelf();
    let theirs = sim(Engine::builder().store(shelf::store()));
    let (purse, their_purse) = (ours.actor::<Purse>("alice"), theirs.actor::<Purse>("alice"));
    assert_eq!(ours.block_on(purse.deposit(1)), Ok(1));
    assert_eq!(theirs.block_on(their_purse.deposit(10)), Ok(11));
    let refused = ours.block_on(purse.deposit(5)).unwrap_err();
    assert!(
        matches!(&refused, CallError::NotSaved(error) if matches!(**error, StateError::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(
        ours.block_on(purse.deposit(5)),
        Ok(16),
        "on what they wrote"
    );
    ours.shutdown();
    theirs.shutdown();
}

#[test]
fn an_owner_that_is_shut_out_has_no_activation_left() {
    let (_shelf, ours) = on_shelf();
    let purse = ours.actor::<Purse>("alice");
    assert_eq!(ours.block_on(purse.deposit(1)), Ok(1));
    let newer = sim(Engine::builder().store(shelf::store()));
    newer.set_epoch(2);
    assert_eq!(
        newer.block_on(newer.actor::<Purse>("alice").deposit(1)),
        Ok(2)
    );
    let refused = ours.block_on(purse.deposit(5)).unwrap_err();
    assert!(
        matches!(&refused, CallError::NotSaved(error) if matches!(**error, StateError::Fenced { .. })),
        "{refused:?}"
    );
    ours.run_for(Duration::from_secs(1));
    assert_eq!(ours.count(), 0);
    assert!(matches!(
        ours.block_on(purse.look()),
        Err(CallError::State(_))
    ));
    ours.shutdown();
    newer.shutdown();
}

#[test]
fn a_lost_answer_is_found_out_by_the_next_life() {
    let (shelf, sim) = on_shelf();
    let purse = sim.actor::<Purse>("alice");
    shelf.answers_lost.set(true);
    let refused = sim.block_on(purse.deposit(5));
    assert!(
        matches!(refused, Err(CallError::NotSaved(_))),
        "{refused:?}"
    );
    shelf.answers_lost.set(false);
    assert_eq!(sim.block_on(purse.look()), Ok(5), "it was written");
    assert_eq!(sim.block_on(purse.deposit(1)), Ok(6));
    sim.shutdown();
}

#[test]
fn a_turn_that_panics_saves_nothing() {
    let (shelf, sim) = on_shelf();
    let purse = sim.actor::<Purse>("alice");
    sim.block_on(async {
        purse.deposit(5).await.unwrap();
        assert_eq!(purse.boom().await, Err(CallError::Panicked));
        assert_eq!(purse.look().await, Ok(5));
    });
    assert_eq!(shelf.saves.get(), 1);
    sim.shutdown();
}

#[derive(Default, Stateful)]
pub struct Hooked {
    #[state(save = "each_turn")]
    lives: State<(u32, u32, u32)>,
}

#[actor]
impl Hooked {
    fn on_activate(&mut self) {
        self.lives.0 += 1;
    }

    async fn on_deactivate(&mut self) {
        self.lives.1 += 1;
    }

    async fn on_reminder(&mut self, due: Due) {
        self.lives.2 += due.times as u32;
    }

    pub async fn remind(&self, cx: &Cx<Self>) -> Result<(), StateError> {
        cx.remind("soon", Remind::after(Duration::from_secs(5)))
            .await
    }

    pub fn lives(&self) -> (u32, u32, u32) {
        *self.lives
    }

    pub fn sleep(&self, cx: &Cx<Self>) {
        cx.deactivate();
    }
}

#[test]
fn hooks_and_reminders_are_turns_too() {
    let (shelf, sim) = on_shelf();
    let hooked = sim.actor::<Hooked>(1);
    assert_eq!(sim.block_on(hooked.lives()), Ok((1, 0, 0)));
    assert_eq!(shelf.saves.get(), 1);
    sim.block_on(hooked.sleep()).unwrap();
    sim.run_for(Duration::from_secs(1));
    assert_eq!(shelf.saves.get(), 2);
    assert_eq!(sim.block_on(hooked.lives()), Ok((2, 1, 0)));
    sim.block_on(hooked.remind()).unwrap();
    let before = shelf.saves.get();
    shelf.writes_fail.replace(Some(down()));
    sim.run_for(Duration::from_secs(6));
    shelf.writes_fail.replace(None);
    sim.run_for(Duration::from_secs(10));
    assert!(shelf.saves.get() > before + 1, "it was tried again");
    let (_, _, reminded) = sim.block_on(hooked.lives()).unwrap();
    assert_eq!(reminded, 1);
    sim.shutdown();
}

#[test]
fn an_activation_whose_hook_cannot_be_saved_is_none() {
    let (shelf, sim) = on_shelf();
    let hooked = sim.actor::<Hooked>(1);
    shelf.writes_fail.replace(Some(down()));
    let refused = sim.block_on(hooked.lives()).unwrap_err();
    assert!(matches!(refused, CallError::Activation(_)), "{refused:?}");
    assert!(refused.to_string().contains("it fell"), "{refused}");
    shelf.writes_fail.replace(None);
    assert_eq!(sim.block_on(hooked.lives()), Ok((1, 0, 0)));
    sim.shutdown();
}

/// By the way of turns that a test looks at, and by that of types with limits.
#[test]
fn failures_are_told_by_every_way_in() {
    for looks_on in [false, true] {
        let shelf = shelf::fresh();
        let options = SimOptions {
            log_messages: looks_on,
            ..SimOptions::default()
        };
        let limits = ActorOptions::new().rate_limit(RateLimit {
            per_second: 1_000_000,
            burst: 1_000,
        });
        let sim = Engine::builder()
            .store(shelf::store())
            .configure::<Purse>(limits)
            .simulate(1, options)
            .unwrap();
        let purse = sim.actor::<Purse>("alice");
        assert_eq!(sim.block_on(purse.deposit(5)), Ok(5));
        shelf.writes_fail.replace(Some(down()));
        for refused in [
            sim.block_on(purse.deposit(1)),
            sim.block_on(purse.deposit_slowly(1)),
        ] {
            assert!(
                matches!(refused, Err(CallError::NotSaved(_))),
                "{refused:?}"
            );
        }
        shelf.writes_fail.replace(None);
        assert_eq!(sim.block_on(purse.look()), Ok(5));
        if looks_on {
            sim.seen::<Purse>().ended(&Outcome::Failed).assert_count(2);
        }
        sim.shutdown();
    }
}

#[test]
fn actors_that_save_move_too() {
    let (shelf, sim) = on_shelf();
    let purse = sim.actor::<Purse>("alice");
    let home = sim.engine().home_of::<Purse>("alice");
    sim.block_on(async {
        assert_eq!(purse.deposit(5).await, Ok(5));
        sim.engine().migrate(&purse, 1 - home).await.unwrap();
        assert_eq!(purse.deposit(5).await, Ok(10));
        assert_eq!(shelf.saves.get(), 2);
    });
    shelf.writes_fail.replace(Some(down()));
    let refused = sim.block_on(purse.deposit(1));
    assert!(
        matches!(refused, Err(CallError::NotSaved(_))),
        "{refused:?}"
    );
    shelf.writes_fail.replace(None);
    assert_eq!(sim.block_on(purse.look()), Ok(10));
    sim.shutdown();
}
