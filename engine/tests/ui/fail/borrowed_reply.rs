use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn name(&self) -> &str {
        "account"
    }

    pub async fn cents(&mut self) -> Option<&mut i64> {
        Some(&mut self.cents)
    }
}

fn main() {}
