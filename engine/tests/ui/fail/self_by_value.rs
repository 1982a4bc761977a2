use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn close(self) -> i64 {
        self.cents
    }

    pub async fn drain(mut self) -> i64 {
        std::mem::take(&mut self.cents)
    }
}

fn main() {}
