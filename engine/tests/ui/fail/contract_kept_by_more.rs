use quark::prelude::*;

#[actor]
pub trait Account {
    fn deposit(&mut self, cents: i64) -> i64;
}

#[derive(Default)]
pub struct Ledger {
    cents: i64,
}

#[actor]
impl Account for Ledger {
    type Cents = i64;

    fn new() -> Self {
        Self::default()
    }

    pub fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }
}

fn main() {}
