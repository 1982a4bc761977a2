use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor(mailbox)]
impl Account {}

struct Book;

#[actor(mailbox: 8)]
impl Book {}

struct Desk;

#[actor(mailbox = 8 pinned = 1)]
impl Desk {}

fn main() {}
