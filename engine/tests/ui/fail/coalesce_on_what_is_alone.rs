use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    #[turn(priority = "high", coalesce)]
    pub fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    #[turn(coalesce)]
    pub fn balance(&self) -> i64 {
        self.cents
    }
}

fn main() {}
