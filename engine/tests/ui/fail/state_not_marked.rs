use quark::prelude::*;

#[derive(Default, Stateful)]
pub struct Account {
    #[state]
    balance: State<i64>,
    limit: State<i64>,
}

#[derive(Default, Stateful)]
pub struct Forgetful {
    cents: i64,
}

fn main() {}
