#![deny(unused_must_use)]

use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64) {
        self.cents += cents;
    }
}

fn uses(account: &AccountRef) {
    account.deposit(5);
}

fn main() {}
