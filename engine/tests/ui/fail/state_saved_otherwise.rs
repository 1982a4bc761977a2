use quark::prelude::*;
use quark::{Evolve, Journal};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
pub struct Sum(i64);

impl Evolve for Sum {
    type Event = i64;

    fn evolve(&mut self, event: &i64) {
        self.0 += event;
    }
}

#[derive(Default, Stateful)]
pub struct Ledger {
    #[state(save = "each_turn")]
    sum: Journal<Sum>,
}

fn main() {}
