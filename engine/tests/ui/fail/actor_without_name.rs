use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl (Account, Account) {
    pub fn both(&self) -> i64 {
        0
    }
}

fn main() {}
