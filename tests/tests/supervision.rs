//! Supervision, rule by rule, in virtual time: who restarts whom, and when.
#![allow(missing_docs)]

use std::pin::pin;
use std::sync::mpsc;

use quark::prelude::*;
use quark::testing::Sim;
use quark::{ActorOptions, Backoff, Directive, Escalation, Strategy, Supervision};
use quark_tests::family::*;

/// Lets a kid panic and all that follows happen; says which of them are new then.
fn renewed(sim: &Sim, kids: &[KidRef], failing: usize) -> Vec<bool> {
    let before = instances(sim, kids);
    assert_eq!(sim.block_on(kids[failing].boom()), Err(CallError::Panicked));
    sim.run_until_idle();
    let after = instances(sim, kids);
    before
        .iter()
        .zip(&after)
        .map(|(old, new)| old != new)
        .collect()
}

#[test]
fn each_strategy_restarts_whom_it_concerns() {
    type Concerns = fn(usize, usize) -> bool;
    let cases: [(Strategy, Concerns); 3] = [
        (Strategy::OneForOne, |kid, failing| kid == failing),
        (Strategy::AllForOne, |_, _| true),
        (Strategy::RestForOne, |kid, failing| kid >= failing),
    ];
    for (strategy, concerns) in cases {
        let sim = sim(boss_rules(Supervision { strategy, ..STEADY }));
        let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 4));
        hire(&sim, &boss, &kids);
        let bystander = sim.actor::<Kid>(1_000_000);
        let other = ask(&sim, bystander.instance());
        let old_boss = ask(&sim, boss.instance());
        for failing in 0..kids.len() {
            let expected: Vec<_> = (0..kids.len()).map(|kid| concerns(kid, failing)).collect();
            assert_eq!(
                renewed(&sim, &kids, failing),
                expected,
                "{strategy:?} {failing}"
            );
        }
        assert_eq!(ask(&sim, bystander.instance()), other);
        assert_eq!(ask(&sim, boss.instance()), old_boss);
        assert_eq!(sim.escalations(), 0);
        sim.shutdown();
    }
}

#[test]
fn too_many_failures_of_children_are_the_parents_own() {
    let rules = Supervision {
        restarts: 2,
        within: SECOND,
        ..STEADY
    };
    let sim = sim(boss_rules(rules));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 2));
    hire(&sim, &boss, &kids);
    let old_boss = ask(&sim, boss.instance());
    // Two within the window are borne, of whichever child, and again two after it.
    for _ in 0..2 {
        assert_eq!(renewed(&sim, &kids, 0), [true, false]);
        assert_eq!(renewed(&sim, &kids, 1), [false, true]);
        sim.run_for(2 * SECOND);
    }
    assert_eq!(ask(&sim, boss.instance()), old_boss);
    renewed(&sim, &kids, 0);
    renewed(&sim, &kids, 0);
    // The third: the boss gets a fresh instance, and all its children with it.
    assert_eq!(renewed(&sim, &kids, 1), [true, true]);
    let new_boss = ask(&sim, boss.instance());
    assert_ne!(new_boss, old_boss);
    assert_eq!(
        ask(&sim, boss.children()).len(),
        2,
        "they stay its children"
    );
    // It begins with a clean slate, but its own restart counts.
    assert_eq!(renewed(&sim, &kids, 0), [true, false]);
    assert_eq!(sim.escalations(), 0);
    sim.shutdown();
}

