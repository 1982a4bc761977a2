use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn pair(&mut self, (whole, cents): (i64, i64)) {
        self.cents += whole * 100 + cents;
    }

    pub fn ignored(&mut self, _: i64) {}

    pub fn bound(&mut self, ref amount: String) -> usize {
        amount.len()
    }
}

fn main() {}
