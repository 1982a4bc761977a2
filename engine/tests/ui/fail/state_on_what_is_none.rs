use quark::prelude::*;

#[derive(Default, Stateful)]
pub struct Account {
    #[state]
    cents: i64,
}

#[actor]
impl Account {}

fn main() {}