#[test]
fn what_nobody_bears_comes_to_the_engine() {
    let (tell, heard) = mpsc::channel::<Escalation>();
    let rules = Supervision {
        restarts: 1,
        ..STEADY
    };
    let builder = boss_rules(rules).on_escalation(move |it| tell.send(it.clone()).unwrap());
    let sim = sim(builder);
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 2));
    hire(&sim, &boss, &kids);
    renewed(&sim, &kids, 0);
    renewed(&sim, &kids, 1); // the boss restarts
    renewed(&sim, &kids, 0);
    assert_eq!(sim.escalations(), 0);
    assert_eq!(
        renewed(&sim, &kids, 0),
        [true, true],
        "stopped with the boss"
    );
    let escalation = heard.try_recv().expect("the hook was called");
    assert_eq!(escalation.actor.to_string(), "Boss/1");
    assert_eq!(escalation.restarts, 1);
    assert!(escalation.cause.ends_with("boom panicked"), "{escalation}");
    assert_eq!(sim.escalations(), 1);
    assert!(heard.try_recv().is_err());
    assert_eq!(
        ask(&sim, kids[0].parent()),
        None,
        "their new lives are their own"
    );
    assert!(ask(&sim, boss.children()).is_empty());
    assert!(sim.tree().roots.is_empty());
    sim.shutdown();
}

#[test]
fn who_waits_for_an_actor_that_is_given_up_hears_it() {
    let rules = Supervision {
        restarts: 0,
        ..STEADY
    };
    let options = ActorOptions::new().supervision(rules);
    let sim = sim(Engine::builder().configure::<Kid>(options));
    for shard in 0..2 {
        let kid = &kids(&sim, 2)[shard];
        let first = ask(&sim, kid.instance());
        let (boom, later, other) = (kid.clone(), kid.clone(), kid.clone());
        sim.spawn_on(0, async move {
            // Asked together: the others wait in the mailbox while the first holds the actor.
            let hold = other.hold(MS);
            let mut hold = pin!(hold);
            let _ = poll_once(hold.as_mut()).await;
            let mut boom = pin!(boom.boom());
            let _ = poll_once(boom.as_mut()).await;
            let mut later = pin!(later.instance());
            let _ = poll_once(later.as_mut()).await;
            assert_eq!(hold.await, Ok(first));
            assert_eq!(boom.await, Err(CallError::Panicked));
            let error = later.await.unwrap_err();
            assert_eq!(error, CallError::ActorStopped);
            assert!(error.never_ran() && error.to_string().contains("call again"));
        });
        sim.run_until_idle();
        assert_ne!(ask(&sim, kid.instance()), first, "a new life");
    }
    assert_eq!(sim.escalations(), 2);
    sim.shutdown();
}

#[test]
fn resume_keeps_everything() {
    let sim = sim(boss_rules(Supervision {
        on_failure: Directive::Resume,
        ..STEADY
    }));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 2));
    hire(&sim, &boss, &kids);
    for (kid, lasting) in kids.iter().zip([kids[0].clone(), kids[1].clone()]) {
        let before = ask(&sim, kid.instance());
        sim.spawn_on(0, async move {
            assert_eq!(lasting.share(10 * MS).await, Ok(before), "it goes on");
        });
        sim.run_for(MS);
        assert_eq!(ask(&sim, kid.fail()), before);
        sim.run_until_idle();
        assert_eq!(ask(&sim, kid.instance()), before);
    }
    sim.shutdown();
}

#[test]
fn a_restart_drops_turns_that_are_alone_too() {
    let sim = sim(boss_rules(Supervision {
        strategy: Strategy::AllForOne,
        ..STEADY
    }));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 3));
    hire(&sim, &boss, &kids);
    for kid in &kids[1..] {
        let kid = kid.clone();
        sim.spawn_on(0, async move {
            assert_eq!(
                kid.hold(3600 * SECOND).timeout(7200 * SECOND).await,
                Err(CallError::Restarted)
            );
        });
    }
    sim.run_for(MS);
    let begin = sim.now();
    assert_eq!(sim.block_on(kids[0].boom()), Err(CallError::Panicked));
    sim.run_until_idle();
    assert!(sim.now() - begin < SECOND, "nobody has slept for an hour");
    sim.shutdown();
}

