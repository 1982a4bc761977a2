use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn later(&self) -> impl Future<Output = i64> {
        std::future::ready(self.cents)
    }

    pub fn history(&self) -> impl Iterator<Item = i64> {
        std::iter::once(self.cents)
    }
}

fn main() {}
