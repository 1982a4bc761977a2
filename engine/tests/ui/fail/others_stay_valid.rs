use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

/// Every mistake is said at once, and the sound message below is there for `main`.
#[actor(mailbox = 0)]
impl Account {
    pub fn rename(&mut self, name: &str, _: u8) -> &str {
        drop(name.len());
        "renamed"
    }

    pub fn balance(&self) -> i64 {
        self.cents
    }
}

fn uses(account: &AccountRef) {
    let _ = account.balance();
}

fn main() {}
