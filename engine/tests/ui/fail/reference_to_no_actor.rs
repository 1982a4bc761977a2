//! What the compiler says of something that is no actor.
use quark::prelude::*;

trait Account {
    fn deposit(&mut self, cents: i64) -> i64;
}

struct Ledger;

fn main() {
    let engine = Engine::launch(Topology::detect().unwrap()).unwrap();
    let _ = engine.actor::<dyn Account>("alice");
    let _ = engine.actor::<Ledger>("alice");
}
