use quark::prelude::*;

#[actor]
trait Deposit {
    fn deposit(&mut self, cents: i64) -> i64;
}

fn main() {}
