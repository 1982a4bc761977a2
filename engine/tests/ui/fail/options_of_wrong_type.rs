use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor(name = Account, mailbox = "8", when_full = 1, pinned = 1.5, timeout_ms = 5u64)]
impl Account {}

fn main() {}
