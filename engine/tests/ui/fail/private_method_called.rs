use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    fn audit(&self) -> i64 {
        self.cents
    }
}

fn uses(account: &AccountRef) {
    let _ = account.audit();
}

fn main() {}
