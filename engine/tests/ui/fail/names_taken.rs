use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

pub struct AccountRef;

pub enum AccountDepositMessage {}

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64) {
        self.cents += cents;
    }
}

fn main() {}
