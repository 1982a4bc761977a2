use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn pay_out(&mut self) {}

    pub fn pay__out(&mut self) {}
}

fn main() {}
