use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn balance(&self) -> i64 {
        self.cents
    }
}

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64) {
        self.cents += cents;
    }
}

fn main() {}
