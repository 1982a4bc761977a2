//! A game world: squares of a map and the players in them are actors, on all cores. Twenty times a
//! second every square moves what is in it and tells its players what they see; players turn, hit
//! each other, and run from square to square, which hands them over from core to core.
//!
//! `cargo run --release --example game -- [PLAYERS] [SECONDS]`
#![allow(missing_docs, clippy::print_stdout)]

#[path = "game/world.rs"]
mod world;

use std::time::Duration;

use quark::prelude::*;
use world::master::Master;
use world::{Stopwatch, World};

const PLAYERS: u32 = 2_000;
const SECONDS: u64 = 2;
const PERIOD: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(5);
/// A world this far behind has more players than this machine can move.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let players = arguments.next().map_or(Ok(PLAYERS), |text| text.parse())?;
    let seconds = arguments.next().map_or(Ok(SECONDS), |text| text.parse())?;
    let seconds = Duration::from_secs(seconds);
    let topology = Topology::detect()?;
    let shards = topology.place()?.shards.len() as u16;
    let world = World::new(players, shards, PERIOD);
    let engine = world.on(Engine::builder().topology(topology)).launch()?;
    println!(
        "{players} players in {} squares on {shards} shards",
        world.zones()
    );

    let master = engine.actor::<Master>(0);
    let start = master.open().wait()?;
    let mut stopwatch = Stopwatch::new(world.clone(), start);
    let mut times = Vec::new();
    while !stopwatch.is_over() {
        let now = master.time().wait()?;
        if now.since(start) > seconds && world.ticks.last() == u64::MAX {
            world.ticks.end(start, now);
        }
        if stopwatch.overdue(now) > PATIENCE {
            return Err(format!("tick {} never ended: fewer players", stopwatch.done()).into());
        }
        while let Some(time) = stopwatch.lap() {
            times.push(time);
        }
        std::thread::sleep(LOOK);
    }

    times.sort();
    print!("{} ticks, each done by all players", times.len());
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p100", 1.0)] {
        let at = (times.len() as f64 * share).ceil() as usize;
        if let Some(time) = times.get(at.saturating_sub(1)) {
            print!(", {name} {:.2} ms", time.as_secs_f64() * 1e3);
        }
    }
    println!(" after it was due");

    // Nobody was lost, or is in two places, and all coins are still there.
    let census = master.count().wait()?;
    census.check(&world)?;
    let tally = census.tally;
    println!(
        "{} times a player changed squares, {} of them from core to core; {} hits",
        tally.crossings, tally.across, tally.hits
    );
    engine.shutdown();
    Ok(())
}
