//! The game's world, played by seed: nobody is lost on the way from square to square, in whatever
//! order messages come, and ticks are counted from when they were due.

#[path = "../../engine/examples/game/world.rs"]
mod world;

use std::time::Duration;

use quark::testing::{SimOptions, for_seeds};
use quark::{Credits, Engine};
use world::master::Master;
use world::{Stopwatch, World};

const PERIOD: Duration = Duration::from_millis(50);

/// Plays for `length` with so many ring slots between two shards, and gives the time of each tick.
fn play(seed: u64, length: Duration, slots: u32, options: SimOptions) -> Vec<Duration> {
    let (players, shards) = (400, options.shards);
    let world = World::new(players, shards, PERIOD);
    assert!(world.zones() * 40 >= players);
    let builder = world.on(Engine::builder()).credits(Credits {
        tell_slots: slots,
        ..Credits::default()
    });
    let sim = builder.simulate(seed, options).expect("types are known");
    let master = sim.actor::<Master>(0);
    let start = sim.block_on(async { master.open().await.expect("everybody joins") });
    let mut stopwatch = Stopwatch::new(world.clone(), start);
    sim.run_for(length);
    world.ticks.end(start, sim.now());
    let mut times = Vec::new();
    while !stopwatch.is_over() {
        match stopwatch.lap() {
            Some(time) => times.push(time),
            None => {
                let late = stopwatch.overdue(sim.now());
                assert!(
                    late < Duration::from_secs(20),
                    "tick {} is not done: {:?}",
                    stopwatch.done(),
                    sim.list()
                        .iter()
                        .filter(|actor| actor.waiting > 0)
                        .take(9)
                        .collect::<Vec<_>>()
                );
                sim.run_for(PERIOD);
            }
        }
    }
    let census = sim.block_on(async { master.count().await.expect("the master answers") });
    census.check(&world).expect("a world without a flaw");
    assert!(census.tally.crossings > 0 && census.tally.hits > 0);
    assert_eq!(census.tally.across > 0, shards > 1);
    sim.shutdown();
    times
}

#[test]
fn nobody_is_lost_whatever_order_messages_come_in() {
    for_seeds(0..8, |seed| {
        let options = SimOptions {
            shards: 1 + (seed % 3) as u16,
            ..SimOptions::default()
        };
        let times = play(seed, Duration::from_secs(3), 512, options);
        assert!(times.len() >= 60, "{}", times.len());
    });
}

#[test]
fn nobody_is_lost_when_rings_are_too_short_for_a_tick() {
    for_seeds(0..8, |seed| {
        play(seed, Duration::from_secs(2), 16, SimOptions::default());
    });
}

/// A core that stands still for some ticks leaves its squares behind the others'; the time of the
/// ticks it delayed counts from when they were due.
#[test]
fn nobody_is_lost_when_squares_fall_behind_and_no_wait_is_omitted() {
    let mut longest = Duration::ZERO;
    for_seeds(0..8, |seed| {
        let options = SimOptions {
            stall_probability: 0.000_05,
            stall_max: PERIOD * 6,
            ..SimOptions::default()
        };
        let times = play(seed, Duration::from_secs(4), 512, options);
        longest = longest.max(times.iter().copied().max().unwrap_or_default());
        for pair in times.windows(2) {
            // A late tick ends before the next; that one began to wait a period later.
            assert!(pair[1] + PERIOD >= pair[0], "{pair:?}");
        }
    });
    assert!(longest > PERIOD * 2, "{longest:?}");
}
