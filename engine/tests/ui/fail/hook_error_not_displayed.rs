use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

struct Silent;

#[actor]
impl Account {
    fn on_activate(&mut self) -> Result<(), Silent> {
        Err(Silent)
    }
}

fn main() {}
