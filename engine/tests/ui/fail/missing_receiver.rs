use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub async fn deposit(cx: &Cx<Self>, cents: i64) -> i64 {
        i64::from(cx.shard()) + cents
    }

    // A function that belongs to the type: no message, and no mistake by itself.
    pub fn of(cents: i64) -> Self {
        Account { cents }
    }
}

fn uses(account: &AccountRef) {
    let _ = account.of(5);
}

fn main() {}
