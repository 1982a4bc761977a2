use quark::prelude::*;

#[derive(Default)]
pub struct Account {
    #[state]
    balance: State<i64>,
}

#[actor]
impl Account {}

fn main() {}
