use quark::prelude::*;

#[actor]
pub trait Account {
    fn deposit(&mut self, cents: i64) -> i64;

    fn balance(&self) -> i64;

    async fn transfer(&mut self, to: String, cents: i64) -> Result<(), String>;

    fn close(&mut self);
}

type Answer = Result<(), String>;

#[derive(Default)]
pub struct Ledger {
    cents: i64,
}

#[actor(name = "ledger")]
impl Account for Ledger {
    fn deposit(&mut self, amount: i64) -> i64 {
        self.cents += amount;
        self.cents
    }

    fn balance(&self) -> u64 {
        0
    }

    async fn transfer(&mut self, to: String, cents: i64) -> Answer {
        self.cents -= cents + to.len() as i64;
        Ok(())
    }

    fn audit(&self) -> bool {
        true
    }
}

fn main() {}
