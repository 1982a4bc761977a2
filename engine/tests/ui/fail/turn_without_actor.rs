use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

impl Account {
    #[turn(priority = "high")]
    pub fn balance(&self) -> i64 {
        self.cents
    }
}

#[turn(coalesce)]
fn main() {}
