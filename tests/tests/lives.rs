//! Lives of actors that belong together: stopped, asleep, watched, listed.
#![allow(missing_docs)]

use std::sync::mpsc;
use std::time::Duration;

use quark::prelude::*;
use quark::{ActorOptions, Directive, DownReason, Escalation, Strategy, Supervision};
use quark_tests::family::*;
use quark_tests::{in_time, key_on, small};

#[test]
fn who_stops_takes_its_children_along() {
    let sim = sim(boss_rules(STEADY));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 3));
    hire(&sim, &boss, &kids);
    let before = instances(&sim, &kids);
    let farewells_before = farewells();
    let lasting = kids[1].clone();
    sim.spawn_on(0, async move {
        assert_eq!(lasting.share(SECOND).await, Err(CallError::Restarted));
    });
    sim.run_for(MS);
    ask(&sim, boss.stop());
    sim.run_until_idle();
    assert_eq!(farewells() - farewells_before, 3, "on_deactivate runs");
    assert_eq!(sim.count(), 0);
    assert!(sim.tree().roots.is_empty());
    let after = instances(&sim, &kids);
    assert!(before.iter().zip(&after).all(|(old, new)| old != new));
    assert_eq!(ask(&sim, kids[0].parent()), None);
    assert!(ask(&sim, boss.children()).is_empty());
    sim.shutdown();
}

#[test]
fn the_turn_that_stops_its_actor_goes_on() {
    let sim = sim(boss_rules(STEADY));
    for kid in kids(&sim, 2) {
        let first = ask(&sim, kid.instance());
        assert_eq!(ask(&sim, kid.stop_in_between()), first);
        assert_ne!(ask(&sim, kid.instance()), first);
    }
    sim.shutdown();
}

#[test]
fn a_child_can_be_stopped_alone() {
    let sim = sim(boss_rules(STEADY));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 3));
    hire(&sim, &boss, &kids[..2]);
    let before = instances(&sim, &kids);
    assert!(ask(&sim, boss.fire(kids[0].clone())));
    assert!(
        !ask(&sim, boss.fire(kids[0].clone())),
        "it is none any more"
    );
    assert!(!ask(&sim, boss.fire(kids[2].clone())), "it never was");
    sim.run_until_idle();
    let after = instances(&sim, &kids);
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1..], after[1..]);
    assert_eq!(ask(&sim, boss.children()).len(), 1);
    sim.shutdown();
}

#[test]
fn a_failure_that_is_declared_answers_its_own_call() {
    let sim = sim(boss_rules(STEADY));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 2));
    hire(&sim, &boss, &kids);
    for kid in &kids {
        let first = ask(&sim, kid.instance());
        assert_eq!(ask(&sim, kid.fail()), first);
        assert_ne!(ask(&sim, kid.instance()), first);
    }
    sim.shutdown();
}

#[test]
fn bonds_survive_sleep() {
    let sim = sim(boss_rules(Supervision {
        strategy: Strategy::AllForOne,
        ..STEADY
    }));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 3));
    // Hired asleep, and never awake yet.
    hire(&sim, &boss, &kids);
    assert_eq!(sim.count(), 1);
    let before = instances(&sim, &kids);
    for kid in &kids {
        assert_eq!(ask(&sim, kid.parent()).as_deref(), Some("Boss/1"));
    }
    ask(&sim, kids[0].doze());
    ask(&sim, boss.doze());
    sim.run_until_idle();
    assert_eq!(sim.count(), 2, "a kid sleeps, and so does its parent");
    // The parent need not be awake to decide.
    assert_eq!(sim.block_on(kids[1].boom()), Err(CallError::Panicked));
    sim.run_until_idle();
    let after = instances(&sim, &kids);
    assert!(before.iter().zip(&after).all(|(old, new)| old != new));
    assert_eq!(ask(&sim, kids[0].parent()).as_deref(), Some("Boss/1"));
    let children = ask(&sim, boss.children());
    let names: Vec<_> = children.iter().map(ToString::to_string).collect();
    let expected: Vec<_> = kids
        .iter()
        .map(|kid| format!("Kid/{}", key_of(kid)))
        .collect();
    assert_eq!(names, expected, "in the order in which they became that");
    sim.shutdown();
}

