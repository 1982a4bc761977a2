use quark::prelude::*;

#[actor]
struct Account {
    cents: i64,
}

fn main() {}
