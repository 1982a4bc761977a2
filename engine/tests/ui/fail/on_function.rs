use quark::prelude::*;

#[actor]
pub fn deposit(cents: i64) -> i64 {
    cents
}

fn main() {}
