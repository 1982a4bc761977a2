use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn clone(&self) -> Self {
        Self { cents: self.cents }
    }

    pub fn core(&self) {}

    pub fn key(&self) -> i64 {
        0
    }
}

fn main() {}
