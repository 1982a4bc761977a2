use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

trait Deposit {
    fn deposit(&mut self, cents: i64) -> i64;
}

#[actor]
impl Deposit for Account {
    fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }
}

fn main() {}
