use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    async fn on_activate(&mut self) -> bool {
        self.cents == 0
    }
}

fn main() {}