#[test]
fn directives_stop_and_escalate() {
    let sim = sim(boss_rules(STEADY));
    let (boss, kids) = (sim.actor::<Boss>(1), kids(&sim, 3));
    ask(&sim, boss.hire_with(key_of(&kids[0]), Directive::Stop));
    ask(&sim, boss.hire_with(key_of(&kids[1]), Directive::Escalate));
    ask(&sim, boss.hire(key_of(&kids[2])));
    sim.run_until_idle();
    assert_eq!(renewed(&sim, &kids, 0), [true, false, false]);
    assert_eq!(ask(&sim, boss.children()).len(), 2);
    assert_eq!(ask(&sim, kids[0].parent()), None);
    let before = ask(&sim, boss.instance());
    assert_eq!(
        renewed(&sim, &kids, 1),
        [false, true, true],
        "with the boss"
    );
    assert_ne!(ask(&sim, boss.instance()), before);
    assert_eq!(sim.escalations(), 0);
    sim.shutdown();
}

#[test]
fn failures_go_up_step_by_step() {
    let sim = sim(boss_rules(Supervision {
        restarts: 1,
        ..STEADY
    }));
    let bosses: Vec<_> = (1..=3_u64).map(|key| sim.actor::<Boss>(key)).collect();
    let kids = kids(&sim, 1);
    ask(&sim, bosses[0].hire_boss(2));
    ask(&sim, bosses[1].hire_boss(3));
    hire(&sim, &bosses[2], &kids);
    let who = |sim: &Sim| -> Vec<_> {
        bosses
            .iter()
            .map(|boss| ask(sim, boss.instance()))
            .collect()
    };
    let mut before = who(&sim);
    // One failure of a child restarts it, and the second its parent: 1, 2, 4, 8 failures.
    let mut changed = Vec::new();
    for _ in 0..8 {
        renewed(&sim, &kids, 0);
        let after = who(&sim);
        changed.push(
            before
                .iter()
                .zip(&after)
                .filter(|(old, new)| old != new)
                .count(),
        );
        before = after;
    }
    assert_eq!(changed, [0, 1, 0, 2, 0, 1, 0, 3]);
    sim.shutdown();
}

#[test]
fn waits_grow_and_are_forgiven() {
    let rules = Supervision {
        restarts: 5,
        within: 60 * SECOND,
        ..STEADY
    };
    let options = ActorOptions::new().supervision(rules);
    let sim = sim(Engine::builder().configure::<Kid>(options));
    let kid = &kids(&sim, 1)[0];
    let wait = || {
        assert_eq!(sim.block_on(kid.boom()), Err(CallError::Panicked));
        let begin = sim.now();
        ask(&sim, kid.instance());
        sim.now() - begin
    };
    for round in 0..2 {
        for restart in 0..5 {
            let (waited, least) = (wait(), MS * (1 << restart));
            assert!(
                waited >= least && waited < least + MS,
                "{round} {restart}: {waited:?}"
            );
        }
        assert_eq!(sim.list()[0].restarts, 5);
        sim.run_for(61 * SECOND);
        assert_eq!(sim.list()[0].restarts, 0);
    }
    assert_eq!(sim.escalations(), 0);
    sim.shutdown();
}

#[test]
fn chance_parts_those_who_fail_together() {
    let jittery = Supervision {
        backoff: Backoff {
            first: SECOND,
            longest: SECOND,
            jitter_percent: 50,
        },
        ..STEADY
    };
    let options = ActorOptions::new().supervision(jittery);
    let sim = sim(Engine::builder().configure::<Kid>(options));
    let mut waits = Vec::new();
    for kid in kids(&sim, 20) {
        assert_eq!(sim.block_on(kid.boom()), Err(CallError::Panicked));
        let begin = sim.now();
        ask(&sim, kid.instance());
        waits.push(sim.now() - begin);
    }
    waits.sort();
    assert!(
        waits[0] >= SECOND / 2 && waits[0] < SECOND * 6 / 10,
        "{waits:?}"
    );
    assert!(
        waits[19] > SECOND * 9 / 10 && waits[19] <= SECOND + MS,
        "{waits:?}"
    );
    sim.shutdown();
}
