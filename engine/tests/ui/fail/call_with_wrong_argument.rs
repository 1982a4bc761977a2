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
    let _ = account.deposit("five");
}

fn main() {}
