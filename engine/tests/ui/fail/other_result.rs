use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

mod own {
    pub struct Result(pub i64);
}

#[actor]
impl Account {
    pub fn check(&self) -> own::Result {
        own::Result(self.cents)
    }
}

fn main() {}
