use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor(mailbox = 0, timeout_ms = 0, idle_after_ms = -1, pinned = 70_000, name = "")]
impl Account {}

fn main() {}
