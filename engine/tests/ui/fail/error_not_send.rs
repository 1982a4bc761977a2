use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub async fn check(&self) -> Result<i64, Box<dyn std::error::Error>> {
        Ok(self.cents)
    }
}

fn main() {}
