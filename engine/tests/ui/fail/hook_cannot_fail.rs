use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    async fn on_deactivate(&mut self) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
