use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor(mailbox = 8, mailbox = 9)]
impl Account {}

fn main() {}
