//! What `tests/tests/instructions.rs` counts the instructions of, and no example of how to use
//! Quark: `instructions local|cross ASKS`. One actor asks another so many times, all in one thread,
//! in the simulator.

#![allow(clippy::print_stderr, reason = "says how it is used")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use quark::prelude::*;
use quark::testing::{SimConfig, SimOptions};

#[derive(Default)]
struct Counter {
    sum: u64,
}

#[actor]
impl Counter {
    pub fn add(&mut self, number: u64) -> u64 {
        self.sum += number;
        self.sum
    }
}

#[derive(Default)]
struct Caller;

#[actor(timeout_ms = 3_600_000)]
impl Caller {
    pub async fn ask(&self, cx: &Cx<Self>, key: u64, asks: u64) -> Result<u64, CallError> {
        let counter = cx.actor::<Counter>(key);
        let mut sum = 0;
        for _ in 0..asks {
            sum = black_box(counter.add(black_box(1)).await?);
        }
        Ok(sum)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (shard, asks) = match &arguments[..] {
        [way, asks] => (
            match way.as_str() {
                "local" => 0,
                "cross" => 1,
                _ => return usage(),
            },
            asks.parse::<u64>(),
        ),
        _ => return usage(),
    };
    let Ok(asks) = asks else { return usage() };
    // Nothing is left to chance that would cost one run more than another.
    let options = SimOptions {
        shards: 2,
        world: SimConfig {
            mesh_delay_probability: 0.0,
            ..SimConfig::default()
        },
        pass: Duration::from_micros(1)..=Duration::from_micros(1),
        ..SimOptions::default()
    };
    let sim = Engine::builder()
        .simulate(1, options)
        .expect("the options are sound");
    let callee = (0..).find(|&key| sim.engine().home_of::<Counter>(key) == shard);
    let caller = (0..).find(|&key| sim.engine().home_of::<Caller>(key) == 0);
    let caller = sim.actor::<Caller>(caller.unwrap_or(0));
    let sum = sim.block_on(caller.ask(callee.unwrap_or(0), asks));
    assert_eq!(sum, Ok(asks), "every ask is answered");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions local|cross ASKS");
    ExitCode::from(2)
}
