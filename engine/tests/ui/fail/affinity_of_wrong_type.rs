use quark::{Key, prelude::*};

#[derive(Default)]
struct Account;

fn group_of(key: Key) -> Key {
    key
}

#[actor(affinity = group_of)]
impl Account {}

#[derive(Default)]
struct Book;

#[actor(affinity = Self::desk)]
impl Book {}

fn main() {}
