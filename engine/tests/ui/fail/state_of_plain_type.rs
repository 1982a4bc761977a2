use quark::prelude::*;

#[derive(Default)]
pub struct Balance {
    cents: i64,
}

#[derive(Default, Stateful)]
pub struct Account {
    #[state]
    balance: State<Balance>,
}

#[actor]
impl Account {}

fn main() {}
