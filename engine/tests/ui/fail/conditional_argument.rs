use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64, #[cfg(any())] note: String) {
        self.cents += cents;
    }
}

fn main() {}
