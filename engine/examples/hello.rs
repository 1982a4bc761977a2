//! The README's program.
#![allow(missing_docs)]

use quark::prelude::*;

#[derive(Default)]
pub struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::launch(Topology::detect()?)?; // one pinned shard per core
    let alice = engine.actor::<Account>("alice"); // a reference; nothing exists yet
    assert_eq!(alice.deposit(5).wait()?, 5); // activated on its core, by this call
    Ok(())
}
