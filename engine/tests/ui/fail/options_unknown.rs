use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor(mailbox_size = 8)]
impl Account {}

struct Book;

#[actor("book")]
impl Book {}

fn main() {}