#[test]
fn a_parent_that_sleeps_escalates() {
    let rules = Supervision {
        on_failure: Directive::Escalate,
        ..STEADY
    };
    let sim = sim(boss_rules(rules));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 2));
    hire(&sim, &boss, &kids);
    let before = instances(&sim, &kids);
    ask(&sim, boss.doze());
    sim.run_until_idle();
    assert_eq!(sim.block_on(kids[0].boom()), Err(CallError::Panicked));
    sim.run_until_idle();
    assert_eq!((sim.count(), sim.escalations()), (0, 1));
    let after = instances(&sim, &kids);
    assert!(before.iter().zip(&after).all(|(old, new)| old != new));
    assert!(sim.tree().roots.is_empty());
    sim.shutdown();
}

#[test]
fn a_parent_stays_awake_as_long_as_a_child_does() {
    let options = ActorOptions::new().idle_after(SECOND);
    let builder = boss_rules(STEADY).idle_after(5 * SECOND);
    let builder = builder.configure::<Kid>(options.idle_after(20 * SECOND));
    let sim = sim(builder);
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 2));
    let lonely = sim.actor::<Boss>(2);
    ask(&sim, lonely.instance());
    hire(&sim, &boss, &kids);
    instances(&sim, &kids);
    sim.run_for(15 * SECOND);
    assert_eq!(sim.count(), 3, "the lonely one sleeps");
    sim.run_for(30 * SECOND);
    assert_eq!(sim.count(), 0, "the kids, and then their boss");
    assert_eq!(sim.tree().roots[0].children.len(), 2, "who stays that");
    sim.shutdown();
}

#[test]
fn a_child_has_one_parent() {
    let sim = sim(boss_rules(STEADY));
    let bosses = [sim.actor::<Boss>(1), sim.actor::<Boss>(2)];
    let kids = kids(&sim, 2);
    instances(&sim, &kids[..1]);
    hire(&sim, &bosses[0], &kids);
    hire(&sim, &bosses[1], &kids);
    assert!(ask(&sim, bosses[0].children()).is_empty());
    assert_eq!(ask(&sim, bosses[1].children()).len(), 2);
    let before = instances(&sim, &kids);
    ask(&sim, bosses[0].stop());
    sim.run_until_idle();
    assert_eq!(instances(&sim, &kids), before, "not theirs any more");
    // Nobody is its own child, and two may be each other's.
    ask(&sim, bosses[0].hire_boss(1));
    ask(&sim, bosses[0].hire_boss(2));
    ask(&sim, bosses[1].hire_boss(1));
    sim.run_until_idle();
    assert_eq!(ask(&sim, bosses[0].children()).len(), 1);
    assert_eq!(sim.tree().roots.len(), 1);
    assert_eq!(sim.block_on(bosses[0].boom()), Err(CallError::Panicked));
    ask(&sim, bosses[0].stop());
    sim.run_until_idle();
    assert_eq!(sim.count(), 0);
    sim.shutdown();
}

#[test]
fn a_watcher_hears_how_a_life_ends() {
    let never = Supervision {
        restarts: 0,
        ..STEADY
    };
    let options = ActorOptions::new().supervision(never);
    let sim = sim(boss_rules(STEADY).configure::<Kid>(options));
    let boss = sim.actor::<Boss>(1);
    let heard = || {
        sim.run_until_idle();
        ask(&sim, boss.heard())
    };
    for kid in kids(&sim, 2) {
        let watch = || {
            ask(&sim, kid.instance());
            ask(&sim, boss.watch(kid.clone(), false));
            assert_eq!(heard(), []);
        };
        ask(&sim, boss.watch(kid.clone(), false));
        assert_eq!(heard(), [DownReason::Asleep], "it slept already");
        watch();
        ask(&sim, kid.doze());
        assert_eq!(heard(), [DownReason::Asleep]);
        ask(&sim, kid.instance());
        ask(&sim, kid.doze());
        assert_eq!(heard(), [], "a watch is for one life");
        watch();
        ask(&sim, kid.stop_in_between());
        assert_eq!(heard(), [DownReason::Stopped]);
        watch();
        assert_eq!(sim.block_on(kid.boom()), Err(CallError::Panicked));
        let cause = "boom panicked".to_owned();
        assert_eq!(heard(), [DownReason::Failed { cause }]);
        watch();
        ask(&sim, boss.unwatch());
        ask(&sim, kid.doze());
        assert_eq!(heard(), []);
        // A watch ends with the instance that wanted it.
        watch();
        assert_eq!(sim.block_on(boss.boom()), Err(CallError::Panicked));
        ask(&sim, boss.instance());
        ask(&sim, kid.doze());
        assert_eq!(heard(), []);
    }
    sim.shutdown();
}

