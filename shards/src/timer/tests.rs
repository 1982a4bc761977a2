//! Tests of the timer wheel, most of them against an ordered map.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const TICK: u64 = 1 << TICK_BITS;

/// The tick a wheel may fire `due` at, at the earliest and at the latest.
fn tick_of(due: u64) -> u64 {
    due.div_ceil(TICK)
}

#[derive(Clone, Debug)]
enum Step {
    Insert { after: u64 },
    InsertPast { before: u64 },
    InsertNever,
    Cancel { which: usize },
    Advance { by: u64, limit: usize },
}

fn spans() -> impl Strategy<Value = u64> {
    let hour = 3_600_000_000_000u64;
    prop_oneof![
        0..4 * TICK,
        0..200 * TICK,
        0..1_000_000_000u64,
        0..50 * hour,
        0..40_000 * hour
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => spans().prop_map(|after| Step::Insert { after }),
        1 => spans().prop_map(|before| Step::InsertPast { before }),
        1 => Just(Step::InsertNever),
        3 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        4 => (spans(), prop_oneof![1usize..4, Just(usize::MAX)])
            .prop_map(|(by, limit)| Step::Advance { by, limit }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn fires_as_an_ordered_map_would(steps in prop::collection::vec(steps(), 1..200)) {
        let mut wheel = TimerWheel::new();
        // By number: when due, and the key. A timer armed too late is due at once.
        let mut model = BTreeMap::<u64, (u64, TimerKey)>::new();
        let (mut now, mut next) = (0u64, 0u64);
        for step in steps {
            match step {
                Step::Insert { .. } | Step::InsertPast { .. } | Step::InsertNever => {
                    let due = match step {
                        Step::Insert { after } => now + after,
                        Step::InsertPast { before } => now.saturating_sub(before),
                        _ => u64::MAX,
                    };
                    let key = wheel.insert(Time::from_nanos(due), next);
                    model.insert(next, (due, key));
                    next += 1;
                }
                Step::Cancel { which } if next > 0 => {
                    let id = which as u64 % next;
                    if let Some((_, key)) = model.remove(&id) {
                        prop_assert_eq!(wheel.cancel(key), Some(id));
                        prop_assert_eq!(wheel.cancel(key), None);
                    }
                }
                Step::Cancel { .. } => {}
                Step::Advance { by, limit } => {
                    now += by;
                    let mut fired = vec![];
                    while !wheel.advance_bounded(Time::from_nanos(now), limit, |id| fired.push(id)) {}
                    let due = fired.iter().map(|id| (model[id].0, *id)).collect::<Vec<_>>();
                    prop_assert!(due.iter().all(|(due, _)| *due <= now), "early: {due:?} at {now}");
                    // What was armed when already due comes first, whatever its time.
                    let late = due.iter().take_while(|(d, _)| tick_of(*d) <= (now - by) / TICK).count();
                    prop_assert!(due[late..].is_sorted_by_key(|(due, id)| (tick_of(*due), *id)));
                    for id in fired {
                        let (_, key) = model.remove(&id).unwrap();
                        prop_assert_eq!(wheel.cancel(key), None);
                    }
                    prop_assert!(model.values().all(|(due, _)| tick_of(*due) > now / TICK));
                }
            }
            prop_assert_eq!(wheel.len(), model.len());
            let earliest = model.values().map(|(due, _)| *due).min();
            match (wheel.next_due(), earliest) {
                (None, due) => prop_assert!(due.is_none_or(|due| tick_of(due) >= NEVER)),
                (Some(next), due) => {
                    let due = due.expect("something is armed");
                    prop_assert!(next.as_nanos() <= due.max(now).next_multiple_of(TICK));
                }
            }
        }
    }
}

#[test]
fn sleeping_until_next_due_gets_there_in_few_steps() {
    for after in [0, 1, TICK, 70 * TICK, 5_000 * TICK, 1 << 40, 1 << 62] {
        let mut wheel = TimerWheel::new();
        let start = 123_456_789_123;
        wheel.advance(Time::from_nanos(start), |()| {});
        wheel.insert(Time::from_nanos(start + after), ());
        let (mut steps, mut now, mut fired) = (0, start, 0);
        while let Some(due) = wheel.next_due() {
            now = now.max(due.as_nanos());
            fired += wheel.advance(Time::from_nanos(now), |()| {});
            steps += 1;
        }
        assert_eq!(fired, 1);
        assert!(steps <= LEVELS, "{steps} steps for {after} ns");
        assert!((start + after..start + after + TICK).contains(&now));
    }
}

#[test]
fn what_is_never_due_does_not_fire_and_can_be_cancelled() {
    let mut wheel = TimerWheel::new();
    let key = wheel.insert(Time::MAX, 1);
    wheel.insert(Time::ZERO + Duration::MAX, 2);
    assert_eq!(wheel.next_due(), None);
    assert_eq!(wheel.advance(Time::MAX, drop), 0);
    assert_eq!((wheel.cancel(key), wheel.len()), (Some(1), 1));
}

#[test]
fn a_bounded_advance_stops_at_its_limit_and_keeps_order() {
    let mut wheel = TimerWheel::new();
    for id in 0..1000u64 {
        wheel.insert(Time::from_nanos(100_000_000 + id * TICK), id);
    }
    let (mut fired, mut calls) = (vec![], 0);
    while fired.len() < 1000 {
        let before = fired.len();
        wheel.advance_bounded(Time::from_nanos(1_000_000_000), 16, |id| fired.push(id));
        assert!(fired.len() - before <= 16);
        calls += 1;
        assert!(calls <= 1000 * LEVELS / 16);
    }
    assert!(fired.is_sorted());
    assert!(wheel.is_empty() && wheel.next_due().is_none());
}

#[test]
fn places_are_used_again() {
    let mut wheel = TimerWheel::with_capacity(4);
    for round in 0..1000u64 {
        let keys = [0, 1, 2, 3].map(|i| wheel.insert(Time::from_nanos(round * TICK + i), i));
        assert_eq!(wheel.cancel(keys[1]), Some(1));
        assert_eq!(wheel.advance(Time::from_nanos((round + 1) * TICK), drop), 3);
        assert_eq!(keys.map(|key| wheel.cancel(key)), [None; 4]);
    }
    assert_eq!(wheel.timers.len(), 4);
}
