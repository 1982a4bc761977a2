use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn deposit<T: Into<i64> + Send>(&mut self, amount: T) {
        self.cents += amount.into();
    }

    pub fn many<const N: usize>(&mut self, amounts: [i64; N]) {
        self.cents += amounts.iter().sum::<i64>();
    }

    pub fn label<'a>(&mut self, label: &'a str) -> &'a str {
        label
    }
}

fn main() {}