#[test]
fn restarts_are_told_to_those_who_ask() {
    let sim = sim(boss_rules(STEADY));
    let (asks, does_not) = (sim.actor::<Boss>(1), sim.actor::<Boss>(2));
    for kid in kids(&sim, 2) {
        ask(&sim, kid.instance());
        ask(&sim, asks.watch(kid.clone(), true));
        ask(&sim, does_not.watch(kid.clone(), false));
        sim.run_until_idle();
        for _ in 0..2 {
            assert_eq!(sim.block_on(kid.boom()), Err(CallError::Panicked));
            sim.run_until_idle();
            assert_eq!(ask(&sim, asks.heard()), [DownReason::Restarted]);
        }
        ask(&sim, kid.doze());
        sim.run_until_idle();
        assert_eq!(ask(&sim, asks.heard()), [DownReason::Asleep]);
        assert_eq!(ask(&sim, does_not.heard()), [DownReason::Asleep]);
    }
    sim.shutdown();
}

#[test]
fn the_tree_can_be_listed() {
    let sim = sim(boss_rules(Supervision {
        strategy: Strategy::RestForOne,
        ..STEADY
    }));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 2));
    ask(&sim, boss.hire_boss(2));
    hire(&sim, &sim.actor::<Boss>(2), &kids);
    instances(&sim, &kids);
    assert_eq!(sim.block_on(kids[1].boom()), Err(CallError::Panicked));
    ask(&sim, kids[0].doze());
    sim.run_until_idle();
    let home = |boss: u64| sim.engine().home_of::<Boss>(boss);
    let expected = format!(
        "Boss/1 on shard {}, rest for one\n  \
           Boss/2 on shard {}, rest for one, children's failures: 1\n    \
             Kid/{} on shard 0, asleep\n    \
             Kid/{} on shard 1, restarts: 1\n",
        home(1),
        home(2),
        key_of(&kids[0]),
        key_of(&kids[1]),
    );
    assert_eq!(sim.tree().to_string(), expected);
    sim.shutdown();
}

#[test]
fn real_shards_do_the_same() {
    in_time(Duration::from_secs(60), || {
        let (tell, heard) = mpsc::channel::<Escalation>();
        let rules = Supervision {
            restarts: 2,
            ..STEADY
        };
        let engine = small()
            .configure::<Boss>(ActorOptions::new().supervision(rules))
            .on_escalation(move |escalation| tell.send(escalation.clone()).unwrap())
            .launch()
            .unwrap();
        let boss = engine.actor::<Boss>(1);
        let kids: Vec<_> = (0..2)
            .map(|shard| key_on(shard, |key| engine.home_of::<Kid>(key)))
            .map(|key| engine.actor::<Kid>(key))
            .collect();
        for kid in &kids {
            boss.hire(key_of(kid)).wait().unwrap();
            boss.watch(kid.clone(), false).wait().unwrap();
        }
        // A kid hears of its parent by the shards' own way, which a call from outside may overtake.
        for kid in &kids {
            while kid.parent().wait().unwrap().is_none() {}
        }
        // Two restarts are borne, and thrice by the boss, whose third is the engine's.
        for _ in 0..9 {
            for kid in &kids {
                assert!(kid.parent().wait().unwrap().is_some());
            }
            assert_eq!(kids[0].boom().wait(), Err(CallError::Panicked));
            while matches!(kids[0].instance().wait(), Err(CallError::ActorStopped)) {}
        }
        let escalation = heard.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(escalation.actor.to_string(), "Boss/1");
        assert_eq!(engine.escalations(), 1);
        engine.shutdown();
    });
}
