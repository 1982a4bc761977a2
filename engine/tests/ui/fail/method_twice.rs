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

    pub fn balance(&self) -> i64 {
        0
    }
}

fn main() {}
