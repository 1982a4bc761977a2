use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

impl Account {
    #[actor]
    pub fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }
}

fn main() {}
