use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor(when_full = "drop")]
impl Account {}

fn main() {}
